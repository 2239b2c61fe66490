import cv2
import numpy as np
import pytest

from hoseg.grade import grade, grade_masks
from hoseg.grade.uncertainty import LEVELS, thresholds

from .scene import Scene, known, opposing_boxes, read
from .shapes import Ellipse


def sure(scene, relative_sd, **options):
    return grade_masks(scene.masks(), known((0.5, 0.5), relative_sd), **options)[0]


def chances(finding, system="brooker"):
    return finding.probabilities(system)


def test_probabilities_sum_to_one_and_the_interval_holds_the_gap():
    for gap in (3.0, 9.6, 14.0):
        finding = sure(Scene(opposing_boxes(gap)), 0.036)
        for system in finding.classes:
            assert sum(finding.probabilities(system).values()) == pytest.approx(1.0)
        low, high = finding.gap_interval_mm
        assert low < finding.gap_mm < high


def test_near_the_limit_two_classes_are_likely_and_the_summary_names_both():
    finding = sure(Scene(opposing_boxes(9.5)), 0.06)
    p = chances(finding)
    assert p[2] > 0.2
    assert p[3] > 0.5
    # Draws are not calibrated: no number is put on them.
    assert finding.summary.startswith("III, perhaps II: gap 9.5 mm (")
    assert ", II because the gap's interval reaches across 10 mm" in finding.summary
    assert "%" not in finding.summary
    said = {note.code: note.text for note in finding.caveats}
    assert said["two_classes_likely"] == (
        "beside III likely as well: II, because the gap's interval reaches across 10 mm"
    )


def test_the_grey_zone_of_one_centimetre():
    """Magnification SD 3.6 % and measuring SD 0.47 mm: grey from about 8.8 to 11.2 mm."""
    outside = [
        chances(sure(Scene(opposing_boxes(gap)), 0.036, draws=1000)) for gap in (8.75, 11.25)
    ]
    assert outside[0][3] > 0.95
    assert outside[1][2] > 0.95


def test_a_wider_spacing_interval_widens_the_gap_interval():
    widths = []
    for relative_sd in (0.0, 0.03, 0.08):
        low, high = sure(Scene(opposing_boxes(12.0)), relative_sd).gap_interval_mm
        widths.append(high - low)
    assert widths == sorted(widths)
    assert widths[2] > widths[0] + 1


def test_the_same_generator_gives_the_same_draws_and_none_is_repeatable():
    scene = Scene(opposing_boxes(9.5))
    film = read(scene.masks(), known((0.5, 0.5), 0.03))
    runs = [grade(film, rng=np.random.default_rng(3)) for _ in range(2)]
    assert runs[0] == runs[1]
    assert grade(film) == grade(film) != runs[0]
    assert sure(scene, 0.03) == sure(scene, 0.03)


def test_without_draws_there_are_no_probabilities():
    finding = sure(Scene(opposing_boxes(9.5)), 0.03, draws=0)
    assert finding.brooker == 3
    assert finding.gap_interval_mm is None
    assert finding.class_probabilities == {}


def test_no_ossification_is_certain():
    assert chances(sure(Scene(), 0.05)) == {0: 1.0, 1: 0.0, 2: 0.0, 3: 0.0, 4: 0.0}


def unsure(masks, level, sharp):
    """A reading at half the resolution: bones certain, ossification up to ``level``."""
    soft = cv2.GaussianBlur((masks >> 3 & 1).astype(np.float32), (0, 0), sharp)
    half = cv2.resize(soft, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    bones = [cv2.resize(masks >> bit & 1, half.shape[::-1]) * 255 for bit in range(3)]
    values = np.stack([*bones, (half * level * 255)]).astype(np.uint8)
    return read(masks, known((0.5, 0.5)), step=2.0, found=values)


def test_a_faint_island_may_be_none():
    scene = Scene((Ellipse((70.0, -30.0), (11.0, 5.0)),))
    masks = scene.masks()
    faint = grade(unsure(masks, 0.62, 1.5))[0]
    firm = grade(unsure(masks, 1.0, 1.5))[0]
    assert faint.brooker == firm.brooker == 1
    assert 0.05 < chances(faint)[0] < 0.9
    assert chances(firm)[1] == 1.0


def test_a_blurred_network_widens_the_gap_interval():
    masks = Scene(opposing_boxes(12.0)).masks()
    widths = []
    for sharp in (0.5, 5.0):
        found = grade(unsure(masks, 1.0, sharp))[0]
        assert found.gap_mm == pytest.approx(12.0, abs=0.1)
        widths.append(np.diff(found.gap_interval_mm)[0])
    assert widths[1] > widths[0]


def test_fewer_draws_than_thresholds():
    masks = Scene(opposing_boxes(9.5)).masks()
    for draws in (1, 3):
        found = grade(unsure(masks, 1.0, 1.5), draws=draws)[0]
        assert sum(chances(found).values()) == pytest.approx(1.0)


def test_thresholds_lie_about_the_one_in_use():
    for used in (0.3, 0.5, 0.7):
        levels = thresholds(used, 1.0)
        assert levels[LEVELS // 2] == pytest.approx(used)
        assert (np.diff(levels) > 0).all()


def test_a_contact_that_may_be_superimposition_is_less_certain():
    """The same island: rooted in the ilium, touching its edge, and free of it."""
    found = [sure(Scene((Ellipse((x, -75.0), (11.0, 5.0)),)), 0.02) for x in (22.0, 30.6, 77.2)]
    assert [finding.brooker for finding in found] == [2, 2, 1]
    spur = [sum(p for grade, p in chances(finding).items() if grade > 1) for finding in found]
    assert spur[0] > 0.99
    assert 0.1 < spur[1] < 0.7
    assert spur[2] == 0.0
    assert found[1].gap_interval_mm[1] < found[1].gap_mm + 3
