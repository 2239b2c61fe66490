"""The bones that ossification meets, and the shortest way left between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from hoseg.simulate.anatomy import Hip
from hoseg.simulate.meshes import Points

JOINT_ZONE = 1.2  # times the radius of the head (grading.md, section 2)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The bones of one hip as ossification meets them.

    pelvis, femur: points (N, 3) on what is left of the bones, with any osteophytes
    """

    hip: Hip
    pelvis: Points
    femur: Points

    @cached_property
    def trees(self) -> dict[str, cKDTree]:
        """Search trees of both bones outside the joint zone."""
        return {
            "pelvis": cKDTree(self.outside_joint(self.pelvis)),
            "femur": cKDTree(self.outside_joint(self.femur)),
        }

    @cached_property
    def all_bone(self) -> cKDTree:
        """Search tree of both bones, joint included."""
        return cKDTree(np.concatenate((self.pelvis, self.femur)))

    def outside_joint(self, points: Points) -> Points:
        """The points that lie outside the joint zone."""
        distance = np.linalg.norm(points - self.hip.head, axis=1)
        return points[distance > JOINT_ZONE * self.hip.radius]


def measure_gap(
    grown: dict[str, Points], around: Surroundings
) -> tuple[float, tuple[Points, Points]]:
    """Shortest distance (mm) between the pelvic and the femoral side, one end on ossification.

    grown: points (N, 3) on the ossification attached to each bone

    Returns
    -------
    the distance and its (pelvic, femoral) ends; infinite when there is none
    """
    best: tuple[float, tuple[Points, Points]] = (np.inf, (np.zeros(3), np.zeros(3)))
    outside = {bone: around.outside_joint(points) for bone, points in grown.items()}
    for own, other in (("pelvis", "femur"), ("femur", "pelvis")):
        points = outside.get(own, np.zeros((0, 3)))
        if not len(points):
            continue
        trees = [around.trees[other]]
        if own == "pelvis" and len(outside.get(other, ())):
            trees.append(cKDTree(outside[other]))
        for tree in trees:
            # A few points give a bound that makes the search over all of them quick.
            bound = min(best[0], float(np.min(tree.query(points[::16])[0])) + 1e-6)
            distance, index = map(np.asarray, tree.query(points, distance_upper_bound=bound))
            k = int(np.argmin(distance))
            if distance[k] < best[0]:
                pair = (points[k], np.asarray(tree.data[index[k]]))
                best = (float(distance[k]), pair if own == "pelvis" else pair[::-1])
    return best
