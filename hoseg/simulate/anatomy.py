"""Skeletons: samples of a shape model, posed, with a cortical shell and the landmarks of each hip.

Patient axes, mm: +x patient left, +y posterior, +z up. The origin is midway between the centres
of the femoral heads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial.transform import Rotation

from hoseg.radiograph import Side
from hoseg.simulate.meshes import Faces, Mesh, Points, subdivision, surface_noise

SIDES = (Side.RIGHT, Side.LEFT)
OUTWARD = {Side.RIGHT: -1.0, Side.LEFT: 1.0}
"""Sign of x away from the midline."""


@dataclass(frozen=True, eq=False)
class Bone:
    """One bone: its outer surface and the border between its cortex and its inside.

    name: "pelvis", "femur" or "sacrum"
    side: of a hemipelvis or femur
    """

    name: str
    side: Side
    outer: Mesh
    inner: Mesh


@dataclass(frozen=True, eq=False)
class Hip:
    """Landmarks of one hip (mm, 3-D).

    head: centre of the femoral head; radius: of the head
    neck: unit vector from the neck into the head
    shaft: unit vector along the femoral shaft towards the knee
    trochanter, lesser: tips of the greater and the lesser trochanter
    canal: a point in the middle of the shaft
    """

    side: Side
    head: Points
    radius: float
    socket_radius: float
    neck: Points
    shaft: Points
    trochanter: Points
    lesser: Points
    canal: Points

    @property
    def outward(self) -> float:
        """Sign of x away from the midline."""
        return OUTWARD[self.side]


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Posed bones and the landmarks of both hips, right first."""

    bones: tuple[Bone, ...]
    hips: tuple[Hip, Hip]

    def bone(self, name: str, side: Side) -> Bone:
        """One bone by name and side."""
        return next(b for b in self.bones if b.name == name and b.side is side)


@dataclass(frozen=True)
class Pose:
    """Angles in degrees. Femoral angles are (right, left).

    tilt: pelvis about the left-right axis, positive = inlet
    turn: patient about the vertical axis (an oblique or Judet view is a large one)
    lean: pelvis about the front-back axis
    abduction, flexion, rotation: of the femora; rotation positive = internal
    joint_mm: width of the joint space (right, left)
    """

    tilt: float = 0.0
    turn: float = 0.0
    lean: float = 0.0
    abduction: tuple[float, float] = (0.0, 0.0)
    flexion: tuple[float, float] = (0.0, 0.0)
    rotation: tuple[float, float] = (0.0, 0.0)
    joint_mm: tuple[float, float] = (3.5, 3.5)


@dataclass(frozen=True, eq=False)
class _Model:
    """Arrays of the shape model, and matrices that subdivide its surfaces once."""

    pelvis_mean: Points
    pelvis_modes: NDArray[np.float32]
    femur_mean: Points
    femur_modes: NDArray[np.float32]
    weights: Points
    head: NDArray[np.int64]
    sockets: dict[Side, NDArray[np.int64]]
    components: tuple[tuple[NDArray[np.int64], csr_matrix, Faces], ...]
    femur_finer: csr_matrix
    femur_faces: Faces


def fit_sphere(points: Points) -> tuple[Points, float]:
    """Centre (3,) and radius of the least-squares sphere of (N, 3) points."""
    system = np.concatenate((2 * points, np.ones((len(points), 1))), axis=1)
    solution = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0]
    centre = solution[:3]
    return centre, float(np.sqrt(max(solution[3] + centre @ centre, 0)))


@lru_cache(maxsize=1)
def _model() -> _Model:
    with (
        (files("hoseg.simulate") / "data" / "llp26.npz").open("rb") as stream,
        np.load(stream) as data,
    ):
        faces = data["pelvis_faces"].astype(np.int32)
        parts = []
        for component in range(3):  # right hemipelvis, left hemipelvis, sacrum
            own = faces[data["pelvis_component"] == component]
            used, own = np.unique(own, return_inverse=True)
            matrix, finer = subdivision(own.reshape(-1, 3).astype(np.int32))
            parts.append((used.astype(np.int64), matrix, finer))
        femur_finer, femur_faces = subdivision(data["femur_faces"].astype(np.int32))
        return _Model(
            data["pelvis_mean"].astype(np.float64),
            data["pelvis_modes"].astype(np.float32),
            data["femur_mean"].astype(np.float64),
            data["femur_modes"].astype(np.float32),
            data["weights"],
            data["head"].astype(np.int64),
            {
                Side.LEFT: data["socket_left"].astype(np.int64),
                Side.RIGHT: data["socket_right"].astype(np.int64),
            },
            tuple(parts),
            femur_finer,
            femur_faces,
        )


def sample_skeleton(pose: Pose, rng: np.random.Generator) -> Skeleton:
    """Draw a person and pose them."""
    model = _model()
    spread = np.sqrt(model.weights) * rng.uniform(0.8, 1.25)
    scores = rng.normal(size=len(spread)) * spread
    size = float(rng.normal(1.0, 0.05))
    pelvis = size * (model.pelvis_mean + np.tensordot(scores, model.pelvis_modes, 1))
    sockets = {side: fit_sphere(pelvis[model.sockets[side]]) for side in SIDES}
    middle = (sockets[Side.LEFT][0] + sockets[Side.RIGHT][0]) / 2
    across = sockets[Side.LEFT][0] - sockets[Side.RIGHT][0]
    level, _ = Rotation.align_vectors([[1, 0, 0], [0, 0, 1]], [across, [0, 0, 1]])
    lean = Rotation.from_euler("xyz", (pose.tilt, pose.lean, 0), degrees=True)
    pelvis = lean.apply(level.apply(pelvis - middle))

    posed_sockets = {side: fit_sphere(pelvis[model.sockets[side]]) for side in SIDES}
    bones: list[Bone] = []
    thickness = float(rng.uniform(0.7, 1.5))
    names = (("pelvis", Side.RIGHT), ("pelvis", Side.LEFT), ("sacrum", Side.UNKNOWN))
    for (name, side), (used, finer, faces) in zip(names, model.components, strict=True):
        outer = _roughened(Mesh(finer @ pelvis[used], faces), 0.35, rng)
        if side is Side.UNKNOWN:
            shell = np.asarray(0.6 * thickness)
        else:
            shell = thickness + _sclerosis(outer.vertices, posed_sockets[side], rng)
        bones.append(Bone(name, side, outer, _inner(outer, shell, rng)))
    hips = []
    for k, side in enumerate(SIDES):
        own = scores + rng.normal(size=len(scores)) * spread * 0.15
        bone, hip = _femur(own, size, side, posed_sockets[side], _Seat(pose, k), rng)
        bones.append(bone)
        hips.append(hip)
    turn = Rotation.from_euler("z", pose.turn, degrees=True)
    return _turned(Skeleton(tuple(bones), (hips[0], hips[1])), turn)


@dataclass(frozen=True)
class _Seat:
    pose: Pose
    index: int

    @property
    def joint_mm(self) -> float:
        return self.pose.joint_mm[self.index]

    def rotation(self, side: Side) -> Rotation:
        """Rotation of the femur about the centre of its head."""
        outward = OUTWARD[side]
        pose, k = self.pose, self.index
        twist = Rotation.from_euler("z", -outward * pose.rotation[k], degrees=True)
        flex = Rotation.from_euler("x", -pose.flexion[k], degrees=True)
        spread = Rotation.from_euler("y", -outward * pose.abduction[k], degrees=True)
        return spread * flex * twist


def _femur(
    scores: Points,
    size: float,
    side: Side,
    socket: tuple[Points, float],
    seat: _Seat,
    rng: np.random.Generator,
) -> tuple[Bone, Hip]:
    """Make a femur, mirrored for the right side, with its head seated in the socket."""
    model = _model()
    points = size * (model.femur_mean + np.tensordot(scores, model.femur_modes, 1))
    head, radius = fit_sphere(points[model.head])
    points = points - head
    points *= np.clip((socket[1] - seat.joint_mm) / radius, 0.92, 1.08)
    radius = radius * float(np.clip((socket[1] - seat.joint_mm) / radius, 0.92, 1.08))
    flip = 1.0 if side is Side.LEFT else -1.0
    points = points * (flip, 1, 1)
    faces = model.femur_faces if flip > 0 else model.femur_faces[:, ::-1]
    fine = model.femur_finer @ points
    shaft_line = np.array([fine[np.abs(fine[:, 2] + z) < 8].mean(axis=0) for z in (120, 220)])
    shaft = shaft_line[1] - shaft_line[0]
    shaft /= np.linalg.norm(shaft)
    # Stand the shaft upright, 6 degrees of valgus as in standing, then pose it.
    upright, _ = Rotation.align_vectors(
        [[-flip * np.sin(np.radians(6)), 0, -np.cos(np.radians(6))], [0, 1, 0]],
        [shaft, [0, 1, 0]],
    )
    fine = upright.apply(fine)
    shaft = upright.apply(shaft)
    canal = upright.apply(shaft_line[0])
    upper = fine[:, 2] > -90
    lateral = upper & (fine[:, 0] * flip > 1.2 * radius)
    tip = np.flatnonzero(lateral)[np.argmax(fine[lateral, 2])]
    band = (fine[:, 2] < -1.6 * radius) & (fine[:, 2] > -4.2 * radius)
    on_axis = fine - np.outer((fine - fine[tip]) @ shaft, shaft)
    bulge = (on_axis - fine[tip]) @ np.array([-flip * 0.8, 0.6, 0])
    lesser = np.flatnonzero(band)[np.argmax(bulge[band])]
    base = (fine[tip] + 0.9 * shaft * radius) * (0.85, 0.5, 1) + np.array([0, 0, -0.3 * radius])
    neck = -base / np.linalg.norm(base)
    rotation = seat.rotation(side)
    centre = socket[0] + np.array([0, 0, -0.25 * seat.joint_mm])
    along_shaft = np.clip((-fine[:, 2] - 2.6 * radius) / (2 * radius), 0, 1)
    outer = _roughened(
        Mesh(np.asarray(fine), np.ascontiguousarray(faces)),
        0.3 - 0.22 * along_shaft, rng, (fine[tip], fine[lesser]),
    )  # fmt: skip
    inner = _inner(outer, _femoral_cortex(fine, (fine[lesser], radius), flip, rng), rng, 0.12)
    posed = [mesh.moved(rotation.apply(mesh.vertices) + centre) for mesh in (outer, inner)]
    landmarks = rotation.apply(np.array([neck, shaft, fine[tip], fine[lesser], canal]))
    hip = Hip(
        side, centre, radius, socket[1], landmarks[0], landmarks[1],
        landmarks[2] + centre, landmarks[3] + centre, landmarks[4] + centre,
    )  # fmt: skip
    return Bone("femur", side, *posed), hip


def _femoral_cortex(
    points: Points, hip: tuple[Points, float], flip: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Thickness (mm) of the cortex: thin over the head, thick along the shaft and the calcar.

    points: (N, 3) about the centre of the head, shaft upright
    hip: (tip of the lesser trochanter, radius of the head)
    flip: sign of x away from the midline
    """
    lesser, radius = hip
    below = np.clip((-points[:, 2] - 1.9 * radius) / (2.4 * radius), 0, 1)
    thin, thick = rng.uniform(0.8, 1.4), rng.uniform(3.5, 8.0)
    ends = np.clip((-points[:, 2] - 300) / 60, 0, 1)
    cortex = thin + (thick - thin) * below**1.5 * (1 - 0.7 * ends)
    # Calcar: the medial cortex from the lesser trochanter up to the neck is thick.
    level = np.array([-flip * 0.2 * radius, 0, 0.55 * lesser[2]])
    near = np.exp(-(((points - level) / (0.8 * radius, 0.9 * radius, 0.9 * radius)) ** 2).sum(1))
    medial = np.clip(-(points[:, 0] - lesser[0]) * flip / radius + 0.4, 0, 1)
    return np.asarray(cortex + rng.uniform(1.0, 3.0) * near * medial)


def _sclerosis(
    points: Points, socket: tuple[Points, float], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Extra cortex (mm) of the bearing roof of a socket: the sourcil."""
    away = points - socket[0]
    distance = np.linalg.norm(away, axis=1)
    upwards = away[:, 2] / np.maximum(distance, 1e-6)
    roof = np.clip((upwards - 0.45) / 0.35, 0, 1)
    close = np.exp(-(((distance - socket[1]) / 3.0) ** 2))
    return np.asarray(float(rng.gamma(2.0, 0.7)) * roof * close)


def _roughened(
    mesh: Mesh,
    amount_mm: float | NDArray[np.float64],
    rng: np.random.Generator,
    tips: tuple[Points, ...] = (),
) -> Mesh:
    """Irregular outlines, more so about the trochanters: real bone is never smooth."""
    points = mesh.vertices
    amount = np.broadcast_to(amount_mm, len(points)) * rng.uniform(0.4, 1.6)
    for tip in tips:
        distance = np.linalg.norm(points - tip, axis=1)
        amount = amount + rng.uniform(0.0, 1.8) * np.exp(-((distance / rng.uniform(8, 18)) ** 2))
    shift = amount * (surface_noise(points, 9, rng) + 1.2 * surface_noise(points, 28, rng))
    return mesh.moved(points + mesh.normals() * shift[:, None])


def _inner(
    outer: Mesh,
    thickness_mm: float | NDArray[np.float64],
    rng: np.random.Generator,
    variation: float = 0.25,
) -> Mesh:
    """Endosteal surface: the outer one moved inwards by a varying thickness."""
    # Waves are long along the body: the cortex of a shaft hardly changes from level to level.
    field = surface_noise(outer.vertices * (1, 1, 0.3), 25, rng, 12)
    depth = thickness_mm * np.clip(1 + variation * field, 0.4, 1.8)
    return outer.moved(outer.vertices - outer.normals() * depth[:, None])


def _turned(skeleton: Skeleton, turn: Rotation) -> Skeleton:
    """The whole skeleton rotated about the vertical axis."""
    bones = tuple(
        replace(
            bone,
            outer=bone.outer.moved(turn.apply(bone.outer.vertices)),
            inner=bone.inner.moved(turn.apply(bone.inner.vertices)),
        )
        for bone in skeleton.bones
    )
    hips = [
        replace(
            hip,
            **{
                name: turn.apply(getattr(hip, name))
                for name in ("head", "neck", "shaft", "trochanter", "lesser", "canal")
            },
        )
        for hip in skeleton.hips
    ]
    return Skeleton(bones, (hips[0], hips[1]))
