"""Which finding belongs to which hip."""

from hoseg.datasets.labelled import GradedHip
from hoseg.evaluate.hips import TrueHip, match, true_hips
from hoseg.radiograph import Side

from .phantoms import finding

LEFT, RIGHT, UNKNOWN = Side.LEFT, Side.RIGHT, Side.UNKNOWN


def test_by_side_whatever_the_order():
    found = (finding(RIGHT, 1), finding(LEFT, 2))
    assert match((TrueHip(LEFT), TrueHip(RIGHT)), found) == (found[1], found[0])


def test_one_hip_and_one_finding_belong_together():
    found = (finding(RIGHT, 1),)
    assert match((TrueHip(LEFT),), found) == found


def test_a_finding_of_the_other_side_is_no_match_among_two():
    found = (finding(RIGHT, 1),)
    assert match((TrueHip(LEFT), TrueHip(RIGHT)), found) == (None, found[0])


def test_unknown_sides_go_by_the_nearest_head():
    found = (finding(UNKNOWN, 1, head=(100, 300)), finding(UNKNOWN, 2, head=(100, 80)))
    hips = (TrueHip(RIGHT, centre_px=(95, 90)), TrueHip(LEFT, centre_px=(95, 310)))
    assert match(hips, found) == (found[1], found[0])


def test_grades_and_masks_come_together():
    graded = (GradedHip(LEFT, 3, 4.0, "hazy"),)
    seen = (finding(RIGHT, 1, gap_mm=20.0, head=(9, 9)), finding(LEFT, 2, gap_mm=11.0, head=(5, 5)))
    left, right = true_hips(graded, seen)
    assert (left.brooker, left.brooker_masks, left.gap_mm, left.gap_masks_mm) == (3, 2, 4.0, 11.0)
    assert (left.centre_px, left.maturity) == ((5, 5), "hazy")
    assert (right.side, right.brooker, right.brooker_masks) == (RIGHT, None, 1)


def test_an_abstained_reading_of_the_masks_gives_no_class():
    (hip,) = true_hips((GradedHip(LEFT, 3),), (finding(LEFT, 3, abstained="cropped"),))
    assert (hip.brooker, hip.brooker_masks) == (3, None)
