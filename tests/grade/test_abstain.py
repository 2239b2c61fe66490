"""Every reason not to grade, and masks of every kind without a crash."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hoseg.errors import SettingError
from hoseg.grade import REASONS, GradeSettings, HipFinding, grade_masks
from hoseg.radiograph import Geometry, Orientation, Side, Spacing, SpacingSource

from .phantoms import FEMUR, IMPLANT, OSSIFICATION, PELVIS
from .scene import TIP, Scene, known, opposing_boxes
from .shapes import Capsule, Ellipse, Pose, disc

HALF = known((0.5, 0.5))


def only(masks, geometry=HALF, **options):
    (finding,) = grade_masks(masks, geometry, draws=0, **options)
    return finding


def test_nothing_no_femur_no_pelvis():
    masks = Scene(opposing_boxes(8.0)).masks()
    assert only(np.zeros_like(masks)).abstained == "no_hip"
    assert only(masks & ~np.uint8(FEMUR)).abstained == "no_femur"
    assert only(masks & ~np.uint8(PELVIS)).abstained == "no_pelvis"
    assert only(np.zeros_like(masks), Geometry(side=Side.LEFT)).side is Side.LEFT


def test_a_pelvis_far_away_is_no_pelvis():
    masks = Scene(opposing_boxes(8.0)).masks()
    bare = masks & ~np.uint8(PELVIS)
    far = np.pad(bare, ((0, 0), (0, 600)))
    far[50:150, -60:-5] |= PELVIS
    assert only(far).abstained == "no_pelvis"


def test_a_hip_cut_by_the_film_says_what_is_missing_and_what_is_certain():
    masks = Scene(opposing_boxes(8.0)).masks()
    lateral = only(np.ascontiguousarray(masks[:, : 2 * (90 + 50)]))
    assert lateral.abstained == "cropped_hip"
    assert "trochanter" in lateral.abstained_because
    above = only(np.ascontiguousarray(masks[120:]))
    assert above.abstained == "cropped_hip"
    assert "ilium" in above.abstained_because
    assert above.brooker is None
    assert above.at_least == 3
    assert "at least III" in above.summary
    assert set(above.classes.values()) == {None}


def test_at_least_the_worst_class_is_that_class():
    bridge = Capsule((0.0, -40.0), (TIP[0], TIP[1] + 8.0), 4.0)
    masks = Scene((bridge,)).masks()
    above = only(np.ascontiguousarray(masks[120:]))
    assert (above.abstained, above.brooker, above.at_least) == (None, 4, None)
    assert "cropped_hip" in above.provisional
    assert "part of the hip is outside the picture" in above.summary
    assert "partly_seen" in [note.code for note in above.caveats]


@pytest.mark.parametrize("spurs", [(), opposing_boxes(12.0)])
def test_a_joint_that_is_half_outside_is_not_graded_whether_or_not_ossification_is_seen(spurs):
    masks = Scene(spurs).masks()
    half = only(np.ascontiguousarray(masks[:, : 2 * 90]))
    assert half.brooker is None
    assert half.abstained in ("cropped_hip", "no_femoral_head")


def test_a_hip_cut_by_the_collimator():
    masks = Scene(opposing_boxes(12.0)).masks()
    field = np.zeros(masks.shape, bool)
    field[:, : 2 * (90 + 52)] = True
    assert only(np.where(field, masks, 0).astype(np.uint8), field=field).abstained == "cropped_hip"
    assert only(masks, field=np.ones_like(field)).gap_mm == pytest.approx(12.0, abs=0.3)


def test_a_sliver_of_a_femur_is_cropped_even_where_the_field_is_not_known():
    masks = Scene().masks()
    masks[:, 2 * 108 :] = 0  # the collimator cut through the head; the film goes on in black
    masks[2 * 135 :] = 0
    assert only(masks).abstained == "cropped_hip"


def test_without_calibration_only_millimetre_rules_are_left_out():
    spurs = only(Scene(opposing_boxes(8.0)).masks(), Geometry())
    assert spurs.abstained == "no_calibration"
    assert (spurs.at_least, spurs.gap_mm) == (2, None)
    assert spurs.gap_px == pytest.approx(16.0, abs=0.1)
    assert spurs.spacing_source == "none"
    bridge = only(Scene(opposing_boxes(0.0)).masks(), Geometry())
    assert (bridge.abstained, bridge.brooker, bridge.della_valle) == (None, 4, "C")
    nothing = only(Scene().masks(), Geometry())
    assert (nothing.abstained, nothing.brooker, nothing.della_valle) == (None, 0, "A")
    island = only(Scene((Ellipse((70.0, -30.0), (9.0, 4.0)),)).masks(), Geometry())
    assert (island.abstained, island.brooker, island.della_valle) == (None, 1, None)
    assert island.components[0].area_mm2 is None
    assert island.components[0].area_px > 100


def test_an_implant_over_the_region():
    plate = Ellipse((35.0, -18.0), (34.0, 26.0))
    finding = Scene(opposing_boxes(12.0), implant=(plate,)).grade()
    assert finding.abstained == "implant_hides_region"


def test_no_head():
    scene = Scene(opposing_boxes(12.0))
    masks = scene.masks()
    rows, columns = np.mgrid[: masks.shape[0], : masks.shape[1]]
    gone = np.hypot(rows / 2 - 100, columns / 2 - 90) < 52
    masks[gone] &= ~np.uint8(FEMUR)
    finding = only(masks)
    assert finding.abstained in ("no_femoral_head", "cropped_hip")
    clean = only(masks & ~np.uint8(OSSIFICATION))
    assert (clean.brooker, clean.abstained) == (None, finding.abstained)
    assert finding.landmarks.head_source == "none"


def test_a_prosthetic_head_gives_the_joint_and_a_ball_does_not():
    scene = Scene(opposing_boxes(12.0))
    ball = Scene(opposing_boxes(12.0), implant=(disc(-60, 75, 12.5),))
    assert ball.grade().landmarks.head_source == "femur"
    masks = scene.masks()
    rows, columns = np.mgrid[: masks.shape[0], : masks.shape[1]]
    near = np.hypot(rows / 2 - 100, columns / 2 - 90) < 30
    masks[near] &= ~np.uint8(FEMUR)
    metal = Scene(implant=(disc(0, 0, 16), Capsule((0, 0), (45, 50), 6))).masks()
    masks |= metal & IMPLANT
    finding = only(masks)
    assert finding.landmarks.head_source == "implant"
    assert finding.landmarks.head_radius_mm == pytest.approx(16, abs=0.5)
    assert finding.brooker == 2


@settings(max_examples=25)
@given(
    arrays(
        np.uint8, st.tuples(st.integers(16, 60), st.integers(16, 60)), elements=st.integers(0, 15)
    ),
    st.sampled_from([Geometry(), HALF, known((5.0, 3.0)), known((0.05, 0.06))]),
)
def test_noise_never_crashes(masks, spacing):
    for finding in grade_masks(masks, spacing, draws=5):
        assert finding.abstained is None or finding.abstained in REASONS
        assert HipFinding.model_validate_json(finding.model_dump_json()).side is finding.side


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), spacing=st.sampled_from([Geometry(), HALF]))
def test_battered_masks_never_crash(seed, spacing):
    rng = np.random.default_rng(seed)
    angle = rng.uniform(-3.1, 3.1)
    masks = (
        Scene(opposing_boxes(9.0), size=(210, 190)).masks()
        if seed % 2
        else Scene((Capsule((0, -40), (60, 0), 4),)).masks(pose=Pose(angle=angle))
    )
    for _ in range(rng.integers(1, 12)):
        r, c = rng.integers(0, masks.shape[0]), rng.integers(0, masks.shape[1])
        h, w = rng.integers(1, 120, 2)
        bit = np.uint8(rng.integers(1, 16))
        if rng.random() < 0.6:
            masks[r : r + h, c : c + w] &= ~bit
        else:
            masks[r : r + h // 4, c : c + w // 4] |= bit
    masks[rng.random(masks.shape) < 0.002] ^= np.uint8(rng.integers(1, 16))
    for finding in grade_masks(masks, spacing, draws=5):
        assert finding.abstained is None or finding.abstained in REASONS
        assert HipFinding.model_validate_json(finding.model_dump_json()).side is finding.side


def test_holes_and_specks_of_a_network_do_not_matter():
    masks = Scene(opposing_boxes(12.0)).masks()
    base = only(masks)
    rng = np.random.default_rng(0)
    for _ in range(60):
        r, c = rng.integers(0, masks.shape[0] - 4), rng.integers(0, masks.shape[1] - 4)
        block = masks[r : r + 3, c : c + 3]
        if not (block & 8).any():
            block ^= np.uint8(rng.choice([PELVIS, FEMUR]))
    found = only(masks)
    assert found.brooker == base.brooker
    assert found.gap_mm == pytest.approx(base.gap_mm, abs=0.5)


def test_upside_down():
    masks = np.ascontiguousarray(Scene(opposing_boxes(12.0)).masks()[::-1])
    upside_down = Orientation(rows_to_feet=False, source="attribute")
    finding = only(masks, known((0.5, 0.5), orientation=upside_down))
    assert (finding.brooker, finding.side) == (2, Side.LEFT)


@pytest.mark.parametrize(
    ("masks", "words"),
    [
        (np.zeros((50, 50), np.float32), "float32"),
        (np.zeros((50, 50, 3), np.uint8), r"\(50, 50, 3\)"),
        (np.zeros((5, 50), np.uint8), r"\(5, 50\)"),
        (np.full((50, 50), 16, np.uint8), "16"),
        ([[0, 1]], "list"),
    ],
)
def test_wrong_masks(masks, words):
    with pytest.raises(SettingError, match=words):
        grade_masks(masks, HALF)


def test_wrong_companions():
    masks = np.zeros((50, 60), np.uint8)
    with pytest.raises(SettingError, match="image shape"):
        grade_masks(masks, HALF, image=np.zeros((60, 50)))
    with pytest.raises(SettingError, match="field shape"):
        grade_masks(masks, HALF, field=np.zeros((50, 61), bool))
    with pytest.raises(SettingError, match="draws"):
        grade_masks(masks, HALF, draws=-1)


@pytest.mark.parametrize("value", [0.0, -0.1, np.nan, np.inf])
def test_wrong_spacing(value):
    with pytest.raises(SettingError, match="row_mm"):
        Spacing(value, 0.2, 0.0, SpacingSource.USER)


def test_wrong_settings():
    with pytest.raises(SettingError, match="floor_mm2"):
        GradeSettings(floor_mm2=-1)
    with pytest.raises(SettingError, match="joint_zone"):
        GradeSettings(joint_zone=0.9)
    with pytest.raises(SettingError, match="attach_mm"):
        GradeSettings(attach_mm=0)


def test_a_hole_in_the_field_is_no_crop():
    scene = Scene(opposing_boxes(12.0))
    masks = scene.masks()
    plain = only(masks)
    row, column = (round(x) for x in plain.landmarks.head_px)
    field = np.ones(masks.shape, bool)
    field[row - 30 : row + 30, column - 30 : column + 30] = False
    found = only(masks, field=field)
    assert found.abstained is None
    assert found.gap_mm == pytest.approx(plain.gap_mm, abs=0.01)


def test_a_false_piece_outside_the_field_does_not_crop_the_hip():
    masks = Scene(opposing_boxes(12.0), size=(210.0, 250.0)).masks()
    plain = only(masks)
    field = np.ones(masks.shape, bool)
    field[:, 420:] = False
    masks[20:330, 430:495] |= 2
    found = only(masks, field=field)
    assert found.abstained is None
    assert found.gap_mm == pytest.approx(plain.gap_mm, abs=0.01)
