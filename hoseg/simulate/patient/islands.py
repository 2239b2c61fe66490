"""Ossifications, and those among them that touch no bone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoseg.simulate.body.blobs import grid_about, rough_noise, surface
from hoseg.simulate.body.meshes import Mesh
from hoseg.simulate.patient.gap import Surroundings

CLEARANCE_MM = (3.0, 6.0)


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


_PLACES = {
    "lateral": ((1.4, 2.6), (0.1, 2.0)),
    "central": ((0.9, 1.7), (0.3, 1.2)),
    "medial": ((-0.6, 0.6), (-2.8, -1.5)),
    "trochanteric": ((2.3, 3.3), (-2.2, -0.2)),
    "supra_acetabular": ((0.6, 1.8), (1.7, 3.0)),
}
"""(outwards, upwards) from the head, in radii of the head."""


def island(
    site: str, around: Surroundings, maturity: float, rng: np.random.Generator
) -> Lesion | None:
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
    return Lesion("island", site, (), mesh, maturity)
