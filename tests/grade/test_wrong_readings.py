"""How wrong readings happen, each with a case that must not go wrong."""

import numpy as np
import pytest

from hoseg.grade import grade_masks
from hoseg.grade.bones import prepare_bones
from hoseg.grade.finding import HipFinding
from hoseg.grade.hips import find_hips
from hoseg.radiograph import split_layers

from .phantoms import FEMUR, IMPLANT, OSSIFICATION, PELVIS
from .scene import ANATOMY, TIP, Scene, island, known, opposing_boxes
from .shapes import Capsule, Ellipse, disc, paint


def codes(finding: HipFinding):
    return [note.code for note in finding.caveats]


def test_an_osteophyte_belongs_to_its_bone():
    from dataclasses import replace

    grown = replace(
        ANATOMY,
        pelvis=(*ANATOMY.pelvis, Capsule((15.0, -22.0), (34.0, -10.0), 3.0)),
        femur=(*ANATOMY.femur, Capsule(TIP, (TIP[0] + 2, TIP[1] - 9), 2.5)),
    )
    finding = Scene(anatomy=grown).grade()
    assert (finding.brooker, finding.gap_mm) == (0, None)


def test_cement_and_metal_are_not_ossification_and_no_end_of_a_gap():
    upper, _ = opposing_boxes(10.0)
    screw = Capsule((TIP[0], TIP[1] - 20), (TIP[0], TIP[1] - 12), 2.0)
    without = Scene((upper,)).grade()
    with_screw = Scene((upper,), implant=(screw,)).grade()
    assert with_screw.brooker == without.brooker
    assert with_screw.gap_mm == pytest.approx(without.gap_mm, abs=0.01)
    assert Scene(implant=(screw, disc(70, -20, 6))).grade().brooker == 0


def test_a_gap_ends_beside_the_metal_not_under_it():
    spur = Capsule((0.0, -50.0), (TIP[0], TIP[1] - 12.0), 3.0)
    plate = Ellipse((TIP[0], TIP[1] + 2.0), (9.0, 7.0))
    bare = Scene((spur,)).grade()
    scene = Scene((spur,), implant=(plate,))
    plated = scene.grade()
    assert bare.gap_mm == pytest.approx(9.0, abs=0.5)
    assert plated.gap_mm > bare.gap_mm + 0.5
    row, column = plated.gap_points_px[1]
    assert not scene.masks()[round(row), round(column)] & IMPLANT


def test_phleboliths_and_specks_are_below_the_floor():
    specks = tuple(disc(x, y, 1.6) for x, y in ((60, -30), (66, -20), (70, 0), (-20, 52)))
    finding = Scene(specks).grade((0.25, 0.25))
    assert finding.brooker == 0
    assert len(finding.components) == 4
    assert {component.excluded for component in finding.components} == {"below_size_floor"}
    assert "not_graded" in codes(finding)


def test_bowel_contents_inside_the_pelvis_are_left_out():
    finding = Scene((Ellipse((-70.0, -25.0), (9.0, 7.0)),)).grade()
    assert finding.brooker == 0
    assert finding.components[0].excluded == "inside_pelvis"


def test_a_vascular_calcification_down_the_thigh_is_left_out():
    scene = Scene((Capsule((10.0, 150.0), (12.0, 180.0), 2.0),), size=(320.0, 190.0))
    finding = scene.grade()
    assert finding.brooker == 0
    assert finding.components[0].excluded == "far_from_hip"


def test_the_native_joint_is_no_gap():
    rim_spur = Capsule((18.0, -20.0), (31.0, -13.0), 3.0)
    finding = Scene((rim_spur,)).grade()
    assert finding.components[0].attached_to == ("pelvis",)
    assert finding.brooker in (2, 3)
    centre = np.array(finding.landmarks.head_px)
    for end in finding.gap_points_px:
        distance_px = np.hypot(*(np.array(end) - centre))
        assert distance_px >= 1.2 * finding.landmarks.head_radius_px - 1e-6


def test_an_ossification_over_the_head_is_not_attached_to_the_femur():
    over_head = Ellipse((6.0, -10.0), (9.0, 5.0))
    finding = Scene((over_head,)).grade()
    assert finding.components[0].attached_to == ("pelvis",)
    assert finding.pattern == "spur"
    assert "contact_by_overlap" in codes(finding)


def test_superimposition_is_called_iv_only_with_a_warning():
    across = Ellipse((30.0, 12.0), (26.0, 5.0), 0.2)
    finding = Scene((across,)).grade()
    assert finding.brooker == 4
    assert {"bridge_or_superimposition", "contact_by_overlap"} <= set(codes(finding))


def test_one_stray_pixel_changes_no_class():
    masks = Scene(opposing_boxes(10.5)).masks((0.5, 0.5))
    base = grade_masks(masks, known((0.5, 0.5)), draws=0)[0]
    upper, lower = base.gap_points_px
    row, column = round((upper[0] + lower[0]) / 2), round(upper[1])
    for bit in (PELVIS, FEMUR, OSSIFICATION):
        for r in (round(upper[0] + 0.6), row, round(lower[0] - 0.6)):
            stray = masks.copy()
            stray[r, column] |= bit
            found = grade_masks(stray, known((0.5, 0.5)), draws=0)[0]
            assert found.brooker == base.brooker
            assert found.gap_mm == pytest.approx(base.gap_mm, abs=0.5)


def test_a_hair_of_pixels_bridges_nothing():
    masks = Scene(opposing_boxes(8.0)).masks((0.2, 0.2))
    upper, lower = grade_masks(masks, known((0.2, 0.2)), draws=0)[0].gap_points_px
    masks[round(upper[0]) : round(lower[0]) + 1, round(upper[1])] |= OSSIFICATION
    finding = grade_masks(masks, known((0.2, 0.2)), draws=0)[0]
    assert finding.brooker == 3
    assert finding.gap_mm == pytest.approx(8.0, abs=0.3)


def test_a_spur_in_pieces_is_one_spur():
    x, y = TIP[0], TIP[1] - 3.0
    whole = Scene((Capsule((x, y + 8), (x, y - 18), 3.0),)).grade()
    pieces = Scene(
        (Capsule((x, y + 8), (x, y - 2), 3.0), Capsule((x, y - 8.9), (x, y - 18), 3.0))
    ).grade()
    assert [component.lesion for component in pieces.components] == [0, 0]
    assert pieces.brooker == whole.brooker
    assert pieces.gap_mm == pytest.approx(whole.gap_mm, abs=0.2)


def test_islands_and_a_spur_give_the_worse_class():
    finding = Scene((*opposing_boxes(12.0), island(25.0, at=(85.0, -40.0)))).grade()
    assert finding.brooker == 2


def test_an_island_far_lateral_of_the_trochanter_is_about_the_hip():
    finding = Scene((Ellipse((108.0, 95.0), (8.0, 4.0)),), size=(210.0, 260.0)).grade()
    assert finding.brooker == 1
    assert finding.components[0].excluded == ""


def test_a_dark_band_across_the_film_keeps_the_femurs_apart():
    masks = np.zeros((600, 600), np.uint8)
    for x in (70.0, 230.0):
        paint(masks, Ellipse((x, 80.0), (26.0, 30.0)), (0.5, 0.5), FEMUR)
        paint(masks, Capsule((x, 160.0), (x + 10.0, 240.0), 11.0), (0.5, 0.5), FEMUR)
    hips = find_hips(prepare_bones(split_layers(masks), masks.shape, (0.5, 0.5), None))
    assert [len(hip.outlines) for hip in hips] == [2, 2]
