"""Lumpy solids: a field on a small grid, cut at zero by marching cubes (one closed surface)."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label
from skimage.measure import marching_cubes

from hoseg.simulate.body.meshes import Mesh, Points

ScalarField = NDArray[np.float32]


@dataclass(frozen=True)
class VoxelGrid:
    """Sampling points of a field.

    origin: (x, y, z) of sample (0, 0, 0) in mm; step_mm: distance between samples
    """

    origin: tuple[float, float, float]
    step_mm: float
    shape: tuple[int, int, int]


def grid_about(points: Points, margin_mm: float, most: int = 150_000) -> VoxelGrid:
    """Grid round points with a margin, as fine as ``most`` samples allow (not below 0.7 mm)."""
    low, high = points.min(axis=0) - margin_mm, points.max(axis=0) + margin_mm
    size = high - low
    step = max(0.7, float(np.cbrt(size.prod() / most)))
    shape = np.ceil(size / step).astype(int) + 1
    origin = (float(low[0]), float(low[1]), float(low[2]))
    return VoxelGrid(origin, step, (int(shape[0]), int(shape[1]), int(shape[2])))


def rough_noise(
    grid: VoxelGrid, wavelength_mm: float, bumps: float, rng: np.random.Generator
) -> ScalarField:
    """Smooth noise on a grid: lumps of a wavelength and unit spread, bumps of a third of it."""
    white = rng.standard_normal(grid.shape, np.float32)
    total = np.zeros(grid.shape, np.float32)
    for share, length in ((1.0, wavelength_mm), (bumps, wavelength_mm / 3)):
        smooth = gaussian_filter(white, length / 3.5 / grid.step_mm)
        total += share * smooth / max(float(smooth.std()), 1e-6)
    return total


def nearest_on_line(
    grid: VoxelGrid, line: Points, flatten: Points
) -> tuple[ScalarField, ScalarField]:
    """Where along a line each sample is nearest to it, and how far away.

    line: (N, 3) mm
    flatten: (3,) factors on the distance along x, y, z: below 1 makes the solid broad there

    Returns
    -------
    (share of the length, distance in mm), both of the grid's shape; the share is below 0 and
    above 1 by how far a sample lies beyond the ends
    """
    share = np.empty(grid.shape, np.float32)
    distance = np.empty(grid.shape, np.float32)
    scaled = line * flatten
    _nearest(share, distance, np.array(grid.origin), grid.step_mm, scaled, np.asarray(flatten))
    return share, distance


@numba.njit(cache=True, nogil=True)
def _nearest(share, distance, origin, step, line, flatten):  # type: ignore[no-untyped-def]
    pieces = line.shape[0] - 1
    lengths = np.zeros(pieces + 1)
    for k in range(pieces):
        d = line[k + 1] - line[k]
        lengths[k + 1] = lengths[k] + np.sqrt(d[0] ** 2 + d[1] ** 2 + d[2] ** 2)
    for i in range(share.shape[0]):
        x = (origin[0] + i * step) * flatten[0]
        for j in range(share.shape[1]):
            y = (origin[1] + j * step) * flatten[1]
            for m in range(share.shape[2]):
                z = (origin[2] + m * step) * flatten[2]
                best = 1e30
                where = 0.0
                for k in range(pieces):
                    ux, uy = line[k + 1, 0] - line[k, 0], line[k + 1, 1] - line[k, 1]
                    uz = line[k + 1, 2] - line[k, 2]
                    px, py, pz = x - line[k, 0], y - line[k, 1], z - line[k, 2]
                    t = (px * ux + py * uy + pz * uz) / max(ux * ux + uy * uy + uz * uz, 1e-12)
                    beyond = t
                    t = min(max(t, 0.0), 1.0)
                    if not ((k == 0 and beyond < 0.0) or (k == pieces - 1 and beyond > 1.0)):
                        beyond = t
                    far = (px - t * ux) ** 2 + (py - t * uy) ** 2 + (pz - t * uz) ** 2
                    if far < best:
                        best = far
                        where = lengths[k] + beyond * (lengths[k + 1] - lengths[k])
                share[i, j, m] = where / lengths[pieces]
                distance[i, j, m] = np.sqrt(best)


def piece_with(grid: VoxelGrid, field: ScalarField, seed: Points) -> ScalarField | None:
    """The field with only that piece left above zero that holds a point; None without one.

    seed: (3,) mm
    """
    index = np.rint((seed - np.array(grid.origin)) / grid.step_mm).astype(int)
    index = np.clip(index, 0, np.array(grid.shape) - 1)
    pieces, _ = label(field > 0)
    own = pieces[tuple(index)]
    if own == 0:
        return None
    return np.where((pieces > 0) & (pieces != own), np.float32(-0.05), field)


def surface(grid: VoxelGrid, field: ScalarField) -> Mesh | None:
    """Closed surface round the samples above zero; None when there are none."""
    inside = np.pad(field, 1, constant_values=-1.0)
    if not (inside > 0).any():
        return None
    vertices, faces, _, _ = marching_cubes(inside, 0.0, gradient_direction="ascent")
    points = (vertices.astype(np.float64) - 1) * grid.step_mm + grid.origin
    mesh = Mesh(points, np.ascontiguousarray(faces, np.int32))
    return mesh if mesh.volume_mm3 > 0 else Mesh(points, np.ascontiguousarray(faces[:, ::-1]))
