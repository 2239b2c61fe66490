"""One film scored: masks, lesions, hips, reliability of the probabilities."""

from dataclasses import replace

import numpy as np
import pytest

from hoseg.datasets.labelled import GradedHip, LabelledImage
from hoseg.errors import InputError
from hoseg.evaluate.score import Prediction, outside, reliability, score_case
from hoseg.radiograph import (
    Grid,
    Radiograph,
    Segmentation,
    Side,
    Spacing,
    SpacingSource,
    View,
)

from .phantoms import finding

SHAPE = (60, 100)
HEADS = ((30.0, 25.0), (30.0, 75.0))


def box(top, left, height=8, width=8, bit=8):
    plane = np.zeros(SHAPE, np.uint8)
    plane[top : top + height, left : left + width] = bit
    return plane


BONES = box(0, 0, 20, 100, 1) | box(25, 20, 35, 10, 2) | box(25, 70, 35, 10, 2)


def labelled(masks, ignore=None, hips=None, spacing=1.0):
    if hips is None:
        hips = tuple(
            GradedHip(side, 0, centre_px=head)
            for side, head in zip((Side.RIGHT, Side.LEFT), HEADS, strict=True)
        )
    mm = Spacing(spacing, spacing, 0.0, SpacingSource.USER) if spacing else None
    film = Radiograph(np.zeros(SHAPE, np.float32), "film", mm, view=View.AP_PELVIS)
    return LabelledImage("film", "patient", film, masks, ignore, hips)


def predicted(masks, *hips, refused=""):
    planes = np.stack([((masks >> i) & 1) * 250 for i in range(4)]).astype(np.uint8)
    grid = Grid(SHAPE, (0.0, 0.0), (1.0, 1.0), (1.0, 1.0))
    return Prediction(Segmentation(masks, planes, grid, "m"), hips, refused)


def test_perfect_prediction():
    masks = BONES | box(30, 40)
    case = score_case(
        labelled(masks), predicted(masks, finding(Side.RIGHT, 1), finding(Side.LEFT, 0))
    )
    assert {o.name: o.dice for o in case.overlaps if o.dice is not None} == {
        "pelvis": 1,
        "femur": 1,
        "ossification": 1,
        "ossification_off_bone": 1,
    }
    assert [x.matched for x in case.lesions] == [True, True]
    assert case.false_lesions == ()
    assert not case.implant
    assert [h.predicted for h in case.hips] == [1, 0]


def test_ossification_belongs_to_the_nearer_hip():
    case = score_case(labelled(BONES | box(30, 36)), predicted(BONES | box(30, 36) | box(40, 90)))
    right, left = case.hips
    assert (right.true_ho_mm2, right.predicted_ho_mm2, right.ho_dice) == (64, 64, 1)
    assert (left.true_ho_mm2, left.predicted_ho_mm2, left.ho_dice) == (0, 64, None)
    assert right.ho_score == pytest.approx(250 / 255)
    assert list(case.lesion_hips) == [0, 0, 1]


def test_ignored_pixels_count_for_their_structure_only():
    ignore = box(0, 0, 60, 50, 8) | box(0, 0, 60, 50, 1)
    case = score_case(labelled(BONES, ignore), predicted(BONES & 2 | box(30, 36)))
    assert case.overlap("pelvis").truth_mm2 == 20 * 50
    assert case.overlap("femur").dice == 1
    assert case.overlap("ossification").predicted_mm2 == 0
    assert case.false_lesions == ()  # it lies on ossification that cannot be seen


def test_areas_are_in_mm2():
    masks = BONES | box(30, 40)
    case = score_case(labelled(masks, spacing=2.0), predicted(masks))
    assert case.overlap("ossification").truth_mm2 == 64 * 4
    assert case.lesions[0].area_mm2 == 64 * 4


def test_refused_film_abstains_with_its_reason_and_keeps_its_masks():
    case = score_case(labelled(BONES), predicted(BONES, refused="growth_plates"))
    assert [h.abstained for h in case.hips] == ["growth_plates"] * 2
    assert case.overlap("pelvis").dice == 1


def test_missing_hip_and_abstained_hip():
    found = predicted(BONES, finding(Side.RIGHT, 2, abstained="cropped"))
    case = score_case(labelled(BONES), found)
    assert [(h.predicted, h.abstained) for h in case.hips] == [
        (None, "cropped"),
        (None, "hip_not_found"),
    ]


def test_class_from_true_masks_beside_the_class_given():
    hips = (GradedHip(Side.LEFT, 3, 6.0),)
    from_masks = (finding(Side.LEFT, 2, gap_mm=12.0),)
    case = score_case(
        labelled(BONES, hips=hips), predicted(BONES, finding(Side.LEFT, 2)), from_masks
    )
    (hip,) = case.hips
    assert (hip.truth, hip.truth_masks, hip.predicted) == (3, 2, 2)
    assert (hip.true_gap_mm, hip.true_masks_gap_mm) == (6.0, 12.0)


def test_a_bridge_has_no_true_gap():
    hips = (GradedHip(Side.LEFT, 4, 0.0),)
    found = finding(Side.LEFT, 3, gap_mm=3.0)
    case = score_case(labelled(BONES, hips=hips), predicted(BONES, found), (finding(Side.LEFT, 4),))
    assert (case.hips[0].true_gap_mm, case.hips[0].predicted_gap_mm) == (None, 3.0)


def test_grades_alone():
    truth = labelled(None, hips=(GradedHip(Side.LEFT, 3),), spacing=None)
    case = score_case(truth, predicted(BONES | 4, finding(Side.LEFT, 3, gap_mm=5.0)))
    assert case.overlaps == case.lesions == ()
    assert case.implant
    assert (case.hips[0].truth, case.hips[0].predicted) == (3, 3)
    assert case.hips[0].true_ho_mm2 is None


def test_masks_without_spacing_are_refused():
    with pytest.raises(InputError, match="no pixel spacing") as caught:
        score_case(labelled(BONES, spacing=None), predicted(BONES))
    assert caught.value.code == "no_spacing"


def test_hip_graded_twice_is_refused():
    hips = (GradedHip(Side.LEFT, 1), GradedHip(Side.LEFT, 2))
    with pytest.raises(InputError, match="'left' is graded 2 times"):
        score_case(labelled(BONES, hips=hips), predicted(BONES))


def test_mirroring_swaps_the_hips_and_nothing_else():
    masks, found = BONES | box(30, 36), BONES | box(31, 38) | box(50, 60, 5, 5)
    one = score_case(
        labelled(masks), predicted(found, finding(Side.RIGHT, 1), finding(Side.LEFT, 0))
    )
    hips = tuple(
        GradedHip(side.opposite, 0, centre_px=(r, SHAPE[1] - 1 - c))
        for side, (r, c) in zip((Side.RIGHT, Side.LEFT), HEADS, strict=True)
    )
    other = score_case(
        labelled(masks[:, ::-1].copy(), hips=hips),
        predicted(found[:, ::-1].copy(), finding(Side.LEFT, 1), finding(Side.RIGHT, 0)),
    )
    assert one.overlaps == other.overlaps
    assert [replace(h, side=h.side.opposite) for h in one.hips] == list(other.hips)


def test_outside_is_what_is_unscored_up_to_the_edge():
    ignore = np.zeros((20, 30), np.uint8)
    ignore[:, :5] = 15  # a border
    ignore[8:12, 12:16] = 15  # a reader's don't-care
    ignore[:3, 10:] = 8  # hidden ossification
    assert np.array_equal(outside(ignore), np.arange(30)[None, :].repeat(20, 0) < 5)
    assert not outside(np.zeros((4, 4), np.uint8)).any()


SQUARE = Grid((40, 50), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0))


def segmentation(ho, grid=SQUARE, shape=None):
    probabilities = np.zeros((4, *grid.shape), np.uint8)
    probabilities[3] = ho
    return Segmentation(np.zeros(shape or grid.shape, np.uint8), probabilities, grid, "m")


def test_reliability_counts_pixels_by_probability_and_truth():
    ho = np.full((40, 50), 26, np.uint8)  # 0.102: second bin
    ho[:10] = 242  # 0.949: last bin
    masks = np.zeros((40, 50), np.uint8)
    masks[:5] = 8
    ignore = np.zeros((40, 50), np.uint8)
    ignore[:, :10] = 8
    row = reliability(masks, ignore, segmentation(ho))[3]
    assert row.name == "ossification"
    assert row.pixels[9] == 10 * 40
    assert row.outcome[9] == 5 * 40
    assert row.pixels[1] == 30 * 40
    assert row.outcome[1] == 0
    assert row.probability[9] == pytest.approx(400 * 242 / 255)
    assert sum(row.pixels) == 40 * 40


def test_reliability_samples_the_truth_where_the_grid_lies():
    grid = Grid((10, 10), (5.0, 20.0), (3.0, 2.0), (1.0, 1.0))
    masks = np.zeros((60, 60), np.uint8)
    masks[5 + 3 * 4, 20 + 2 * 7] = 8  # under grid pixel (4, 7) only
    found = segmentation(np.zeros((10, 10), np.uint8), grid, (60, 60))
    found.probabilities[3, 4, 7] = 255
    row = reliability(masks, np.zeros_like(masks), found)[3]
    assert (row.outcome[9], row.pixels[9], row.pixels[0]) == (1, 1, 99)
