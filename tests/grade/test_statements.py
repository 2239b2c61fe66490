"""What the papers say, as masks."""

import pytest

from hoseg.radiograph import View
from hoseg.words import VIEWS

from .scene import TIP, Scene, island, opposing_boxes
from .shapes import Capsule, Ellipse


@pytest.mark.parametrize(
    ("gap_mm", "brooker", "della_valle"),
    [(12.0, 2, "B"), (10.5, 2, "B"), (10.0, 2, "B"), (9.5, 3, "C"), (5.0, 3, "C"), (2.0, 3, "C")],
)
def test_one_centimetre_divides_ii_from_iii(gap_mm, brooker, della_valle):
    finding = Scene(opposing_boxes(gap_mm)).grade()
    assert finding.gap_mm == pytest.approx(gap_mm, abs=0.01)
    assert (finding.brooker, finding.della_valle) == (brooker, della_valle)
    assert finding.pattern == "opposing_spurs"


def test_exactly_ten_millimetres_is_ii_at_other_spacings():
    for spacing in ((0.25, 0.25), (0.5, 0.25), (0.1, 0.1)):
        assert Scene(opposing_boxes(10.0)).grade(spacing).brooker == 2


def test_no_ossification():
    finding = Scene().grade()
    assert (finding.brooker, finding.della_valle, finding.pattern) == (0, "A", "none")
    assert finding.gap_mm is None
    assert finding.classes["schmidt_hackenbroch"] == "0"


@pytest.mark.parametrize(
    ("length_mm", "della_valle"), [(8.0, "A"), (9.5, "A"), (10.6, "B"), (30.0, "B")]
)
def test_islands_are_i_and_their_length_divides_a_from_b(length_mm, della_valle):
    finding = Scene((island(length_mm),)).grade((0.2, 0.2))
    assert (finding.brooker, finding.della_valle) == (1, della_valle)


def test_an_island_of_exactly_ten_millimetres_takes_the_milder_class():
    from hoseg.grade.measure import Quantities
    from hoseg.grade.rules import DELLA_VALLE, decide

    for length, grade in ((9.99, "A"), (10.0, "A"), (10.004, "A"), (10.01, "B")):
        numbers = Quantities(ossifications=1, longest_island_mm=length, longest_mm=length)
        assert DELLA_VALLE.rules[int(decide(DELLA_VALLE, numbers.arrays())[0])].grade == grade


def test_a_large_island_near_both_bones_is_i_and_b():
    between = Ellipse((36.0, -10.0), (7.5, 3.0), 0.6)
    finding = Scene((between,)).grade((0.25, 0.25))
    (component,) = finding.components
    assert component.attached_to == ()
    assert component.distance_to_pelvis_mm < 10
    assert component.distance_to_femur_mm < 10
    assert (finding.brooker, finding.della_valle) == (1, "B")
    assert "large_island" in [note.code for note in finding.caveats]


def test_a_bridge_is_iv_and_says_that_it_may_be_superimposition():
    bridge = Capsule((0.0, -40.0), (TIP[0], TIP[1] + 8.0), 4.0)
    finding = Scene((bridge,)).grade()
    assert (finding.brooker, finding.della_valle) == (4, "C")
    assert (finding.pattern, finding.extent, finding.gap_mm) == ("bridge", "bridging", 0.0)
    codes = [note.code for note in finding.caveats]
    assert codes[0] == "bridge_or_superimposition"
    assert "contact_by_overlap" in codes


def test_two_spurs_in_contact_are_a_bridge():
    finding = Scene(opposing_boxes(1.0)).grade()
    assert (finding.brooker, finding.pattern) == (4, "bridge")


@pytest.mark.parametrize(
    ("at", "region"), [((70.0, -25.0), 3), ((80.0, 40.0), 1), ((84.0, TIP[1]), 2)]
)
def test_schmidt_hackenbroch_regions(at, region):
    finding = Scene((island(14.0, at=at, angle=1.5),)).grade()
    assert finding.classes["schmidt_hackenbroch"] == f"{region}B"


def test_filled_fraction_grows_as_the_gap_closes():
    fractions = [Scene(opposing_boxes(gap)).grade().filled_fraction for gap in (14.0, 9.0, 4.0)]
    assert 0 < fractions[0] < fractions[1] < fractions[2] < 1


@pytest.mark.parametrize("system", ["mavrogenis", "biplanar", "schuh_zeiler"])
def test_systems_that_need_another_view_say_so(system):
    finding = Scene(opposing_boxes(5.0)).grade()
    assert system not in finding.classes
    assert "view" in finding.not_derivable[system]


@pytest.mark.parametrize("view", [View.FROG_LEG, View.CROSS_TABLE, View.JUDET])
def test_other_views_are_provisional(view):
    finding = Scene(opposing_boxes(5.0)).grade(view=view)
    assert finding.brooker == 3
    assert finding.provisional == ("view_not_ap",)
    assert finding.summary.endswith(f"(provisional: {VIEWS[view]})")
    assert "_" not in finding.summary
    (caveat,) = [note.text for note in finding.caveats if note.code == "view_not_ap"]
    assert caveat.endswith(VIEWS[view])
    assert Scene().grade(view=View.AP_HIP).provisional == ()


def test_a_view_that_nothing_states_is_provisional():
    finding = Scene(opposing_boxes(5.0)).grade(view=View.UNKNOWN)
    assert finding.brooker == 3
    assert finding.provisional == ("view_unknown",)
    assert finding.summary.endswith("(provisional: view not stated)")
    assert "view_unknown" in [note.code for note in finding.caveats]
