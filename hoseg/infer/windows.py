"""What a network sees of a film at once: the exposed field, grown to a shape it accepts, or tiles.

A window depends on its film alone, never on the batch it travels in, and its offset keeps the
network's down-sampling grid where it lies on the whole film: an odd offset would shift the
output of a strided convolution by half a pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PAD_VALUE = 0.0
"""What lies beyond the film: the centre of the normalised grey levels."""
MIN_WEIGHT = 1e-3
"""A tile's own border still counts a little, so that the film's corners are covered."""


@dataclass(frozen=True)
class NetworkWindow:
    """A rectangle on the network grid; it may reach beyond the film.

    top, left: first row and column, multiples of the network's stride; can be negative
    shape: (h, w), multiples of the step it was made for
    """

    top: int
    left: int
    shape: tuple[int, int]


def field_window(field: NDArray[np.bool_], step: int, stride: int) -> NetworkWindow:
    """Return the smallest window that covers the exposed field.

    Parameters
    ----------
    field: (h, w) bool, True inside the exposed field; all False is taken as all True
    step: both sides of the window are multiples of this, and of at least two steps
    stride: offsets are multiples of this
    """
    top, height = _span(np.any(field, axis=1), step, stride)
    left, width = _span(np.any(field, axis=0), step, stride)
    return NetworkWindow(top, left, (height, width))


def _span(inside: NDArray[np.bool_], step: int, stride: int) -> tuple[int, int]:
    """First index and length of the shortest stretch, in one direction."""
    length = inside.size
    where = np.flatnonzero(inside)
    first, stop = (int(where[0]), int(where[-1]) + 1) if where.size else (0, length)
    first -= first % stride
    size = max(2 * step, -(-(stop - first) // step) * step)
    # Real pixels beat padding: slide back until the window ends where the film does.
    spare = max(length - size, 0)
    return min(first, -(-spare // stride) * stride), size


def cut(pixels: NDArray[np.float32], window: NetworkWindow) -> NDArray[np.float32]:
    """Copy a window out of (h, w) pixels, padded with ``PAD_VALUE`` beyond the film."""
    out = np.full(window.shape, PAD_VALUE, np.float32)
    film, inner = overlap(pixels.shape, window)
    out[inner] = pixels[film]
    return out


def paste(
    probabilities: NDArray[np.uint8], window: NetworkWindow, field: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Put (C, window) probabilities back on the film; zero outside the exposed field.

    Returns (C, h, w) uint8.
    """
    out = np.zeros((probabilities.shape[0], *field.shape), np.uint8)
    film, inner = overlap(field.shape, window)
    out[(slice(None), *film)] = probabilities[(slice(None), *inner)]
    if not field.all():
        out *= field
    return out


_Slices = tuple[slice, slice]


def overlap(shape: tuple[int, ...], window: NetworkWindow) -> tuple[_Slices, _Slices]:
    """Return what film and window share: as indices of the film, and of the window."""
    film, inner = [], []
    for first, size, length in zip((window.top, window.left), window.shape, shape[:2], strict=True):
        start, stop = max(first, 0), min(first + size, length)
        film.append(slice(start, max(stop, start)))
        inner.append(slice(start - first, max(stop, start) - first))
    return (film[0], film[1]), (inner[0], inner[1])


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
