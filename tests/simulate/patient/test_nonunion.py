import numpy as np
import pytest
from scipy.spatial import cKDTree

from hoseg.radiograph import Structure
from hoseg.simulate.body.anatomy import sample_skeleton
from hoseg.simulate.body.projector import Camera, check_closed, ray_lengths
from hoseg.simulate.body.skeleton import Pose
from hoseg.simulate.patient.nonunion import trochanteric_nonunion
from hoseg.simulate.patient.projection import film_camera, project
from hoseg.simulate.patient.scene import sample_scene
from hoseg.simulate.patient.settings import SceneSettings


@pytest.fixture(scope="module")
def broken():
    skeleton = sample_skeleton(Pose(), np.random.default_rng(0))
    hip = skeleton.hips[0]
    femur = skeleton.bone("femur", hip.side)
    found = [trochanteric_nonunion(femur, hip, np.random.default_rng(k)) for k in range(8)]
    return femur, hip, [piece for piece in found if piece is not None]


def test_both_pieces_are_closed_and_together_the_femur(broken):
    femur, hip, found = broken
    assert len(found) >= 6
    for piece in found:
        for mesh in (piece.femur.outer, piece.fragment.outer, piece.femur.inner):
            check_closed(mesh.faces, "piece")
        whole = piece.femur.outer.volume_mm3 + piece.fragment.outer.volume_mm3
        assert whole == pytest.approx(femur.outer.volume_mm3, rel=0.02)
        assert 1_000 < piece.fragment.outer.volume_mm3 < 40_000
        head = np.linalg.norm(piece.femur.outer.vertices - hip.head, axis=1)
        assert head.min() < hip.radius < head.max(), "the head stays on the stump"


def test_a_gap_lies_between_them(broken):
    _, _, found = broken
    for piece in found:
        used = [np.unique(bone.outer.vertices, axis=0) for bone in (piece.femur, piece.fragment)]
        nearest = cKDTree(used[0]).query(used[1])[0].min()
        assert 0.3 * piece.gap_mm - 1 < nearest < piece.gap_mm + 8


def test_the_faces_of_the_cut_are_covered_with_cortex(broken):
    _, _, found = broken
    camera = Camera((0, -1000, 0), 200, (-200, 100), 0.5, (500, 500))
    for piece in [p for p in found if p.fragment.inner.volume_mm3 > 0][:3]:
        outer, inner = (
            ray_lengths(camera, mesh.vertices, mesh.faces)
            for mesh in (piece.fragment.outer, piece.fragment.inner)
        )
        inside = inner > 0.5
        assert inside.any()
        assert (outer[inside] >= inner[inside] - 1.5).mean() > 0.99
        assert outer.sum() > 1.1 * inner.sum()


def test_the_fragment_is_labelled_femur_and_no_ossification():
    settings = SceneSettings(
        brooker={"0": 1.0}, nonunions=1.0, views={"ap_pelvis": 1.0}, implants={"none": 1.0}
    )
    scene = sample_scene(settings, np.random.default_rng(3))
    layers = project(scene, 1.0)
    camera = film_camera(scene, 1.0)
    assert not (layers.masks & np.uint8(Structure.OSSIFICATION)).any()
    for hip in scene.hips:
        assert hip.nonunion is not None
        middle = np.median(hip.nonunion.fragment.outer.vertices, axis=0)
        spread = np.unique(hip.nonunion.fragment.outer.vertices, axis=0)
        row, column = np.round(camera.to_pixels(spread.mean(axis=0)[None])[0]).astype(int)
        assert layers.masks[row, column] & Structure.FEMUR
        assert np.linalg.norm(middle - hip.hip.head) > hip.hip.radius
