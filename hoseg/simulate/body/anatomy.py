"""Skeletons: one person of an anatomy source, posed, with a cortical shell and landmarks.

The origin is midway between the centres of the sockets.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from hoseg.radiograph import Side
from hoseg.simulate.body.cortex import inner, roughened, sample_density, socket_cortex
from hoseg.simulate.body.femur import Seat, seat_femur
from hoseg.simulate.body.llp26 import Llp26
from hoseg.simulate.body.skeleton import (
    OUTWARD,
    SIDES,
    AnatomySource,
    Bone,
    Hip,
    Pose,
    Skeleton,
    Sphere,
    fit_sphere,
)

__all__ = [
    "OUTWARD", "SIDES", "AnatomySource", "Bone", "Hip", "Pose", "Skeleton", "fit_sphere",
    "sample_skeleton",
]  # fmt: skip

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
    hips: list[Hip] = []
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
