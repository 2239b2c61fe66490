"""Heterotopic ossification grown in 3-D, its class known by construction.

A spur is a bent, tapering, knobbly tube that starts inside a bone; a bridge is one that reaches
the other bone; an island is a cluster of lumps in the soft tissue. The gap of a hip is MEASURED
on the surfaces that were made, outside the joint zone, and spurs are lengthened or shortened
until it is the one that was chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from hoseg.simulate.anatomy import Hip
from hoseg.simulate.meshes import Mesh, Points, joined, surface_noise, tube, unit_sphere

JOINT_ZONE = 1.2  # times the radius of the head (grading.md, section 2)
TOLERANCE_MM = 0.35
ISLAND_CLEARANCE_MM = 3.0


@dataclass(frozen=True, eq=False)
class Lesion:
    """One ossification.

    kind: "island", "spur" or "bridge"
    site: lateral, central, medial, trochanteric, supra_acetabular
    attached: bones it grew from
    mesh: surface; maturity: 0 faint and cloudy to 1 corticated bone
    """

    kind: str
    site: str
    attached: tuple[str, ...]
    mesh: Mesh
    maturity: float


@dataclass(frozen=True, eq=False)
class Growth:
    """All ossification of one hip, and the truth about it.

    gap_mm: None without a spur, 0 for a bridge
    gap_ends_mm: (pelvic end, femoral end), each (3,), or None
    """

    brooker: int
    lesions: tuple[Lesion, ...]
    gap_mm: float | None
    gap_ends_mm: tuple[Points, Points] | None


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The bones of one hip as ossification meets them.

    pelvis, femur: vertices (N, 3) of what is left of the bones, with any osteophytes
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


def grow(
    brooker: int,
    site: str,
    gap_mm: float,
    around: Surroundings,
    rng: np.random.Generator,
) -> Growth | None:
    """Grow what makes a class at a site; None when it does not fit there.

    gap_mm: chosen gap, used by classes 2 and 3
    """
    if brooker == 0:
        return Growth(0, (), None, None)
    maturity = float(rng.beta(1.6, 1.0))
    if brooker == 1:
        lesions = [_island(site, around, maturity, rng) for _ in range(1 + int(rng.poisson(0.7)))]
        return Growth(1, tuple(lesion for lesion in lesions if lesion), None, None) if any(
            lesions
        ) else None
    route = _route(site, around, rng)
    if route is None:
        return None
    extra = [_island(site, around, maturity, rng)] if rng.random() < 0.25 else []
    islands = tuple(lesion for lesion in extra if lesion)
    if brooker == 4:
        bridge = Lesion("bridge", site, ("pelvis", "femur"), route.tube(-0.04, 1.04), maturity)
        middle = route.spine(np.array([0.5]))[0]
        return Growth(4, (bridge, *islands), 0.0, (middle, middle))
    return _spurs(brooker, site, gap_mm, around, route, maturity, islands, rng)


@dataclass(frozen=True, eq=False)
class _Route:
    """A bent way from a point of the pelvis (t = 0) to a point of the femur (t = 1)."""

    start: Points
    bend: Points
    stop: Points
    base_mm: float
    tip_mm: float
    noise_seed: int

    @property
    def length_mm(self) -> float:
        return float(np.linalg.norm(self.stop - self.start))

    def spine(self, t: Points) -> Points:
        s = np.asarray(t)[:, None]
        return (1 - s) ** 2 * self.start + 2 * s * (1 - s) * self.bend + s**2 * self.stop

    def tube(self, first: float, last: float) -> Mesh:
        """Surface of the part of the way between two shares of it; broad where it touches bone."""
        from_pelvis, to_femur = first <= 0, last >= 1

        def radius(t: Points) -> Points:
            away = t if from_pelvis and not to_femur else 1 - t
            if from_pelvis and to_femur:
                away = 1 - np.abs(2 * t - 1)
            taper = self.base_mm + (self.tip_mm - self.base_mm) * away
            ends = np.sqrt(np.clip(np.minimum(t, 1 - t) * 2 * 6, 0, 1))
            return taper * ends

        length = max(abs(last - first) * self.length_mm, 2.0)
        rings = int(np.clip(length / 1.3, 10, 60))
        mesh = tube(lambda t: self.spine(first + t * (last - first)), radius, rings, 22)
        return _knobbly(mesh, np.random.default_rng(self.noise_seed), 0.16 * self.base_mm)


def _route(site: str, around: Surroundings, rng: np.random.Generator) -> _Route | None:
    """Choose where on both bones an ossification of a site would stand."""
    hip = around.hip
    r, outward = hip.radius, hip.outward
    across = np.array([outward, 0, 0])
    if site == "lateral":
        above = np.array([outward * rng.uniform(0.5, 1.3) * r, 0, rng.uniform(1.2, 2.6) * r])
        start_near, stop_near = hip.head + above, hip.trochanter
        bulge = across * rng.uniform(2, 16)
    elif site == "central":
        start_near = hip.head + np.array([outward * rng.uniform(0.9, 1.3) * r, 0, 0.9 * r])
        stop_near = hip.head - hip.neck * rng.uniform(1.5, 2.1) * r + np.array([0, 0, 0.4 * r])
        bulge = across * rng.uniform(3, 10) + np.array([0, 0, rng.uniform(2, 8)])
    elif site == "medial":
        down = rng.uniform(1.2, 2.2) * r
        start_near = hip.head + np.array([-outward * rng.uniform(-0.1, 0.5) * r, 0, -down])
        stop_near = hip.lesser
        bulge = np.array([0, 0, -rng.uniform(2, 12)])
    else:
        return None
    depth = np.array([0, rng.normal(0, 8), 0])
    start = _nearest(around.outside_joint(around.pelvis), start_near + depth)
    stop = _nearest(around.outside_joint(around.femur), stop_near + rng.normal(0, 4, 3))
    if start is None or stop is None or not 16 <= np.linalg.norm(stop - start) <= 95:
        return None
    bend = (start + stop) / 2 + 1.4 * bulge + rng.normal(0, 4, 3)
    base = float(rng.uniform(3.5, 13.0))
    return _Route(
        start, bend, stop, base, float(base * rng.uniform(0.3, 0.8)), int(rng.integers(2**31))
    )


def _spurs(
    brooker: int,
    site: str,
    gap_mm: float,
    around: Surroundings,
    route: _Route,
    maturity: float,
    islands: tuple[Lesion, ...],
    rng: np.random.Generator,
) -> Growth | None:
    """Lengthen spurs until the measured gap is the chosen one."""
    form = str(rng.choice(["pelvis", "femur", "both"], p=[0.3, 0.35, 0.35]))
    split = float(rng.uniform(0.3, 0.7))

    def spurs(free: float) -> list[Lesion]:
        """Spurs that leave a share of the way free."""
        grown = 1 - free
        share = {"pelvis": 1.0, "femur": 0.0, "both": split}[form]
        lesions = []
        for bone, (first, last) in {
            "pelvis": (-0.05, grown * share),
            "femur": (1 - grown * (1 - share), 1.05),
        }.items():
            if abs(last - first) - 0.05 > 0.07:
                mesh = route.tube(first, last)
                lesions.append(Lesion("spur", site, (bone,), mesh, maturity))
        return lesions

    low, high = 0.02, 0.92
    best: tuple[float, list[Lesion], float, tuple[Points, Points]] | None = None
    for _ in range(9):
        free = (low + high) / 2
        lesions = spurs(free)
        if not lesions:
            high = free
            continue
        gap, ends = measure_gap(lesions, around)
        error = abs(gap - gap_mm)
        if best is None or error < best[0]:
            best = (error, lesions, gap, ends)
        if error < TOLERANCE_MM:
            break
        low, high = (free, high) if gap < gap_mm else (low, free)
    if best is None or best[0] > TOLERANCE_MM:
        return None
    _, lesions, gap, ends = best
    if (gap < 10) != (brooker == 3) or gap < 0.5:
        return None
    return Growth(brooker, (*lesions, *islands), gap, ends)


def measure_gap(
    lesions: list[Lesion], around: Surroundings
) -> tuple[float, tuple[Points, Points]]:
    """Shortest distance (mm) between the pelvic and the femoral side, one end on ossification.

    Returns the distance and its (pelvic, femoral) ends.
    """
    grown = {
        name: [around.outside_joint(le.mesh.vertices) for le in lesions if name in le.attached]
        for name in around.trees
    }
    best: tuple[float, tuple[Points, Points]] = (np.inf, (np.zeros(3), np.zeros(3)))
    for own, other in (("pelvis", "femur"), ("femur", "pelvis")):
        points = np.concatenate([np.zeros((0, 3)), *grown[own]])
        if not len(points):
            continue
        for tree in (around.trees[other], *(cKDTree(p) for p in grown[other] if len(p))):
            distance, index = tree.query(points, distance_upper_bound=best[0])
            k = int(np.argmin(distance))
            if distance[k] < best[0]:
                pair = (points[k], np.asarray(tree.data[index[k]]))
                best = (float(distance[k]), pair if own == "pelvis" else pair[::-1])
    return best


def _island(
    site: str, around: Surroundings, maturity: float, rng: np.random.Generator
) -> Lesion | None:
    """A cluster of one to four lumps that touches no bone."""
    hip = around.hip
    r, outward = hip.radius, hip.outward
    place = {
        "lateral": (rng.uniform(1.4, 2.6), rng.uniform(0.1, 2.0)),
        "central": (rng.uniform(0.9, 1.7), rng.uniform(0.3, 1.2)),
        "medial": (rng.uniform(-0.6, 0.6), rng.uniform(-2.8, -1.5)),
        "trochanteric": (rng.uniform(2.3, 3.3), rng.uniform(-2.2, -0.2)),
        "supra_acetabular": (rng.uniform(0.6, 1.8), rng.uniform(1.7, 3.0)),
    }[site]
    centre = hip.head + np.array([outward * place[0] * r, rng.normal(0, 12), place[1] * r])
    bones = around.all_bone
    size = float(np.exp(rng.uniform(np.log(2.0), np.log(13))))
    lumps = []
    for _ in range(int(rng.integers(1, 5))):
        radii = size * rng.uniform(0.5, 1.2, 3)
        where = centre + rng.normal(0, 0.8 * size, 3)
        points = unit_sphere(14).vertices * radii
        mesh = unit_sphere(14).moved(points + where)
        mesh = _knobbly(mesh, rng, 0.14 * size)
        distance, nearest = bones.query(mesh.vertices)
        if distance.min() < ISLAND_CLEARANCE_MM:
            away = where - bones.data[nearest[np.argmin(distance)]]
            step = (ISLAND_CLEARANCE_MM + radii.max() - distance.min()) + 1.0
            mesh = mesh.moved(mesh.vertices + away / max(np.linalg.norm(away), 1e-6) * step)
            if bones.query(mesh.vertices)[0].min() < ISLAND_CLEARANCE_MM:
                continue
        lumps.append(mesh)
    if not lumps:
        return None
    return Lesion("island", site, (), joined(lumps), float(np.clip(maturity, 0, 1)))


def _knobbly(mesh: Mesh, rng: np.random.Generator, amount_mm: float) -> Mesh:
    """Irregular surface, as bone formed in muscle has."""
    noise = surface_noise(mesh.vertices, rng.uniform(5, 14), rng, 14)
    shift = np.clip(amount_mm * noise, -2.5 * amount_mm, 2.5 * amount_mm)
    return mesh.moved(mesh.vertices + mesh.normals() * shift[:, None])


def _nearest(points: Points, target: Points) -> Points | None:
    if not len(points):
        return None
    return np.asarray(points[np.argmin(np.linalg.norm(points - target, axis=1))])
