from hoseg.grade.combine import combine
from hoseg.grade.finding import HipFinding
from hoseg.radiograph import Side, View


def finding(side=Side.LEFT, brooker=2, view=View.AP_PELVIS, gap_mm=12.0):
    """A finding with the part that the rule looks at."""
    return HipFinding(
        side=side, classes={"brooker": brooker}, view=view, gap_mm=gap_mm, pattern="spur"
    )


def test_both_hips_of_one_image_stay():
    assert len(combine([(finding(Side.RIGHT), finding(Side.LEFT))])) == 2


def test_two_hips_of_unknown_side_stay_two():
    assert len(combine([(finding(Side.UNKNOWN), finding(Side.UNKNOWN, 0))])) == 2


def test_graded_before_abstained():
    (kept,) = combine([(finding(brooker=None),), (finding(brooker=0),)])
    assert kept.brooker == 0


def test_ap_before_another_view():
    (kept,) = combine([(finding(brooker=4, view=View.FROG_LEG),), (finding(brooker=1),)])
    assert kept.brooker == 1


def test_worse_class_then_smaller_gap():
    films = [(finding(brooker=3, gap_mm=8.0),), (finding(),), (finding(brooker=3, gap_mm=6.0),)]
    (kept,) = combine(films)
    assert (kept.brooker, kept.gap_mm) == (3, 6.0)


def test_nothing_in_nothing_out():
    assert combine([]) == ()
    assert combine([()]) == ()
