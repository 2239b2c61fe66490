"""Sub-pixel outlines of binary masks.

A mask of pixel centres knows its edge to about half a pixel. The chain of border pixels is
smoothed by a local quadratic (Savgol), which keeps the curvature of a spur's tip where a blur
would shorten it and dilutes a single stray pixel to a third, and is then moved outwards by the
mean depth of border pixels inside a straight edge: ``0.5 * max(|n_row|, |n_column|)`` pixels
for an edge with the unit normal ``n``. A flat edge between two pixel rows comes out exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, maximum_filter1d, minimum_filter1d

MAX_OUTLINES = 100
"""The largest so many edges of a mask are traced; a mask with more is noise."""
THIN_MM = 0.25
"""Outlines are thinned to points about this far apart; the error of a distance is below 0.01 mm."""
SMOOTHING_MM = 3.0
"""Length of outline that a local quadratic is fitted to; 7 to 31 pixels whatever the spacing."""


@dataclass(frozen=True, eq=False)
class Outline:
    """One closed edge.

    points_px: (N, 2) sub-pixel (row, column)
    chain: (N, 1, 2) int32, the border pixels as OpenCV gives them, (column, row)
    area_px: enclosed pixels, about
    hole: whether it bounds a hole rather than a piece
    """

    points_px: NDArray[np.float64]
    chain: NDArray[np.int32]
    area_px: float
    hole: bool = False


def trace_outlines(
    mask: NDArray[np.uint8],
    spacing_mm: float,
    *,
    corner: tuple[int, int] = (0, 0),
    min_area_px: float = 0.0,
    min_hole_px: float = np.inf,
) -> list[Outline]:
    """Outlines of the pieces of a mask, and of their holes.

    Parameters
    ----------
    mask
        (H, W) uint8, non-zero inside.
    spacing_mm
        Mean pixel spacing (mm); sets the length of the smoothing.
    corner
        (row, column) of the image at which the mask begins; points are given on the image.
    min_area_px
        Pieces below this are left out.
    min_hole_px
        Holes below this are left out; holes are ignored by default.
    """
    mode = cv2.RETR_EXTERNAL if np.isinf(min_hole_px) else cv2.RETR_CCOMP
    chains, hierarchy = cv2.findContours(mask, mode, cv2.CHAIN_APPROX_NONE, offset=corner[::-1])
    if not chains:
        return []
    window = int(np.clip(SMOOTHING_MM / spacing_mm, 7, 31)) | 1
    kept = []
    for index, (chain, (_, _, _, parent)) in enumerate(zip(chains, hierarchy[0], strict=True)):
        # Border pixels' centres enclose less than the pixels do: half of each is missing.
        hole = parent >= 0
        area = cv2.contourArea(chain) + (-0.5 if hole else 0.5) * len(chain)
        if area >= (min_hole_px if hole else min_area_px):
            kept.append((area, index, hole))
    largest = sorted(sorted(kept, reverse=True)[:MAX_OUTLINES], key=lambda entry: entry[1])
    return [
        Outline(_surface(chains[i][:, 0, ::-1].astype(float), window), np.asarray(chains[i]), a, h)
        for a, i, h in largest
    ]


def thin(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Every so-many-th of a run of (N, 2) outline points in mm, about ``THIN_MM`` apart."""
    if len(points) < 16:
        return points
    step = float(np.median(np.hypot(*np.diff(points[:256], axis=0).T)))
    return points[:: max(1, int(THIN_MM / max(step, 1e-6)))]


def fill(
    outlines: list[Outline], shape: tuple[int, ...], corner: tuple[int, int] = (0, 0)
) -> NDArray[np.uint8]:
    """Paint outlines back: 1 inside the pieces, 0 in the holes that were kept.

    ``shape`` and ``corner`` say which part of the image is painted.
    """
    mask = np.zeros(shape, np.uint8)
    shift = (-corner[1], -corner[0])
    pieces = [outline.chain for outline in outlines if not outline.hole]
    cv2.fillPoly(mask, pieces, 1, offset=shift)
    for outline in outlines:
        if outline.hole:  # its chain runs on the piece's own border pixels, which stay
            cv2.fillPoly(mask, [outline.chain], 0, offset=shift)
            cv2.polylines(mask, [outline.chain - np.array(corner[::-1], np.int32)], True, 1)
    return mask


def _surface(chain: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Smooth a closed (N, 2) chain of border pixel centres and move it out to the edge."""
    if len(chain) < 5:
        return chain
    window = min(window, len(chain) - 1 + len(chain) % 2)
    x = np.ascontiguousarray(chain.T)  # filters run along rows
    smooth = correlate1d(x, _weights(window, 0), mode="wrap")
    # A quadratic swings out beside a square corner: keep it among the pixels it was fitted to.
    low = minimum_filter1d(x, window, mode="wrap")
    np.clip(smooth, low, maximum_filter1d(x, window, mode="wrap"), out=smooth)
    tangent = correlate1d(x, _weights(window, 1), mode="wrap")
    # OpenCV walks pieces and holes so that the outside lies on the same hand.
    normal = np.stack([tangent[1], -tangent[0]])
    normal /= np.maximum(np.hypot(*tangent), 1e-9)
    smooth += 0.5 * np.abs(normal).max(axis=0) * normal
    return np.ascontiguousarray(smooth.T)


@lru_cache(maxsize=64)
def _weights(window: int, derivative: int) -> NDArray[np.float64]:
    """Weights of a local quadratic, at its middle (Savitzky & Golay 1964)."""
    powers = np.vander(np.arange(window) - window // 2, 3, increasing=True).astype(float)
    return np.asarray(np.linalg.pinv(powers)[derivative])
