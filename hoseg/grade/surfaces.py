"""The bone surfaces about one hip, and distances to them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoseg.grade.bones import Bones, sample, tree
from hoseg.grade.frame import HipFrame
from hoseg.grade.hips import Hip
from hoseg.grade.settings import GradeSettings

Points = NDArray[np.float64]
FAR_MM = 1e6
COARSE, FEW = 16, 64
"""Every so-many-th point is looked at first; all at once where there are few."""


@dataclass(frozen=True, eq=False)
class BoneSurfaces:
    """The bone surfaces about one hip, ready for distance queries. Points in mm.

    pelvis, femur: all edges inside the field
    pelvis_ends, femur_ends: edges that a gap may end on: outside the joint zone, not under metal
    femur_contact: edges that an ossification can be attached to: off the head's own surface
    """

    bones: Bones
    frame: HipFrame
    settings: GradeSettings
    pelvis: Points
    femur: Points

    @cached_property
    def femur_contact(self) -> Points:
        """Femoral edges off the head's surface."""
        return self.femur[beyond(self.femur, self.frame, self.head_clearance_mm)]

    @property
    def head_clearance_mm(self) -> float:
        """Radius of the disc about the head in which touching the femur does not count (mm)."""
        return self.frame.radius + self.settings.attach_mm

    @cached_property
    def femur_tree(self) -> cKDTree:
        """Femoral edges."""
        return tree(self.femur)

    @cached_property
    def contact_tree(self) -> cKDTree:
        """Femoral edges off the head."""
        return tree(self.femur_contact)

    @cached_property
    def pelvis_ends(self) -> Points:
        """Pelvic edges that a gap may end on."""
        return self.pelvis[self.may_end(self.pelvis)]

    @cached_property
    def native_mm(self) -> float:
        """From the tip of the trochanter to the nearest pelvic edge off the joint zone; or nan."""
        tip = self.frame.trochanter
        if tip is None or not len(self.pelvis_ends):
            return np.nan
        return nearest_mm(tip, self.pelvis_ends)

    @cached_property
    def pelvis_end_tree(self) -> cKDTree:
        """Pelvic edges that a gap may end on."""
        return tree(self.pelvis_ends)

    @cached_property
    def femur_end_tree(self) -> cKDTree:
        """Femoral edges that a gap may end on."""
        return tree(self.femur[self.may_end(self.femur)])

    def to_pelvis_mm(self, point: Points) -> float:
        """Distance of one point from the pelvic edges (mm)."""
        return nearest_mm(point, self.pelvis) if len(self.pelvis) else FAR_MM

    def may_end(self, points: Points) -> NDArray[np.bool_]:
        """Whether a gap may end at (N, 2) points: off the joint zone, metal and field edge."""
        points_px = points / self.bones.mm
        zone_mm = self.settings.joint_zone * self.frame.radius
        allowed = beyond(points, self.frame, zone_mm) & self.bones.in_field(points_px)
        if self.bones.implant_outlines:
            allowed &= sample(self.bones.implant, points_px) == 0
        return allowed


def find_surfaces(bones: Bones, hip: Hip, frame: HipFrame, settings: GradeSettings) -> BoneSurfaces:
    """Collect the bone surfaces about one hip."""
    return BoneSurfaces(bones, frame, settings, bones.pelvis_surface, bones.surface(hip.outlines))


def nearest_mm(point: Points, points: Points) -> float:
    """Shortest distance from one point to any of (N, 2): for one, no tree is worth its making."""
    return float(np.hypot(*(points - point).T).min())


def closest(bone: cKDTree, points: Points, bound: float = np.inf) -> tuple[float, int, int]:
    """Shortest distance below a bound, and the indices of the point and of the tree's point.

    Every ``COARSE``-th point first: what it finds bounds the search for all others.
    """
    found = (bound, -1, -1)
    for step in (COARSE, 1) if len(points) > FEW else (1,):
        chosen = points[::step]
        distance, index = (np.asarray(x) for x in bone.query(chosen, distance_upper_bound=found[0]))
        i = int(np.argmin(distance))
        if distance[i] < found[0]:
            found = (float(distance[i]), i * step, int(index[i]))
    return found


def beyond(points: Points, frame: HipFrame, distance_mm: float) -> NDArray[np.bool_]:
    """Which of (N, 2) points lie further than a distance from the head's centre."""
    row, column = points.T
    return (row - frame.centre[0]) ** 2 + (column - frame.centre[1]) ** 2 > distance_mm**2
