from dataclasses import dataclass

from hoseg.grade.combine import combine
from hoseg.radiograph import Side, View


@dataclass(frozen=True)
class Finding:
    """The part of a finding that the rule looks at."""

    side: Side = Side.LEFT
    brooker: int | None = 2
    view: View = View.AP_PELVIS
    gap_mm: float | None = 12.0
    pattern: str = "spur"
    caveats: tuple = ()


def test_both_hips_of_one_image_stay():
    assert len(combine([(Finding(Side.RIGHT), Finding(Side.LEFT))])) == 2


def test_two_hips_of_unknown_side_stay_two():
    assert len(combine([(Finding(Side.UNKNOWN), Finding(Side.UNKNOWN, 0))])) == 2


def test_graded_before_abstained():
    (kept,) = combine([(Finding(brooker=None),), (Finding(brooker=0),)])
    assert kept.brooker == 0


def test_ap_before_another_view():
    (kept,) = combine([(Finding(brooker=4, view=View.FROG_LEG),), (Finding(brooker=1),)])
    assert kept.brooker == 1


def test_worse_class_then_smaller_gap():
    films = [(Finding(brooker=3, gap_mm=8.0),), (Finding(),), (Finding(brooker=3, gap_mm=6.0),)]
    (kept,) = combine(films)
    assert (kept.brooker, kept.gap_mm) == (3, 6.0)


def test_nothing_in_nothing_out():
    assert combine([]) == ()
    assert combine([()]) == ()
