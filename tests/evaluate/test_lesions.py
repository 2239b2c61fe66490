"""Lesion matching by hand-made masks at 1 mm pixels."""

import numpy as np

from hoseg.evaluate.lesions import lesions

SHAPE = (80, 100)
NOTHING = np.zeros(SHAPE, bool)


def box(top, left, height, width):
    mask = NOTHING.copy()
    mask[top : top + height, left : left + width] = True
    return mask


def rows(visible=NOTHING, predicted=NOTHING, hidden=NOTHING, bone=NOTHING, pixel_mm2=1.0):
    found = lesions(visible, hidden, predicted, bone, pixel_mm2)
    return (
        [x for x in found if x.origin == "truth"],
        [x for x in found if x.origin == "predicted"],
    )


def test_found_and_right():
    truth, predicted = rows(box(10, 10, 10, 10), box(10, 14, 10, 10))
    assert [x.matched for x in truth + predicted] == [True, True]
    assert truth[0].area_mm2 == 100
    assert truth[0].centre_px == (14.5, 14.5)


def test_a_touch_is_not_a_find():
    # 1 of 10 columns covered: below the 20 % that a find takes.
    truth, predicted = rows(box(10, 10, 10, 10), box(10, 19, 10, 10))
    assert not truth[0].matched
    assert not predicted[0].matched


def test_exactly_a_fifth_is_a_find():
    truth, _ = rows(box(10, 10, 10, 10), box(10, 18, 10, 10))
    assert truth[0].matched


def test_below_the_floor_is_neither_missed_nor_false():
    assert rows(box(10, 10, 4, 6), box(50, 50, 4, 6)) == ([], [])
    truth, predicted = rows(box(10, 10, 5, 5), box(50, 50, 5, 5))
    assert (len(truth), len(predicted)) == (1, 1)  # exactly 25 mm2 counts


def test_floor_is_in_mm_not_pixels():
    truth, _ = rows(box(10, 10, 10, 10), pixel_mm2=0.2)  # 100 pixels, 20 mm2
    assert truth == []


def test_hidden_truth_is_no_false_alarm_and_no_miss():
    truth, predicted = rows(hidden=box(10, 10, 10, 10), predicted=box(10, 10, 10, 10))
    assert truth == []
    assert predicted[0].matched


def test_one_prediction_may_find_two_and_two_may_find_one():
    two = box(10, 10, 10, 10) | box(10, 22, 10, 10)
    truth, predicted = rows(two, box(10, 10, 10, 22))
    assert [x.matched for x in truth] == [True, True]
    assert [x.matched for x in predicted] == [True]
    truth, predicted = rows(box(10, 10, 10, 22), two)
    assert [x.matched for x in truth] == [True]
    assert [x.matched for x in predicted] == [True, True]


def test_over_bone_is_at_least_half():
    bone = box(0, 15, 80, 85)
    truth, _ = rows(box(10, 10, 10, 10), bone=bone)
    assert truth[0].over_bone
    truth, _ = rows(box(10, 9, 10, 10), bone=bone)
    assert not truth[0].over_bone


def test_diagonal_neighbours_are_one_lesion():
    truth, _ = rows(box(10, 10, 5, 5) | box(15, 15, 5, 5))
    assert [x.area_mm2 for x in truth] == [50]
