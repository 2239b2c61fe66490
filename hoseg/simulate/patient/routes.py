"""Ways that ossification takes from one bone to another, or from a bone into the soft tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from hoseg.simulate.body.meshes import Points
from hoseg.simulate.body.skeleton import HipJoint

LENGTH_MM = (14.0, 95.0)
_SAMPLES = 14


@dataclass(frozen=True, eq=False)
class Route:
    """A bent way, and how stout the bone along it is.

    line: (N, 3) mm, from the pelvis to the femur, or outwards from a bone
    flatten: (3,) factors on distances; below 1 makes the bone broad along that axis
    base_mm: radius where it leaves the bone; tip: radius of its far end, as a share of that
    """

    site: str
    line: Points
    flatten: Points
    base_mm: float
    tip: float

    @property
    def length_mm(self) -> float:
        """Length along the line."""
        return float(np.linalg.norm(np.diff(self.line, axis=0), axis=1).sum())


def route_between(
    site: str, hip: HipJoint, bones: dict[str, cKDTree], rng: np.random.Generator
) -> Route | None:
    """A way from the pelvis to the femur at a site; None when it is too short or too long.

    bones: search trees of the surfaces of both bones outside the joint zone
    """
    r, across = hip.radius, np.array([hip.outward, 0.0, 0.0])
    up = np.array([0.0, 0.0, 1.0])
    if site == "lateral":
        start = hip.head + across * rng.uniform(0.5, 1.3) * r + up * rng.uniform(1.2, 2.6) * r
        stop = hip.trochanter
        bulge = across * rng.uniform(2, 16)
    elif site == "central":
        start = hip.head + across * rng.uniform(0.9, 1.3) * r + up * 0.9 * r
        stop = hip.head - hip.neck * rng.uniform(1.5, 2.1) * r + up * 0.4 * r
        bulge = across * rng.uniform(3, 10) + up * rng.uniform(2, 8)
    else:  # medial
        start = hip.head - across * rng.uniform(-0.1, 0.5) * r - up * rng.uniform(1.2, 2.2) * r
        stop = hip.lesser
        bulge = -up * rng.uniform(2, 12)
    start = _nearest(bones["pelvis"], start + np.array([0, rng.normal(0, 8), 0]))
    stop = _nearest(bones["femur"], stop + rng.normal(0, 4, 3))
    if not LENGTH_MM[0] <= np.linalg.norm(stop - start) <= LENGTH_MM[1]:
        return None
    bend = (start + stop) / 2 + 1.4 * bulge + rng.normal(0, 4, 3)
    return _route(site, (start, bend, stop), rng)


def free_route(
    site: str, hip: HipJoint, bones: dict[str, cKDTree], rng: np.random.Generator
) -> tuple[Route, str]:
    """A way from a bone into the soft tissue, and the bone it starts from."""
    r, across = hip.radius, np.array([hip.outward, 0.0, 0.0])
    up = np.array([0.0, 0.0, 1.0])
    length = float(rng.uniform(8, 34))
    if site == "trochanteric":
        bone = "femur"
        start = hip.trochanter + hip.shaft * rng.uniform(-0.1, 1.6) * r + 0.6 * r * across
        heading = across * rng.uniform(0.3, 1.0) + up * rng.uniform(-0.8, 0.8)
    else:
        bone = "pelvis"
        start = hip.head + across * rng.uniform(0.2, 0.9) * r + up * rng.uniform(1.7, 3.2) * r
        heading = across * rng.uniform(0.6, 1.0) + up * rng.uniform(-0.5, 0.4)
    heading[1] = rng.normal(0, 0.3)
    heading = heading / np.linalg.norm(heading)
    start = _nearest(bones[bone], start + np.array([0, rng.normal(0, 8), 0]))
    start = start - 3 * heading
    stop = start + length * heading
    bend = (start + stop) / 2 + rng.normal(0, 0.15 * length, 3)
    return _route(site, (start, bend, stop), rng), bone


def _route(site: str, corners: tuple[Points, Points, Points], rng: np.random.Generator) -> Route:
    start, bend, stop = corners
    t = np.linspace(0, 1, _SAMPLES)[:, None]
    line = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * stop
    wander = rng.normal(0, 1.5, line.shape) * (4 * t * (1 - t))
    base = float(np.exp(rng.uniform(np.log(3.5), np.log(15))))
    flatten = np.array([1.0, rng.uniform(0.5, 1.0), 1.0])
    return Route(site, line + wander, flatten, base, float(rng.uniform(0.25, 0.8)))


def _nearest(tree: cKDTree, target: Points) -> Points:
    return np.asarray(tree.data[tree.query(target)[1]], np.float64)
