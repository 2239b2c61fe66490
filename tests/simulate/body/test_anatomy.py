import numpy as np
import pytest
from scipy import ndimage

from hoseg.radiograph import Side
from hoseg.simulate.body.anatomy import sample_skeleton
from hoseg.simulate.body.projector import Camera, check_closed, ray_lengths
from hoseg.simulate.body.skeleton import SIDES, Pose, fit_sphere

NEUTRAL = Pose()


@pytest.fixture(scope="module")
def people():
    return [sample_skeleton(NEUTRAL, np.random.default_rng(k)) for k in range(6)]


def test_fit_sphere_recovers_a_sphere():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 3))
    points = 24 * points / np.linalg.norm(points, axis=1, keepdims=True) + [5, -3, 80]
    centre, radius = fit_sphere(points)
    np.testing.assert_allclose(centre, [5, -3, 80], atol=1e-6)
    assert radius == pytest.approx(24)


def test_every_bone_is_closed_and_has_bone_inside_its_cortex(people):
    for bone in people[0].bones:
        check_closed(bone.outer.faces, bone.name)
        check_closed(bone.inner.faces, bone.name)
        assert bone.outer.volume_mm3 > bone.inner.volume_mm3 > 0


def test_heads_sit_in_their_sockets(people):
    for person in people:
        for hip in person.hips:
            assert 18 < hip.radius < 33
            assert hip.radius < hip.socket_radius
            pelvis = person.bone("pelvis", hip.side).outer.vertices
            space = np.linalg.norm(pelvis - hip.head, axis=1).min() - hip.radius
            assert -3 < space < 8, (hip.side, space)


def test_sides_and_directions(people):
    for person in people:
        right, left = person.hips
        assert (right.side, left.side) == SIDES
        assert right.head[0] < 0 < left.head[0]
        assert 140 < left.head[0] - right.head[0] < 240
        for hip in person.hips:
            assert hip.outward * (hip.trochanter - hip.head)[0] > 20, "trochanters lie outside"
            assert hip.lesser[2] < hip.trochanter[2], "the lesser trochanter is the lower one"
            assert hip.shaft[2] < -0.9, "shafts run down"
            assert hip.outward * hip.neck[0] < 0, "necks point to the middle"


def test_abduction_moves_the_knee_outwards_and_flexion_forwards():
    def knee(pose, side):
        person = sample_skeleton(pose, np.random.default_rng(3))
        return person.hips[SIDES.index(side)].shaft

    plain = knee(NEUTRAL, Side.LEFT)
    assert knee(Pose(abduction=(0, 30)), Side.LEFT)[0] > plain[0] + 0.3
    assert knee(Pose(flexion=(0, 40)), Side.LEFT)[1] < plain[1] - 0.3
    assert knee(Pose(abduction=(30, 0)), Side.RIGHT)[0] < -0.3


def test_internal_rotation_lengthens_the_neck_on_the_film():
    def neck_seen(turn):
        person = sample_skeleton(Pose(rotation=(turn, turn)), np.random.default_rng(3))
        return [np.hypot(hip.neck[0], hip.neck[2]) for hip in person.hips]

    for outside, inside in zip(neck_seen(-35), neck_seen(10), strict=True):
        assert inside > outside + 0.1


def test_same_seed_same_person():
    first, second = (sample_skeleton(NEUTRAL, np.random.default_rng(9)) for _ in range(2))
    for a, b in zip(first.bones, second.bones, strict=True):
        assert a.outer.vertices.tobytes() == b.outer.vertices.tobytes()


def test_the_iliac_wing_never_turns_inside_out():
    camera = Camera((0, -1000, 0), 150, (-260, 200), 1.2, (360, 420))
    for seed in (0, 4, 5, 9, 14, 23):
        person = sample_skeleton(NEUTRAL, np.random.default_rng([77, seed]))
        for side in SIDES:
            mesh = person.bone("pelvis", side).outer
            length = ray_lengths(camera, mesh.vertices, mesh.faces)
            assert (length < -0.2).sum() < 20
            holes = ndimage.binary_fill_holes(length > 0.25) & (length <= 0.25)
            pieces, _ = ndimage.label(holes)
            assert (np.bincount(pieces.ravel())[1:] > 15).sum() <= 1, "the obturator foramen alone"
