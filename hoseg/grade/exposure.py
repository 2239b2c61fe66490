"""Where the film was exposed, asked point by point: nothing is seen outside."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.imaging.resample import GridWindow, grid_window
from hoseg.radiograph import Grid

RIM_PX = 2
"""At the edge of the field its border looks like the edge of a bone, so many pixels inside."""


_Index = NDArray[np.intp] | int


@dataclass(frozen=True, eq=False)
class Visible:
    """The exposed field without its holes, ``RIM_PX`` pixels off its edge.

    A field has no holes: they are metal or gas taken for a border. A pixel is visible when no cell
    of the field's own grid within ``RIM_PX`` pixels of it is dark, which sums over the dark cells
    tell: the field is never made as large as the image.

    dark: (h + 1, w + 1) int32, sum of the dark cells above and left of each corner
    rows, columns: (2, H) and (2, W) first cell about a pixel and the one after the last; equal
        where nothing is seen
    """

    dark: NDArray[np.int32]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]

    def at(self, points_px: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether the pixels nearest to (N, 2) points of the image are visible."""
        nearest = np.rint(points_px).astype(np.int32)
        row, column = nearest[:, 0], nearest[:, 1]
        if self._all_about(row, column):
            return np.ones(len(row), bool)
        # As numbers without a sign, places before the first are beyond the last.
        within = row.view(np.uint32) < self.rows.shape[1]
        within &= column.view(np.uint32) < self.columns.shape[1]
        top, bottom = (cells.take(row, mode="clip") for cells in self.rows)
        left, right = (cells.take(column, mode="clip") for cells in self.columns)
        clear = self._sum(top, bottom, left, right) == 0
        return np.asarray(within & clear & (bottom > top) & (right > left))

    def _sum(self, top: _Index, bottom: _Index, left: _Index, right: _Index) -> NDArray[np.int32]:
        """Dark cells of rows [top, bottom) and columns [left, right)."""
        dark, width = self.dark.ravel(), self.dark.shape[1]
        bottom, top = bottom * width, top * width
        found = dark[bottom + right] - dark[top + right] - dark[bottom + left] + dark[top + left]
        return np.asarray(found, np.int32)

    def _all_about(self, row: NDArray[np.int32], column: NDArray[np.int32]) -> bool:
        """Whether all between these pixels is visible, as it is about most hips."""
        if not len(row):
            return True
        cells = []
        for along, ranges in ((row, self.rows), (column, self.columns)):
            first, last = int(along.min()), int(along.max())
            if first < 0 or last >= ranges.shape[1]:
                return False
            (begin, end), (start, stop) = ranges[:, first].tolist(), ranges[:, last].tolist()
            if begin >= end or start >= stop:
                return False
            cells.append((begin, stop))
        return not self._sum(*cells[0], *cells[1])


def find_visible(
    field: NDArray[np.bool_], shape: tuple[int, int], grid: Grid | None = None
) -> Visible | None:
    """Prepare the exposed field of an image for questions; None when all of it was exposed.

    Parameters
    ----------
    field
        (h, w) bool, True where exposed.
    shape
        (rows, columns) of the image.
    grid
        Where the field's pixels lie on the image; None = they are the image's own.
    """
    window = GridWindow(0, 0, *shape) if grid is None else grid_window(grid)
    if field.all() and window.shape == shape:
        return None
    chains, _ = cv2.findContours(field.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    dark = cv2.fillPoly(np.ones(field.shape, np.uint8), chains, (0,))
    rows = _cells(shape[0], window.top, window.bottom, field.shape[0])
    columns = _cells(shape[1], window.left, window.right, field.shape[1])
    return Visible(np.asarray(cv2.integral(dark), np.int32), rows, columns)


def _cells(whole: int, first: int, stop: int, count: int) -> NDArray[np.intp]:
    """(2, whole) range of cells within ``RIM_PX`` of each row of the image; empty outside."""
    # The cell of a pixel is what cv2 takes for nearest, as in bringing masks to the image.
    ruler = cv2.resize(
        np.arange(count, dtype=np.float32)[None], (stop - first, 1), interpolation=cv2.INTER_NEAREST
    )
    cell = np.asarray(ruler)[0].astype(np.intp)
    pixel = np.arange(whole)
    # The image's own edge hides nothing.
    low, high = np.maximum(pixel - RIM_PX, 0), np.minimum(pixel + RIM_PX, whole - 1)
    inside = (low >= first) & (high < stop)
    cells = np.zeros((2, whole), np.intp)
    cells[0, inside] = cell[low[inside] - first]
    cells[1, inside] = cell[high[inside] - first] + 1
    return cells
