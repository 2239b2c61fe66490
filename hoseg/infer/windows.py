"""The part of a film the network looks at: the exposed field, grown to a shape it accepts.

A window depends on its film alone, never on the batch it travels in, and its offset keeps the
network's down-sampling grid where it lies on the whole film: an odd offset would shift the
output of a strided convolution by half a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PAD_VALUE = 0.0
"""What lies beyond the film: the centre of the normalised grey levels."""


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
