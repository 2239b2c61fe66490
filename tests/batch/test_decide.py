from hoseg.batch.decide import decide


def row(side="left", brooker="2", view="ap_pelvis", gap="12.0", source="a"):
    return {
        "patient_id": "P", "side": side, "brooker": brooker, "view": view, "gap_mm": gap,
        "source": source,
    }  # fmt: skip


def test_both_sides_are_kept():
    assert [r["side"] for r in decide([row("left"), row("right")])] == ["left", "right"]


def test_a_graded_image_comes_before_an_abstained_one():
    (kept,) = decide([row(brooker="", source="a"), row(brooker="0", source="b")])
    assert kept["source"] == "b"


def test_an_ap_view_comes_before_another():
    (kept,) = decide([row(brooker="4", view="frog_leg"), row(brooker="1", source="ap")])
    assert kept["source"] == "ap"


def test_the_worse_class_then_the_smaller_gap_decides():
    rows = [row(brooker="2", gap="11"), row(brooker="3", gap="8"), row(brooker="3", gap="6.5")]
    (kept,) = decide(rows)
    assert kept["gap_mm"] == "6.5"


def test_the_first_of_equals_is_kept():
    (kept,) = decide([row(source="a"), row(source="b")])
    assert kept["source"] == "a"
