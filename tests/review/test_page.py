import json
import re

import pytest

from hoseg.errors import OutputError
from hoseg.grade.finding import HipFinding
from hoseg.grade.summary import class_percents
from hoseg.report.schema import ResultFile, SourceImage
from hoseg.review.page import PAGE, blind, index, need, page, write_page

HOSTILE = "</script><img src=x onerror=alert(1)>/*INDEX*/ /*SCRIPT*/"


def image(folder, *hips, status="graded", side="left", reason="", patient_id=""):
    shown = SourceImage(
        rows=40, columns=50, side=side, view="ap_hip", columns_to="left", patient_id=patient_id
    )
    return ResultFile(
        source="film.png", folder=folder, status=status, reason=reason, image=shown, hips=hips
    )


def hip(brooker, chance=1.0, *, side="left", chances=(), **more):
    """A hip of a class, which has this chance."""
    chances = chances or tuple(chance if k == brooker else 0.0 for k in range(5))
    return HipFinding(
        side=side,
        classes={"brooker": brooker},
        class_probabilities={"brooker": chances} if brooker is not None else {},
        **({"class_probabilities_from": "model"} | more),
    )


def read_index(text):
    return json.loads(re.search(r"^const INDEX = (.*);$", text, re.MULTILINE)[1])


def test_abstained_then_uncertain_then_severe():
    entries = index(
        [
            image("calm", hip(0)),
            image("severe", hip(4, 0.99)),
            image("doubtful", hip(1, 0.5)),
            image("lost", status="abstained", reason="no_hip_found"),
            image("half", hip(0), hip(None, abstained="cropped")),
        ]
    )
    assert [entry["id"] for entry in entries] == ["lost", "half", "doubtful", "severe", "calm"]
    assert entries[3]["hips"][0] == {
        "side": "left", "brooker": 4, "least": None, "sure": 0.99, "percent": 99, "gap": None,
        "abstained": "",
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
    (entry,) = index([image("a", hip(4, chances=(0.1, 0.1, 0.18, 0.44, 0.18)))])
    assert entry["hips"][0]["sure"] == 0.18
    assert entry["need"] == pytest.approx(5 * 0.82 + 2)


def test_the_card_rounds_as_the_overlay_does():
    """By halves it would say 96 % where the sentence at the hip says 97 %."""
    finding = hip(0, chances=(0.964, 0.012, 0.012, 0.012, 0.0))
    (entry,) = index([image("a", finding)])
    assert entry["hips"][0]["percent"] == class_percents(finding)[0] == 97


def test_a_share_of_random_draws_is_not_shown_as_a_probability():
    (entry,) = index([image("a", hip(0, class_probabilities_from="draws"))])
    assert entry["hips"][0]["percent"] is None


def test_a_cropped_hip_beside_the_one_filmed_does_not_come_first():
    lost = hip(None, side="right", abstained="cropped_hip", at_least=4)
    (entry,) = index([image("a", hip(1, 0.9), lost, side="left")])
    assert entry["need"] < 10
    assert entry["hips"][1]["least"] == 4
    (both,) = index([image("a", hip(1, 0.9), lost, side="unknown")])
    assert both["need"] > 10


def test_inputs_without_a_folder_are_left_out():
    assert index([image("", status="failed"), image("", status="skipped")]) == []


def test_no_text_becomes_markup():
    entries = index([image("studies/1/2", patient_id=HOSTILE, reason=HOSTILE)])
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
    found = index([image("b", status="abstained", reason="x"), image("a", hip(4))])
    entries = blind(found)
    assert [entry["id"] for entry in entries] == ["a", "b"]
    for entry in entries:
        kept = {key: value for key, value in entry.items() if value}
        assert set(kept) <= {"id", "patient", "date", "view", "side"}


def test_a_page_is_written_whole(tmp_path):
    write_page(tmp_path, [image("studies/1/2")])
    assert [path.name for path in tmp_path.iterdir()] == [PAGE]
    assert read_index((tmp_path / PAGE).read_text())[0]["id"] == "studies/1/2"
    with pytest.raises(OutputError, match="free space"):
        write_page(tmp_path / "missing", [])
