import json
import re

import pytest

from hoseg.errors import OutputError
from hoseg.report.tables import FINDING_COLUMNS, IMAGE_COLUMNS
from hoseg.review.page import PAGE, blind, index, need, page, write_page

HOSTILE = "</script><img src=x onerror=alert(1)>/*INDEX*/ /*SCRIPT*/"


def image(folder, status="graded", **more):
    row = dict.fromkeys((column.name for column in IMAGE_COLUMNS), "")
    return row | {"folder": folder, "status": status, "view": "ap_hip", "side": "left"} | more


def hip(folder, brooker, chance, **more):
    row = dict.fromkeys((column.name for column in FINDING_COLUMNS), "")
    row |= {"folder": folder, "side": "left", "brooker": str(brooker)}
    return row | {f"brooker_p{brooker}": str(chance)} | more


def read_index(text):
    return json.loads(re.search(r"^const INDEX = (.*);$", text, re.MULTILINE)[1])


def test_abstained_then_uncertain_then_severe():
    images = [image(name) for name in ("calm", "severe", "doubtful", "lost", "half")]
    images[3] = image("lost", "abstained", reason="no_hip_found")
    hips = [
        hip("calm", 0, 1.0), hip("severe", 4, 0.99), hip("doubtful", 1, 0.5), hip("half", 0, 1.0),
        hip("half", 0, 1.0) | {"brooker": "", "brooker_p0": "", "abstained": "cropped"},
    ]  # fmt: skip
    entries = index(images, hips)
    assert [entry["id"] for entry in entries] == ["lost", "half", "doubtful", "severe", "calm"]
    assert entries[3]["hips"][0] == {
        "side": "left", "brooker": 4, "least": None, "sure": 0.99, "gap": None, "abstained": "",
    }  # fmt: skip


def test_more_doubt_and_more_severity_need_more():
    one = lambda brooker, sure: [  # noqa: E731
        {"brooker": brooker, "least": None, "sure": sure, "abstained": ""}
    ]
    assert need("graded", one(0, 0.6)) > need("graded", one(0, 0.9))
    assert need("graded", one(4, 0.9)) > need("graded", one(3, 0.9))
    assert need("graded", one(None, None)) == need("graded", []) == 0
    assert need("abstained", []) > need("graded", one(4, 0.2))


def test_the_chance_is_that_of_the_class_given():
    """The rules may give IV where III is likelier: the card must not lend IV the chance of III."""
    (entry,) = index([image("a")], [hip("a", 4, 0.18, brooker_p3="0.44")])
    assert entry["hips"][0]["sure"] == 0.18
    assert entry["need"] == pytest.approx(5 * 0.82 + 2)


def test_a_cropped_hip_beside_the_one_filmed_does_not_come_first():
    lost = hip("a", "", "", side="right", abstained="cropped_hip", at_least="4")
    (entry,) = index([image("a", side="left")], [hip("a", 1, 0.9), lost])
    assert entry["need"] < 10
    assert entry["hips"][1]["least"] == 4
    (both,) = index([image("a", side="unknown")], [hip("a", 1, 0.9), lost])
    assert both["need"] > 10


def test_inputs_without_a_folder_are_left_out():
    assert index([image("", "failed"), image("", "skipped")], []) == []


def test_no_text_becomes_markup():
    entries = index([image("studies/1/2", patient_id=HOSTILE, reason=HOSTILE)], [])
    text = page(entries)
    assert "<img" not in text
    assert text.count("<script") == text.count("</script>") == 1
    assert read_index(text)[0]["patient"] == HOSTILE


def test_the_page_needs_nothing_else():
    text = page([])
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", text)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert "/*" + "STYLE" not in text
    assert "Research use only. Not a medical device." in text


def test_blinded_entries_hold_no_result():
    found = index([image("b", "abstained", reason="x"), image("a")], [hip("a", 4, 1.0)])
    entries = blind(found)
    assert [entry["id"] for entry in entries] == ["a", "b"]
    for entry in entries:
        kept = {key: value for key, value in entry.items() if value}
        assert set(kept) <= {"id", "patient", "date", "view", "side"}


def test_a_page_is_written_whole(tmp_path):
    write_page(tmp_path, [image("studies/1/2")], [])
    assert [path.name for path in tmp_path.iterdir()] == [PAGE]
    assert read_index((tmp_path / PAGE).read_text())[0]["id"] == "studies/1/2"
    with pytest.raises(OutputError, match="free space"):
        write_page(tmp_path / "missing", [], [])
