"""The bones that ossification meets, and the shortest way left between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from hoseg.grade.settings import GradeSettings
from hoseg.simulate.body.meshes import Points
from hoseg.simulate.body.skeleton import HipJoint

JOINT_ZONE = GradeSettings.joint_zone
"""Radius of the joint zone over that of the head: where grading measures no gap either."""

_EXACT_BELOW_MM = 12.0
"""Wider gaps are measured to corners and centres of triangles: at most 0.1 mm too long."""

_SPARSE_MM = 2.2  # no point of a bone is farther from a corner or centre of its triangles


@dataclass(frozen=True, eq=False)
class GapSpace:
    """The bones of one hip as ossification meets them.

    pelvis, femur: triangles (F, 3, 3) of what is left of the bones, with any osteophytes
    """

    hip: HipJoint
    pelvis: Points
    femur: Points

    @cached_property
    def outer(self) -> dict[str, tuple[Points, cKDTree]]:
        """Triangles of each bone outside the joint zone, and a search tree of their centres."""
        found: dict[str, tuple[Points, cKDTree]] = {}
        for bone, faces in (("pelvis", self.pelvis), ("femur", self.femur)):
            beyond = np.linalg.norm(faces - self.hip.head, axis=2) > self.joint_mm
            whole = beyond.all(axis=1)
            cut = _quartered(_quartered(faces[beyond.any(axis=1) & ~whole]))
            cut = cut[np.linalg.norm(cut.mean(axis=1) - self.hip.head, axis=1) > self.joint_mm]
            kept = np.concatenate((faces[whole], cut))
            found[bone] = (kept, _tree(kept.mean(axis=1)))
        return found

    @cached_property
    def trees(self) -> dict[str, cKDTree]:
        """Search trees of points of both bones outside the joint zone, about 1.5 mm apart."""
        return {
            bone: _tree(self.outside_joint(_sampled(faces)))
            for bone, (faces, _) in self.outer.items()
        }

    @cached_property
    def all_bone(self) -> cKDTree:
        """Search tree of points of both bones, joint included."""
        return _tree(_sampled(np.concatenate((self.pelvis, self.femur))))

    @property
    def joint_mm(self) -> float:
        """Radius of the joint zone."""
        return JOINT_ZONE * self.hip.radius

    def outside_joint(self, points: Points) -> Points:
        """The points that lie outside the joint zone."""
        return points[np.linalg.norm(points - self.hip.head, axis=1) > self.joint_mm]


def _tree(points: Points) -> cKDTree:
    """A search tree that is quick to build: each is asked a few times only."""
    return cKDTree(points, compact_nodes=False, balanced_tree=False)


def _sampled(triangles: Points) -> Points:
    """(2 F, 3) centre and first corner of (F, 3, 3) triangles: nearly every vertex, no sorting."""
    return np.concatenate((triangles[:, 0], triangles.mean(axis=1)))


def _quartered(triangles: Points) -> Points:
    """(4 F, 3, 3): each triangle cut at the middles of its edges."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    parts = ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))
    return np.concatenate([np.stack(part, axis=1) for part in parts])


Ends = tuple[float, tuple[Points, Points]]


def measure_gap(grown: dict[str, Points], around: GapSpace) -> Ends:
    """Shortest distance (mm) between the pelvic and the femoral side, one end on ossification.

    grown: points (N, 3) on the ossification attached to each bone

    Returns
    -------
    the distance and its (pelvic, femoral) ends; infinite when there is none
    """
    best: Ends = (np.inf, (np.zeros(3), np.zeros(3)))
    outside = {bone: around.outside_joint(points) for bone, points in grown.items()}
    for own, other in (("pelvis", "femur"), ("femur", "pelvis")):
        points = outside.get(own, np.zeros((0, 3)))
        if not len(points):
            continue
        found = [_to_bone(points, other, around, best[0])]
        if own == "pelvis" and len(outside.get(other, ())):
            found.append(_to_points(points, cKDTree(outside[other]), best[0])[:2])
        for distance, pair in found:
            if distance < best[0]:
                best = (distance, pair if own == "pelvis" else pair[::-1])
    return best


def _to_points(
    points: Points, tree: cKDTree, most_mm: float, slack_mm: float = 1e-6
) -> tuple[float, tuple[Points, Points], Points]:
    """(distance, nearest pair) of two sets, and the points within ``slack_mm`` of being nearest.

    Distances beyond ``most_mm`` may come out infinite.
    """
    # A few points give a bound that makes the search over all of them quick.
    bound = min(most_mm, float(np.min(tree.query(points[::16])[0]))) + slack_mm
    distance, index = map(np.asarray, tree.query(points, distance_upper_bound=bound))
    k = int(np.argmin(distance))
    if not np.isfinite(distance[k]):
        return np.inf, (points[k], points[k]), points[:0]
    pair = (points[k], np.asarray(tree.data[index[k]]))
    return float(distance[k]), pair, points[distance <= distance[k] + slack_mm]


def _to_bone(
    points: Points, bone: str, around: GapSpace, most_mm: float
) -> tuple[float, tuple[Points, Points]]:
    """Distance of points to the triangles of a bone, and its ends."""
    slack = _SPARSE_MM
    distance, pair, near = _to_points(points, around.trees[bone], most_mm + slack, slack)
    faces, tree = around.outer[bone]
    if distance > _EXACT_BELOW_MM or not len(faces):
        return distance, pair
    candidates: list[list[int]] = list(tree.query_ball_point(near, distance + slack))  # type: ignore[arg-type]
    counts = [len(c) for c in candidates]
    if not sum(counts):
        return distance, pair
    each = np.repeat(near, counts, axis=0)
    corners = faces[np.concatenate([c for c in candidates if c]).astype(int)]
    closest = nearest_on_triangles(each, corners)
    away = np.linalg.norm(closest - each, axis=1)
    k = int(np.argmin(away))
    if away[k] < distance:
        return float(away[k]), (each[k], closest[k])
    return distance, pair


def nearest_on_triangles(points: Points, triangles: Points) -> Points:
    """(N, 3) point of each of (N, 3, 3) triangles that is nearest to each of (N, 3) points.

    Ericson, Real-Time Collision Detection (2004), section 5.1.5.
    """
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    best = a.copy()
    least = np.full(len(points), np.inf)
    for start, stop in ((a, b), (b, c), (c, a)):
        edge = stop - start
        length = np.maximum(np.einsum("ij,ij->i", edge, edge), 1e-12)
        t = np.clip(np.einsum("ij,ij->i", points - start, edge) / length, 0, 1)
        found = start + t[:, None] * edge
        away = ((found - points) ** 2).sum(axis=1)
        best = np.where((away < least)[:, None], found, best)
        least = np.minimum(away, least)
    first, second, offset = b - a, c - a, points - a
    g11, g12, g22 = (
        np.einsum("ij,ij->i", u, v) for u, v in ((first, first), (first, second), (second, second))
    )
    d1, d2 = (np.einsum("ij,ij->i", offset, u) for u in (first, second))
    size = np.maximum(g11 * g22 - g12**2, 1e-12)
    v, w = (g22 * d1 - g12 * d2) / size, (g11 * d2 - g12 * d1) / size
    inside = (v >= 0) & (w >= 0) & (v + w <= 1)
    return np.where(inside[:, None], a + v[:, None] * first + w[:, None] * second, best)
