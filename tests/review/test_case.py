import json

import cv2
import numpy as np
import pytest

from hoseg.grade.finding import HipFinding
from hoseg.radiograph import Structure
from hoseg.report.overlay import trace_contours
from hoseg.report.schema import ResultFile, SourceImage
from hoseg.review.case import blinded_script, case_script, polygons, to_script_json

HOSTILE = "</script><script>alert(1)</script><!--&\u2028\u2029'\"\\"


def result(**changes):
    image = SourceImage(
        rows=40, columns=50, side="left", view="ap_hip", columns_to="left", patient_id=HOSTILE
    )
    fields = {"source": HOSTILE, "folder": "studies/1/2", "status": "abstained", "image": image}
    return ResultFile(**(fields | {"sentence": "No femur.", "model": "m@1"} | changes))


def read(script):
    assert script.startswith("hosegCase(")
    assert script.endswith(");\n")
    return json.loads(script[10:-3])


def test_no_text_can_leave_the_script():
    script = case_script(result(), np.zeros((40, 50), np.uint8))
    assert "<" not in script
    assert ">" not in script
    assert script.isascii()
    case = read(script)
    assert case["result"]["image"]["patient_id"] == HOSTILE
    assert (case["rows"], case["columns"], case["id"]) == (40, 50, "studies/1/2")


@pytest.mark.parametrize("text", [HOSTILE, "<!--<script>", "]]>", "\0\x7f", "山田"])
def test_json_in_a_script_is_harmless_and_unchanged(text):
    written = to_script_json({"key": text})
    assert not set("<>&") & set(written)
    assert json.loads(written) == {"key": text}


def test_runs_give_back_the_ossification():
    rng = np.random.default_rng(1)
    masks = np.zeros((40, 50), np.uint8)
    masks[7:22, 11:44] = np.where(rng.random((15, 33)) < 0.5, Structure.OSSIFICATION, 1)
    case = read(case_script(result(), masks))
    row, column, rows, columns = case["ossification"]["box"]
    counts = case["ossification"]["counts"]
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    again = np.zeros(masks.shape, bool)
    again[row : row + rows, column : column + columns] = flat.reshape(rows, columns)
    np.testing.assert_array_equal(again, (masks & 8) > 0)
    assert read(case_script(result(), masks & 1))["ossification"] is None
    assert read(blinded_script(case_script(result(), masks)))["ossification"] is None


def outlines_of(mask):
    return polygons(trace_contours(mask)[Structure.PELVIS])


def test_outlines_enclose_the_mask():
    rng = np.random.default_rng(0)
    for _ in range(20):
        noise = cv2.GaussianBlur(rng.normal(size=(120, 90)).astype(np.float32), (0, 0), 7)
        mask = (noise > 0.02).astype(np.uint8)
        again = np.zeros_like(mask)
        points = [np.array(line).reshape(-1, 1, 2) for line in outlines_of(mask)]
        for line in points:  # even-odd, and the pixels under the lines
            one = cv2.fillPoly(np.zeros_like(mask), [line], 1)
            again ^= one
        edge = cv2.polylines(np.zeros_like(mask), points, True, 1)
        wrong = (again != mask) & (cv2.dilate(edge, np.ones((3, 3), np.uint8)) == 0)
        assert wrong.sum() == 0


def test_an_empty_mask_has_no_outline():
    assert outlines_of(np.zeros((5, 5), np.uint8)) == []


def test_a_blinded_case_keeps_only_what_was_known_before():
    masks = np.full((40, 50), 15, np.uint8)
    blind = read(blinded_script(case_script(result(reason="no_femur"), masks)))
    assert blind["outlines"] == {}
    assert set(blind) == {"id", "rows", "columns", "result", "outlines", "blinded", "ossification"}
    kept = {key: value for key, value in blind["result"].items() if value}
    assert set(kept) == {
        "schema_id", "hoseg_version", "folder", "image", "disclaimer", "status",
    }  # fmt: skip
    assert kept["status"] == "graded"


def test_the_page_gets_the_per_cent_of_the_overlay_and_a_blinded_one_none():
    """Each class rounded by itself would say 96 %, and 101 in all with what is undecided."""
    finding = HipFinding(
        side="left",
        classes={"brooker": 0},
        class_probabilities={"brooker": (0.955, 0.015, 0.015, 0.0, 0.0)},
    )
    script = case_script(result(hips=(finding,)), np.zeros((40, 50), np.uint8))
    assert sum(read(script)["result"]["hips"][0]["percents"]) == 100
    assert "percents" not in blinded_script(script)
