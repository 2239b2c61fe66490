"""Between the original pixel grid and the network's, exactly, in both directions.

Pixel-centre convention: pixel ``i`` covers ``[i - 0.5, i + 0.5]``. A window of whole original
pixels is divided evenly into the resampled pixels, so both grids share their outer edges and the
way back lands where the way out started.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError
from hoseg.radiograph import Grid

_CV2_TYPES = (np.uint8, np.uint16, np.int16, np.float32)


@dataclass(frozen=True)
class GridWindow:
    """A rectangle of whole pixels: rows [top, bottom), columns [left, right)."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return (self.bottom - self.top, self.right - self.left)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the window in an image."""
        return (slice(self.top, self.bottom), slice(self.left, self.right))


def make_grid(
    window: GridWindow, spacing_mm: tuple[float, float], target_mm: tuple[float, float]
) -> Grid:
    """Divide a window into pixels as near to the wished spacing as whole numbers allow.

    Parameters
    ----------
    window: on the original image
    spacing_mm: (row, column) spacing of the original (mm)
    target_mm: (row, column) spacing wished for (mm)

    Returns
    -------
    Grid whose ``spacing_mm`` is the spacing really reached (within half a pixel over the window)
    """
    shape = tuple(
        max(1, round(n * s / t))
        for n, s, t in zip(window.shape, spacing_mm, target_mm, strict=True)
    )
    step = tuple(n / m for n, m in zip(window.shape, shape, strict=True))
    origin = (window.top + (step[0] - 1) / 2, window.left + (step[1] - 1) / 2)
    spacing = (step[0] * spacing_mm[0], step[1] * spacing_mm[1])
    return Grid((shape[0], shape[1]), origin, (step[0], step[1]), spacing)


def grid_window(grid: Grid) -> GridWindow:
    """Return the window of original pixels that a grid covers.

    Raises
    ------
    SettingError: the grid does not start and end at pixel edges
    """
    edges = []
    for origin, step, n in zip(grid.origin_px, grid.step_px, grid.shape, strict=True):
        first = origin - (step - 1) / 2
        edges.append((first, first + step * n))
    whole = [(round(a), round(b)) for a, b in edges]
    if not np.allclose(edges, whole, atol=1e-3):
        raise SettingError("grid", grid, "a grid whose outer edges are pixel edges")
    (top, bottom), (left, right) = whole
    return GridWindow(top, left, bottom, right)


def to_grid(image: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Resample an image (H, W) to a grid: area average where it shrinks, linear where it grows.

    Integer types are kept (rounded), so that a 16-bit film is never copied to float at full size.
    """
    window = image[grid_window(grid).slices]
    if window.shape == grid.shape:
        return np.ascontiguousarray(window)
    if window.dtype not in _CV2_TYPES:
        window = window.astype(np.float32)
    shrinks = grid.shape[0] <= window.shape[0] and grid.shape[1] <= window.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(window, grid.shape[::-1], interpolation=interpolation)
