"""The nouns of anatomy: bones, hips, poses, and where bones come from.

Patient axes, mm: +x patient left, +y posterior, +z up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hoseg.radiograph import Side
from hoseg.simulate.body.meshes import Mesh, Points

Sphere = tuple[Points, float]
"""Centre (3,) and radius, mm."""

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
class HipJoint:
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
    hips: tuple[HipJoint, HipJoint]

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
class Surfaces:
    """One person's bones at rest, before anything is posed.

    pelvis, femora: closed surface of each side; sacrum: closed, or None
    sockets, heads: the sphere that fits the acetabulum and the femoral head of each side
    thickness: (N,) mm of bone below each vertex of a hemipelvis, where known: thin sheets stay
        smooth
    """

    pelvis: dict[Side, Mesh]
    femora: dict[Side, Mesh]
    sacrum: Mesh | None
    sockets: dict[Side, Sphere]
    heads: dict[Side, Sphere]
    thickness: dict[Side, NDArray[np.float64]] = field(default_factory=dict)


class AnatomySource(Protocol):
    """Where people come from: a shape model, a folder of meshes, a labelled CT."""

    def sample(self, rng: np.random.Generator) -> Surfaces:
        """Draw one person."""
        ...


def fit_sphere(points: Points) -> tuple[Points, float]:
    """Centre (3,) and radius of the least-squares sphere of (N, 3) points."""
    system = np.concatenate((2 * points, np.ones((len(points), 1))), axis=1)
    solution = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0]
    centre = solution[:3]
    return centre, float(np.sqrt(max(solution[3] + centre @ centre, 0)))
