"""Fast raster helpers: anti-aliased fills and lines with soft edges, noise at a chosen scale."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_SHIFT = 4  # fractional bits of OpenCV's fixed-point coordinates
_FAR = 30_000.0  # coordinates are kept inside what fixed point can hold


def fixed_point(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """(N, 2) pixel coordinates (x, y) in OpenCV's fixed point (``shift=4``)."""
    return np.round(np.clip(points, -_FAR, _FAR) * (1 << _SHIFT)).astype(np.int32)


def blurred_fill(
    shape: tuple[int, int],
    polygons: Sequence[NDArray[np.float64]],
    edge_px: float,
    value: float,
) -> NDArray[np.float32]:
    """Filled polygons (x, y in pixels) of height ``value`` whose edges have sd ``edge_px``."""
    canvas = np.zeros(shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(canvas, [fixed_point(polygon)], 255, cv2.LINE_AA, _SHIFT)
    return _soften(canvas, edge_px, value)


def blurred_lines(
    shape: tuple[int, int],
    lines: Sequence[NDArray[np.float64]],
    width_px: float,
    value: float,
) -> NDArray[np.float32]:
    """Polylines (x, y in pixels), about ``width_px`` wide, with soft edges."""
    canvas = np.zeros(shape, np.uint8)
    # OpenCV's smooth lines of thickness 2 k come out 1.4 + 2 k pixels wide; what is left of the
    # wanted width, and lines thinner than a pixel, are made by their grey level.
    half = max(0, round((width_px - 1.4) / 2))
    thick = max(1, 2 * half)
    grey = 255 * min(1.0, max(width_px, 0.15) / (1.4 + 2 * half))
    for line in lines:
        cv2.polylines(canvas, [fixed_point(line)], False, round(grey), thick, cv2.LINE_AA, _SHIFT)
    return _soften(canvas, 0.35 * width_px, value)


def add_fill(
    layer: NDArray[np.float32],
    polygons: Sequence[NDArray[np.float64]],
    edge_px: float,
    value: float,
) -> None:
    """Add ``blurred_fill`` to a layer, at the cost of the part that the polygons touch."""
    part, moved = _touched(layer, polygons, 3 * edge_px + 3)
    if part.size:
        part += blurred_fill((part.shape[0], part.shape[1]), moved, edge_px, value)


def add_lines(
    layer: NDArray[np.float32],
    lines: Sequence[NDArray[np.float64]],
    width_px: float,
    value: float,
) -> None:
    """Add ``blurred_lines`` to a layer, at the cost of the part that the lines touch."""
    part, moved = _touched(layer, lines, 2 * width_px + 3)
    if part.size:
        part += blurred_lines((part.shape[0], part.shape[1]), moved, width_px, value)


def _touched(
    layer: NDArray[np.float32], shapes: Sequence[NDArray[np.float64]], pad_px: float
) -> tuple[NDArray[np.float32], list[NDArray[np.float64]]]:
    """The part of a layer within ``pad_px`` of shapes (a view), and the shapes relative to it."""
    every = np.concatenate(list(shapes)) if len(shapes) else np.zeros((1, 2)) - _FAR
    size = np.array([layer.shape[1], layer.shape[0]])
    low = np.clip(np.floor(every.min(axis=0) - pad_px), 0, size).astype(int)
    high = np.clip(np.ceil(every.max(axis=0) + pad_px) + 1, low, size).astype(int)
    part = layer[low[1] : high[1], low[0] : high[0]]
    return part, [shape - low for shape in shapes]


def _soften(canvas: NDArray[np.uint8], sigma_px: float, value: float) -> NDArray[np.float32]:
    soft = cv2.GaussianBlur(canvas, (0, 0), sigma_px) if sigma_px > 0.3 else canvas
    return np.multiply(soft, np.float32(value / 255), dtype=np.float32)


def blob_polygon(
    radius: float, rng: np.random.Generator, lobes: float = 0.15, points: int = 28
) -> NDArray[np.float64]:
    """(points, 2) closed smooth outline of mean ``radius``; ``lobes`` is its irregularity."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    reach = np.ones(points)
    for order in range(2, 7):
        amplitude = lobes * rng.normal() / np.sqrt(order)
        reach += amplitude * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    reach = radius * np.maximum(reach, 0.2)
    return np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1)


def wandering_line(
    start: NDArray[np.float64],
    axis: NDArray[np.float64],
    length: float,
    bend: float,
    rng: np.random.Generator,
    points: int = 14,
) -> NDArray[np.float64]:
    """(points, 2) line from ``start`` along ``axis`` whose heading drifts by sd ``bend`` a step."""
    heading = np.arctan2(axis[1], axis[0]) + np.cumsum(rng.normal(0, bend, points))
    step = length / (points - 1)
    moves = step * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    return np.asarray(start) + np.cumsum(moves, axis=0)


def fractal_noise(
    shape: tuple[int, int], scale_px: float, rng: np.random.Generator, octaves: int = 3
) -> NDArray[np.float32]:
    """(H, W) smooth noise of about unit variance; the coarsest grain is ``scale_px``."""
    total = np.zeros(shape, np.float32)
    power = 0.0
    for octave in range(octaves):
        grain = max(scale_px / 2**octave, 1.0)
        amplitude = 0.6**octave
        grid = (int(shape[0] / grain) + 3, int(shape[1] / grain) + 3)
        coarse = rng.standard_normal(grid, np.float32)
        # The grid is larger than the film and cut at a random phase: no lattice shows.
        full = (round(grid[1] * grain), round(grid[0] * grain))
        fine = cv2.resize(coarse, full, interpolation=cv2.INTER_CUBIC)
        top, left = (int(p * grain) for p in rng.random(2))
        total += np.float32(amplitude) * fine[top : top + shape[0], left : left + shape[1]]
        power += amplitude**2
        if grain <= 1.0:
            break
    return total * np.float32(1.25 / np.sqrt(power))


def oriented_noise(
    shape: tuple[int, int], grain_px: tuple[float, float], angle: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """(H, W) noise of about unit variance whose grains are ``grain_px`` (along, across).

    angle: direction of the long axis from "down the rows" (radians)
    """
    along, across = (max(g, 1.0) for g in grain_px)
    reach = float(np.hypot(*shape)) / 2 + 2 * along
    grid = (int(2 * reach / along) + 4, int(2 * reach / across) + 4)
    coarse = rng.standard_normal(grid, np.float32)
    cos, sin = np.cos(angle), np.sin(angle)
    # Rows of the grid run along the grain; the film's centre maps to the grid's centre.
    matrix = np.array([[cos / across, -sin / across, 0], [sin / along, cos / along, 0]])
    centre = np.array([shape[1] / 2, shape[0] / 2])
    matrix[:, 2] = np.array([grid[1] / 2, grid[0] / 2]) - matrix[:, :2] @ centre
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    fine = cv2.warpAffine(
        coarse, matrix, (shape[1], shape[0]), flags=flags, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(fine) * np.float32(1.35)
