"""Heterotopic ossification grown in 3-D, its class known by construction.

A spur is a lumpy, tapering solid that starts inside a bone; a bridge is one that reaches the
other bone; an island is a cluster of lumps that keeps clear of both. The gap of a hip is MEASURED
on the surfaces that were made, outside the joint zone, and spurs are lengthened or shortened
until it is the one that was chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from hoseg.simulate.body.blobs import (
    ScalarField,
    VoxelGrid,
    grid_about,
    nearest_on_line,
    piece_with,
    rough_noise,
    surface,
)
from hoseg.simulate.body.meshes import Mesh, Points
from hoseg.simulate.patient.gap import GapSpace, measure_gap
from hoseg.simulate.patient.routes import Route, free_route, route_between

TOLERANCE_MM = 0.35
LEAST_GAP_II_MM = 10.0
ROOT_MM = np.float32(4.5)  # depth to which a spur reaches into its bone
CLEARANCE_MM = (3.0, 6.0)
_PLACES = {
    "lateral": ((1.4, 2.6), (0.1, 2.0)),
    "central": ((0.9, 1.7), (0.3, 1.2)),
    "medial": ((-0.6, 0.6), (-2.8, -1.5)),
    "trochanteric": ((2.3, 3.3), (-2.2, -0.2)),
    "supra_acetabular": ((0.6, 1.8), (1.7, 3.0)),
}
"""(outwards, upwards) from the head, in radii of the head."""


@dataclass(frozen=True, eq=False)
class OssificationMesh:
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
    chosen_gap_mm: what was asked for; None where the gap is what the spurs left
    """

    brooker: int
    ossifications: tuple[OssificationMesh, ...]
    gap_mm: float | None
    gap_ends_mm: tuple[Points, Points] | None
    chosen_gap_mm: float | None = None


def grow(
    brooker: int,
    site: str,
    gap_mm: float,
    around: GapSpace,
    rng: np.random.Generator,
) -> Growth | None:
    """Grow what makes a class at a site; None when it does not fit there.

    gap_mm: chosen gap, used by classes 2 and 3
    """
    if brooker == 0:
        return Growth(0, (), None, None)
    maturity = float(rng.beta(1.6, 1.0))
    islands = 1 + int(rng.poisson(0.7)) if brooker == 1 else int(rng.random() < 0.25)
    grown = [island(site, around, maturity, rng) for _ in range(islands)]
    loose = tuple(piece for piece in grown if piece)
    if brooker == 1:
        return Growth(1, loose, None, None) if loose else None
    if brooker == 2 and site in ("trochanteric", "supra_acetabular"):
        return _free_spur(site, around, maturity, loose, rng)
    route = route_between(site, around.hip, around.trees, rng)
    if route is None or (brooker < 4 and gap_mm > 0.85 * route.length_mm):
        return None
    body = _body(route, rng)
    if brooker == 4:
        whole = piece_with(body.grid, body.part(0.0, 1.0), route.line[0])
        mesh = None if whole is None else surface(body.grid, whole)
        if mesh is None or cKDTree(mesh.vertices).query(route.line[-1])[0] > 0.8 * route.base_mm:
            return None
        bridge = OssificationMesh("bridge", site, ("pelvis", "femur"), mesh, maturity)
        middle = route.line[len(route.line) // 2]
        return Growth(4, (bridge, *loose), 0.0, (middle, middle))
    return _spurs(brooker, gap_mm, around, body, (maturity, loose), rng)


@dataclass(frozen=True, eq=False)
class _Body:
    """A route with everything on its grid that does not depend on how far a spur has grown."""

    route: Route
    grid: VoxelGrid
    share: ScalarField
    distance: ScalarField
    noise: ScalarField

    def part(self, first: float, last: float) -> ScalarField:
        """Field that is positive inside the ossification between two shares of the route."""
        route, t = self.route, np.clip(self.share, 0, 1)
        length = np.float32(route.length_mm)
        over = np.maximum(np.maximum(t - last, first - t), 0) * length
        away = np.sqrt(self.distance**2 + over * over) if first > 0 or last < 1 else self.distance
        if first <= 0 and last >= 1:
            taper = 1 - (1 - route.tip) * np.sin(np.float32(np.pi) * t)
        else:
            grown = np.clip((t - first) / max(last - first, 1e-3), 0, 1)
            taper = 1 - (1 - route.tip) * (grown if first <= 0 else 1 - grown)
        radius = np.float32(route.base_mm) * taper
        field = radius * (1 + self.noise) - away
        # Bone ends where it meets bone: only a little of it lies inside.
        if first <= 0:
            field = np.minimum(field, self.share * length + ROOT_MM)
        if last >= 1:
            field = np.minimum(field, (1 - self.share) * length + ROOT_MM)
        return np.asarray(field, np.float32)


def _body(route: Route, rng: np.random.Generator) -> _Body:
    grid = grid_about(route.line, 1.7 * route.base_mm / float(route.flatten.min()), 90_000)
    share, distance = nearest_on_line(grid, route.line, route.flatten)
    bumps = float(rng.uniform(0.0, 0.5))
    noise = rough_noise(grid, float(rng.uniform(0.8, 2.0)) * route.base_mm, bumps, rng)
    strength = np.float32(rng.uniform(0.15, 0.4))
    return _Body(route, grid, share, distance, np.clip(strength * noise, -0.7, 0.7))


def _spurs(
    brooker: int,
    gap_mm: float,
    around: GapSpace,
    body: _Body,
    company: tuple[float, tuple[OssificationMesh, ...]],
    rng: np.random.Generator,
) -> Growth | None:
    """Lengthen spurs until the measured gap is the chosen one."""
    maturity, loose = company
    route = body.route
    form = str(rng.choice(["pelvis", "femur", "both"], p=[0.3, 0.3, 0.4]))
    split = {"pelvis": 1.0, "femur": 0.0, "both": float(rng.uniform(0.3, 0.7))}[form]
    roots = {"pelvis": route.line[0], "femur": route.line[-1]}

    def parts(free: float) -> dict[str, ScalarField]:
        grown = 1 - free
        spans = {"pelvis": (0.0, grown * split), "femur": (1 - grown * (1 - split), 1.0)}
        pieces = {
            bone: piece_with(body.grid, body.part(*span), roots[bone])
            for bone, span in spans.items()
            if span[1] - span[0] > 0.04
        }
        return {bone: piece for bone, piece in pieces.items() if piece is not None}

    low, high = 0.02, 0.96
    free = float(np.clip((gap_mm + route.base_mm) / route.length_mm, low, high))
    slope = 0.9 * route.length_mm
    before: tuple[float, float] | None = None
    for _ in range(8):
        points = {bone: _crossings(body.grid, field) for bone, field in parts(free).items()}
        gap, _ = measure_gap(points, around)
        if abs(gap - gap_mm) < 0.5 * TOLERANCE_MM:
            break
        low, high = (free, high) if gap < gap_mm else (low, free)
        if high - low < 0.004:
            return None  # the gap jumps here: no length of these spurs leaves it
        if before is not None and np.isfinite(gap) and free != before[0]:
            slope = float(np.clip((gap - before[1]) / (free - before[0]), 2, 4 * slope))
        before = (free, gap) if np.isfinite(gap) else None
        step = free + (gap_mm - gap) / slope if np.isfinite(gap) else low
        free = step if low < step < high else (low + high) / 2
    spurs = []
    for bone, field in parts(free).items():
        mesh = surface(body.grid, field)
        if mesh is not None:
            spurs.append(OssificationMesh("spur", route.site, (bone,), mesh, maturity))
    return _checked(brooker, spurs, around, loose, gap_mm)


def _free_spur(
    site: str,
    around: GapSpace,
    maturity: float,
    loose: tuple[OssificationMesh, ...],
    rng: np.random.Generator,
) -> Growth | None:
    """A spur that points into the soft tissue, far from the other bone."""
    route, bone = free_route(site, around.hip, around.trees, rng)
    body = _body(route, rng)
    for last in (0.95, 0.75, 0.55, 0.4):
        piece = piece_with(body.grid, body.part(0.0, last), route.line[0])
        mesh = None if piece is None else surface(body.grid, piece)
        if mesh is None:
            return None
        spur = OssificationMesh("spur", site, (bone,), mesh, maturity)
        growth = _checked(2, [spur], around, loose, None)
        if growth is not None:
            return growth
    return None


def _checked(
    brooker: int,
    spurs: list[OssificationMesh],
    around: GapSpace,
    loose: tuple[OssificationMesh, ...],
    chosen_mm: float | None,
) -> Growth | None:
    """The growth with its gap measured on the final surfaces, if that is what was wanted."""
    if not spurs:
        return None
    gap, ends = measure_gap({spur.attached[0]: spur.mesh.vertices for spur in spurs}, around)
    if chosen_mm is not None and abs(gap - chosen_mm) > TOLERANCE_MM:
        return None
    if not np.isfinite(gap) or gap < 0.5 or (gap < LEAST_GAP_II_MM) != (brooker == 3):
        return None
    return Growth(brooker, (*spurs, *loose), gap, ends, chosen_mm)


def _crossings(grid: VoxelGrid, field: ScalarField) -> Points:
    """Points (N, 3) where a field changes sign between samples: the vertices of its surface."""
    found = []
    for axis in range(3):
        low = np.take(field, range(field.shape[axis] - 1), axis)
        high = np.take(field, range(1, field.shape[axis]), axis)
        where = np.nonzero((low > 0) != (high > 0))
        points = np.stack(where, axis=1).astype(np.float64)
        points[:, axis] += low[where] / (low[where] - high[where])
        found.append(points)
    return np.concatenate(found) * grid.step_mm + grid.origin


def island(
    site: str, around: GapSpace, maturity: float, rng: np.random.Generator
) -> OssificationMesh | None:
    """A cluster of one to four lumps that touches no bone; None when bone leaves no room."""
    hip = around.hip
    across, up = (rng.uniform(*limits) * hip.radius for limits in _PLACES[site])
    centre = hip.head + np.array([hip.outward * across, rng.normal(0, 12), up])
    size = float(np.exp(rng.uniform(np.log(1.8), np.log(13))))
    count = int(rng.integers(1, 5))
    middles = centre + rng.normal(0, 0.75 * size, (count, 3)) * (np.arange(count) > 0)[:, None]
    radii = size * rng.uniform(0.5, 1.25, (count, 3))
    grid = grid_about(middles, 1.6 * float(radii.max()), 50_000)
    axes = [o + grid.step_mm * np.arange(n) for o, n in zip(grid.origin, grid.shape, strict=True)]
    samples = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)
    field = np.full(grid.shape, -np.inf, np.float32)
    for middle, radius in zip(middles, radii, strict=True):
        away = np.linalg.norm((samples - np.float32(middle)) / np.float32(radius), axis=-1)
        np.maximum(field, np.float32(radius.mean()) * (1 - away), out=field)
    lumpy = np.float32(rng.uniform(0.1, 0.35) * size)
    noise = rough_noise(grid, rng.uniform(0.8, 1.8) * size, rng.uniform(0.0, 0.5), rng)
    field += np.clip(lumpy * noise, -size, size)
    inside = field > 0
    clearance = rng.uniform(*CLEARANCE_MM) + grid.step_mm
    far, _ = around.all_bone.query(samples[inside], distance_upper_bound=clearance)
    field[inside] = np.where(np.isinf(far), field[inside], -0.05)
    mesh = surface(grid, field)
    if mesh is None or mesh.volume_mm3 < 4:
        return None
    return OssificationMesh("island", site, (), mesh, maturity)
