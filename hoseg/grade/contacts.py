"""What touches what: the graph of pelvis, femur and ossifications.

Nodes are the ossifications, the pelvis and the femur; an edge is as long as the distance between
two outlines (0 for an overlap). Two nodes are in contact when a path joins them whose every edge
is at most the contact tolerance, so that a spur broken into pieces by a mask stays one spur. The
longest edge of the best path from pelvis to femur says how firmly a bridge stands.

The pelvis and the femur have no edge of their own: the native joint is not a contact. For the
same reason the femoral head's own surface (its radius and the tolerance) is left out of contacts
with the femur: an ossification from the acetabular rim lies over the head without touching it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoseg.grade.bones import Bones, sample, tree
from hoseg.grade.frame import Frame
from hoseg.grade.hips import Hip
from hoseg.grade.ossification import Ossification
from hoseg.grade.outlines import thin
from hoseg.grade.settings import GradeSettings

Points = NDArray[np.float64]
FAR_MM = 1e6
NEAR_MM = 4.0
"""Beyond this no error of reading makes a contact."""
COARSE = 16
"""Every so-many-th point is looked at first."""
SUPERIMPOSED = ((0.0, 0.02, 0.1, 0.2, 0.9, 1.0), (0.45, 0.45, 0.3, 0.0, 0.0, 0.35))
"""Chance that a contact is superimposition only, by the share of the ossification that lies over
the bone. A spur has a root over its bone: of 338 contacts on simulated films, 5 of 27 were real
with up to 2 % over the bone, 21 of 39 with 2-10 %, 45 of 54 with 10-20 %, 175 of 190 with 20-95 %
(taken as certain) and 18 of 28 with more. Never above one half: where no network looks, every
contact counts."""
LIMIT = 0.5
"""A contact that is likelier superimposition than attachment does not count."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The bone surfaces about one hip, ready for distance queries. Points in mm.

    pelvis, femur: all edges inside the field
    pelvis_ends, femur_ends: edges that a gap may end on: outside the joint zone, not under metal
    femur_contact: edges that an ossification can be attached to: off the head's own surface
    """

    bones: Bones
    frame: Frame
    settings: GradeSettings
    pelvis: Points
    femur: Points

    @cached_property
    def femur_contact(self) -> Points:
        """Femoral edges off the head's surface."""
        return self.femur[_beyond(self.femur, self.frame, self.head_clearance_mm)]

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
        allowed = _beyond(points, self.frame, zone_mm) & self.bones.in_field(points_px)
        if self.bones.implant_outlines:
            allowed &= sample(self.bones.implant, points_px) == 0
        return allowed


def surroundings(bones: Bones, hip: Hip, frame: Frame, settings: GradeSettings) -> Surroundings:
    """Collect the bone surfaces about one hip."""
    return Surroundings(
        bones,
        frame,
        settings,
        pelvis=bones.pelvis_surface,
        femur=bones.surface(hip.outlines),
    )


@dataclass(frozen=True, eq=False)
class Contacts:
    """Distances between the ossifications of one hip and its bones.

    items: the ossifications
    to_pelvis, to_femur: (n,) distance of each to the bone (mm), 0 for an overlap
    edges: (n + 2, n + 2) contact distances (mm); node n is the pelvis, n + 1 the femur
    doubts: (n, 2) chance that contact with the pelvis, the femur is superimposition only
    """

    items: tuple[Ossification, ...]
    to_pelvis: NDArray[np.float64]
    to_femur: NDArray[np.float64]
    edges: NDArray[np.float64]
    doubts: NDArray[np.float64]

    @cached_property
    def reach(self) -> NDArray[np.float64]:
        """(n + 2, n + 2) longest edge of the best path between two nodes (mm)."""
        return _minimax(self.edges)

    @property
    def superimposed(self) -> NDArray[np.bool_]:
        """(n, 2) contacts with the pelvis, the femur that do not count."""
        return self.doubts > LIMIT

    def as_read(self) -> Contacts:
        """The same with the contacts undone that do not count."""
        return self.without(self.superimposed) if self.superimposed.any() else self

    def only(self, kept: list[int]) -> Contacts:
        """Some of the ossifications alone."""
        nodes = [*kept, *range(len(self.items), len(self.edges))]
        return Contacts(
            tuple(self.items[i] for i in kept),
            self.to_pelvis[kept],
            self.to_femur[kept],
            self.edges[np.ix_(nodes, nodes)],
            self.doubts[kept],
        )

    def without(self, apart: NDArray[np.bool_]) -> Contacts:
        """The same with some contacts, (n, 2) with the pelvis and the femur, undone."""
        n, edges = len(self.items), self.edges.copy()
        edges[:n, n:][apart] = FAR_MM
        edges[n:, :n] = edges[:n, n:].T
        return replace(self, edges=edges)

    @property
    def bridge_mm(self) -> float:
        """Longest step on the way from pelvis to femur: a bridge when within the tolerance."""
        return float(self.reach[-2, -1])

    def attached(self, tolerance_mm: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which ossifications hang on the pelvis and which on the femur, over others too."""
        pelvic, femoral, _ = self._ways
        return pelvic <= tolerance_mm, femoral <= tolerance_mm

    @cached_property
    def _ways(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Longest edge of the best way over ossifications alone (mm): (n,) from each to the
        pelvis, (n,) to the femur, (n, n) to each other.
        """
        n = len(self.items)
        pelvic = _minimax(self.edges[: n + 1, : n + 1])[:n, n]
        others = [*range(n), n + 1]
        femoral = _minimax(self.edges[others][:, others])[:n, n]
        between = _minimax(self.edges[:n, :n])
        np.fill_diagonal(between, 0)
        return pelvic, femoral, between

    def lesions(self, tolerance_mm: float) -> list[int]:
        """A number for each ossification; those in contact with each other share it."""
        reach = self._ways[2]
        first = [int(np.flatnonzero(row <= tolerance_mm)[0]) for row in reach]
        return [sorted(set(first)).index(index) for index in first]


def find_contacts(
    items: list[Ossification], around: Surroundings, bound_mm: float = np.inf
) -> Contacts:
    """Measure what touches what about one hip; distances beyond the bound are not measured."""
    n = len(items)
    to_pelvis, to_femur, contact = np.full((3, n), FAR_MM)
    edges = np.full((n + 2, n + 2), FAR_MM)
    outlines = [thin(item.outline_mm) for item in items]
    trees = [tree(points) for points in outlines]
    bones = around.bones
    for i, (item, points) in enumerate(zip(items, outlines, strict=True)):
        if len(around.pelvis):
            far = not item.over_pelvis.any()
            to_pelvis[i] = _nearest(bones.pelvis_tree, points, bound_mm) if far else 0
        if len(around.femur):
            far = not item.over_femur.any()
            to_femur[i] = _nearest(around.femur_tree, points, bound_mm) if far else 0
        if len(around.femur_contact):
            contact[i] = _nearest(around.contact_tree, points, bound_mm)
        if item.over_femur.any():
            over = item.pixels_mm[item.over_femur]
            if _beyond(over, around.frame, around.head_clearance_mm).any():
                contact[i] = 0
        for j in range(i):
            edges[i, j] = edges[j, i] = _between(points, trees[j])
    edges[:n, n] = edges[n, :n] = to_pelvis
    edges[:n, n + 1] = edges[n + 1, :n] = contact
    return Contacts(tuple(items), to_pelvis, to_femur, edges, _doubts(items, edges))


def _doubts(items: list[Ossification], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Doubts by the share of each ossification that lies over the bone."""
    over = [(item.over_pelvis.mean(), item.over_femur.mean()) for item in items]
    shares = np.array(over, float).reshape(-1, 2)
    return np.where(edges[:-2, -2:] < NEAR_MM, np.interp(shares, *SUPERIMPOSED), 0.0)


def nearest_mm(point: Points, points: Points) -> float:
    """Shortest distance from one point to any of (N, 2): for one, no tree is worth its making."""
    return float(np.hypot(*(points - point).T).min())


def _between(a: Points, b: cKDTree) -> float:
    """Shortest distance between two outlines; coarse boxes first."""
    apart = np.maximum(a.min(axis=0) - b.maxes, b.mins - a.max(axis=0))
    if np.hypot(*np.maximum(apart, 0)) > 10:
        return float(np.hypot(*np.maximum(apart, 0)))  # a lower bound, far beyond any contact
    return _nearest(b, a)


def _nearest(bone: cKDTree, points: Points, bound_mm: float = np.inf) -> float:
    """Shortest distance from any of (N, 2) points to a tree's; far when beyond the bound."""
    distance, found, _ = closest(bone, points, bound_mm)
    return distance if found >= 0 else FAR_MM


def closest(bone: cKDTree, points: Points, bound: float = np.inf) -> tuple[float, int, int]:
    """Shortest distance below a bound, and the indices of the point and of the tree's point.

    Every ``COARSE``-th point first: what it finds bounds the search for all others.
    """
    found = (bound, -1, -1)
    for chosen, step in ((points[::COARSE], COARSE), (points, 1)):
        distance, index = (np.asarray(x) for x in bone.query(chosen, distance_upper_bound=found[0]))
        i = int(np.argmin(distance))
        if distance[i] < found[0]:
            found = (float(distance[i]), i * step, int(index[i]))
    return found


def _beyond(points: Points, frame: Frame, distance_mm: float) -> NDArray[np.bool_]:
    row, column = points.T
    return (row - frame.centre[0]) ** 2 + (column - frame.centre[1]) ** 2 > distance_mm**2


def _minimax(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smallest possible longest edge of a path between any two nodes (Floyd-Warshall)."""
    reach = edges.copy()
    for k in range(len(reach)):
        np.minimum(reach, np.maximum(reach[:, k, None], reach[None, k, :]), out=reach)
    return reach
