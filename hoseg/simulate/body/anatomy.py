"""Skeletons: one person of an anatomy source, posed, with a cortical shell and landmarks.

The origin is midway between the centres of the sockets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from hoseg.radiograph import Side
from hoseg.simulate.body.cortex import (
    Density,
    femoral_cortex,
    inner,
    roughened,
    sample_density,
    socket_cortex,
)
from hoseg.simulate.body.llp26 import Llp26
from hoseg.simulate.body.meshes import Mesh, Points
from hoseg.simulate.body.skeleton import (
    OUTWARD,
    SIDES,
    AnatomySource,
    Bone,
    HipJoint,
    Pose,
    Skeleton,
    Sphere,
)

_ROUGHNESS_MM = 0.35


def sample_skeleton(
    pose: Pose, rng: np.random.Generator, source: AnatomySource | None = None
) -> Skeleton:
    """Draw a person and pose them.

    source: where people come from; the LLP26 shape model by default
    """
    person = (source or Llp26()).sample(rng)
    density = sample_density(rng)
    centres = {side: person.sockets[side][0] for side in SIDES}
    middle = (centres[Side.LEFT] + centres[Side.RIGHT]) / 2
    across = centres[Side.LEFT] - centres[Side.RIGHT]
    up = np.array([0.0, 0.0, 1.0])
    level, _ = Rotation.align_vectors(
        np.array([[1.0, 0.0, 0.0], up]), np.stack([across / np.linalg.norm(across), up])
    )
    lie = Rotation.from_euler("xyz", (pose.tilt, pose.lean, 0), degrees=True) * level
    sockets: dict[Side, Sphere] = {
        side: (lie.apply(centres[side] - middle), person.sockets[side][1]) for side in SIDES
    }
    bones: list[Bone] = []
    hips: list[HipJoint] = []
    for k, side in enumerate(SIDES):
        mesh = person.pelvis[side]
        rough = np.clip(person.thickness.get(side, np.array(12.0)) / 8, 0, 1) ** 2
        outer = roughened(mesh.moved(lie.apply(mesh.vertices - middle)), _ROUGHNESS_MM * rough, rng)
        shell = socket_cortex(outer.vertices, sockets[side], density)
        bones.append(Bone("pelvis", side, outer, inner(outer, shell, rng)))
        femur, hip = seat_femur(
            person.femora[side], person.heads[side], sockets[side], Seat(pose, k), density, rng
        )
        bones.append(femur)
        hips.append(hip)
    if person.sacrum is not None:
        mesh = person.sacrum
        outer = roughened(mesh.moved(lie.apply(mesh.vertices - middle)), _ROUGHNESS_MM, rng)
        shell = np.full(len(outer.vertices), 0.6 * density.pelvis_mm)
        bones.append(Bone("sacrum", Side.UNKNOWN, outer, inner(outer, shell, rng)))
    turn = Rotation.from_euler("z", pose.turn, degrees=True)
    return _turned(Skeleton(tuple(bones), (hips[0], hips[1])), turn)


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
    right, left = (
        replace(
            hip,
            head=turn.apply(hip.head),
            neck=turn.apply(hip.neck),
            shaft=turn.apply(hip.shaft),
            trochanter=turn.apply(hip.trochanter),
            lesser=turn.apply(hip.lesser),
            canal=turn.apply(hip.canal),
        )
        for hip in skeleton.hips
    )
    return Skeleton(bones, (right, left))


@dataclass(frozen=True)
class Seat:
    """How one femur sits: the pose, and which side of it (0 right, 1 left)."""

    pose: Pose
    index: int

    @property
    def joint_mm(self) -> float:
        """Width of the joint space."""
        return self.pose.joint_mm[self.index]

    def rotation(self, side: Side) -> Rotation:
        """Rotation of the femur about the centre of its head."""
        outward = OUTWARD[side]
        pose, k = self.pose, self.index
        twist = Rotation.from_euler("z", -outward * pose.rotation[k], degrees=True)
        flex = Rotation.from_euler("x", -pose.flexion[k], degrees=True)
        spread = Rotation.from_euler("y", -outward * pose.abduction[k], degrees=True)
        return spread * flex * twist


def seat_femur(
    mesh: Mesh,
    head: Sphere,
    socket: Sphere,
    seat: Seat,
    density: Density,
    rng: np.random.Generator,
) -> tuple[Bone, HipJoint]:
    """A femur with its head in the socket, posed, and the landmarks of the hip."""
    side = SIDES[seat.index]
    flip = OUTWARD[side]
    factor = float(np.clip((socket[1] - seat.joint_mm) / head[1], 0.92, 1.08))
    radius = factor * head[1]
    points, found = _landmarks((mesh.vertices - head[0]) * factor, radius, flip)
    below = np.clip((-points[:, 2] - 2.6 * radius) / (2 * radius), 0, 1)
    outer = roughened(mesh.moved(points), 0.3 - 0.22 * below, rng, (found.trochanter, found.lesser))
    shell = femoral_cortex(points, found.lesser, radius, flip, density)
    surfaces = (outer, inner(outer, shell, rng, 0.12))
    turn = seat.rotation(side)
    centre = socket[0] + np.array([0, 0, -0.25 * seat.joint_mm])
    posed = [part.moved(turn.apply(part.vertices) + centre) for part in surfaces]
    hip = HipJoint(
        side, centre, radius, socket[1], turn.apply(found.neck), turn.apply(found.shaft),
        turn.apply(found.trochanter) + centre, turn.apply(found.lesser) + centre,
        turn.apply(found.canal) + centre,
    )  # fmt: skip
    return Bone("femur", side, *posed), hip


@dataclass(frozen=True, eq=False)
class _Landmarks:
    """Of a femur about the centre of its head."""

    neck: Points
    shaft: Points
    trochanter: Points
    lesser: Points
    canal: Points


def _landmarks(points: Points, radius: float, flip: float) -> tuple[Points, _Landmarks]:
    """Stand a femur (N, 3) upright and find its landmarks."""
    reach = float(-points[:, 2].min())
    levels = (min(120.0, 0.5 * reach), min(220.0, 0.85 * reach))
    line = np.array([points[np.abs(points[:, 2] + z) < 8].mean(axis=0) for z in levels])
    shaft = line[1] - line[0]
    shaft /= np.linalg.norm(shaft)
    # 6 degrees of valgus, as in standing.
    valgus = np.array([-flip * np.sin(np.radians(6)), 0, -np.cos(np.radians(6))])
    backwards = np.array([0.0, 1.0, 0.0])
    upright, _ = Rotation.align_vectors(np.stack([valgus, backwards]), np.stack([shaft, backwards]))
    points, shaft, canal = (upright.apply(p) for p in (points, shaft, line[0]))
    lateral = np.flatnonzero((points[:, 2] > -90) & (points[:, 0] * flip > 1.2 * radius))
    tip = points[lateral[np.argmax(points[lateral, 2])]]
    band = points[(points[:, 2] < -1.6 * radius) & (points[:, 2] > -4.2 * radius)]
    bulge = (band - np.outer((band - tip) @ shaft, shaft) - tip) @ [-flip * 0.8, 0.6, 0]
    lesser = band[np.argmax(bulge)]
    base = (tip + 0.9 * shaft * radius) * (0.85, 0.5, 1) + np.array([0, 0, -0.3 * radius])
    return points, _Landmarks(-base / np.linalg.norm(base), shaft, tip, lesser, canal)
