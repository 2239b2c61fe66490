"""Overlapping tiles with blended seams, for networks with a fixed window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hoseg.infer.windows import NetworkWindow, cut

MIN_WEIGHT = 1e-3
"""A tile's own border still counts a little, so that the film's corners are covered."""


def tile_windows(
    shape: tuple[int, int], tile: tuple[int, int], overlap: float, stride: int = 2
) -> tuple[NetworkWindow, ...]:
    """Windows of one size that cover a film, evenly spread.

    Parameters
    ----------
    shape: (h, w) of the film
    tile: (h, w) of every window
    overlap: least share of a tile that its neighbour covers too, in [0, 0.9]
    stride: offsets are multiples of this; the last ones reach over the film's edge if they must
    """
    rows = _starts(shape[0], tile[0], overlap, stride)
    columns = _starts(shape[1], tile[1], overlap, stride)
    return tuple(NetworkWindow(top, left, tile) for top in rows for left in columns)


def _starts(length: int, tile: int, overlap: float, stride: int) -> list[int]:
    """First index of each tile along one direction."""
    if length <= tile:
        return [0]
    advance = max(int(tile * (1 - overlap)) // stride * stride, stride)
    count = -(-(length - tile) // advance) + 1
    even = np.linspace(0, -(-(length - tile) // stride) * stride, count)
    return [int(start) // stride * stride for start in even]


def blend_weights(tile: tuple[int, int], overlap: float) -> NDArray[np.float32]:
    """(h, w) weights: one in the middle, a raised cosine over the share that overlaps."""
    rows, columns = (_ramp(length, overlap) for length in tile)
    return np.maximum(rows[:, None] * columns[None, :], MIN_WEIGHT).astype(np.float32)


def _ramp(length: int, overlap: float) -> NDArray[np.float64]:
    width = max(1, round(length * overlap))
    edge = (np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5) / width
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.minimum(edge, 1.0)))


def predict_tiled(
    pixels: NDArray[np.float32],
    tile: tuple[int, int],
    overlap: float,
    forward: Callable[[NDArray[np.float32]], NDArray[np.uint8]],
) -> NDArray[np.uint8]:
    """Probabilities of a film from a network that sees one tile at a time.

    Parameters
    ----------
    pixels: (h, w) float32
    tile: (h, w) the network accepts
    overlap: least share of a tile that its neighbour covers too, in [0, 0.9]
    forward: (th, tw) float32 -> (C, th, tw) uint8

    Returns
    -------
    (C, h, w) uint8. Where tiles overlap, their average weighted by ``blend_weights``.
    """
    weights = blend_weights(tile, overlap)
    height, width = pixels.shape
    total: NDArray[np.float32] | None = None
    weight_sum = np.zeros(pixels.shape, np.float32)
    for window in tile_windows(pixels.shape, tile, overlap):
        found = forward(cut(pixels, window))
        if total is None:
            total = np.zeros((found.shape[0], height, width), np.float32)
        rows = slice(window.top, min(window.top + tile[0], height))
        columns = slice(window.left, min(window.left + tile[1], width))
        inner = (slice(0, rows.stop - rows.start), slice(0, columns.stop - columns.start))
        total[:, rows, columns] += found[(slice(None), *inner)] * weights[inner]
        weight_sum[rows, columns] += weights[inner]
    if total is None:
        raise ValueError(f"a film of {pixels.shape} has no pixels")
    return np.rint(total / weight_sum).astype(np.uint8)
