"""COCO run-length encoding, compressed and not, and polygons, as arrays.

A COCO mask counts runs of zeros and ones down the COLUMNS, starting with zeros. The compressed
form packs each count, less the one two before it, into characters of six bits (``rleToString`` of
cocoapi).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_LONGEST_NUMBER = 40  # bits
_FARTHEST_PX = 1e6  # of a corner; fixed-point numbers end at 8e6


def encode(mask: NDArray[np.bool_]) -> list[int]:
    """Counts of alternating runs of a mask (H, W), zeros first."""
    flat = np.asarray(mask, bool).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    bounds = np.concatenate([[0], edges, [flat.size]])
    counts = np.diff(bounds).tolist()
    return [0, *counts] if flat.size and flat[0] else counts


def decode(counts: Sequence[int], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mask (H, W) of counts; ValueError when they do not fill it exactly."""
    if not counts:
        raise ValueError("no runs")
    total, pixels = sum(counts), shape[0] * shape[1]
    if min(counts) < 0 or total != pixels:
        raise ValueError(f"runs sum to {total}, the image has {pixels} pixels")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(shape, order="F")


def compress(counts: Sequence[int]) -> str:
    """Counts as the compressed string of cocoapi."""
    text = []
    for i, count in enumerate(counts):
        x = int(count) - (int(counts[i - 2]) if i > 2 else 0)
        more = True
        while more:
            bits = x & 0x1F
            x >>= 5
            more = x != -1 if bits & 0x10 else x != 0
            text.append(chr((bits | 0x20 if more else bits) + 48))
    return "".join(text)


def expand(text: str) -> list[int]:
    """Counts of a compressed string; ValueError when it ends in the middle of a number."""
    counts: list[int] = []
    position = 0
    while position < len(text):
        x, shift, more = 0, 0, True
        while more:
            if position >= len(text):
                raise ValueError("the string ends inside a number")
            bits = ord(text[position]) - 48
            if not 0 <= bits < 64:
                raise ValueError(f"character {text[position]!r} is not part of the encoding")
            x |= (bits & 0x1F) << shift
            more = bool(bits & 0x20)
            position, shift = position + 1, shift + 5
            if shift > _LONGEST_NUMBER:
                raise ValueError("a number in the string is too long")
            if not more and bits & 0x10:
                x |= -1 << shift
        counts.append(x + (counts[-2] if len(counts) > 2 else 0))
    return counts


def fill_polygons(polygons: Sequence[Sequence[float]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mask (H, W) of polygons ``[x0, y0, x1, y1, ...]`` in pixel-corner coordinates.

    Corner coordinates put the centre of the first pixel at (0.5, 0.5), as COCO and LabelMe do.
    Each polygon is filled by itself; they are united. ValueError for what is no polygon.
    """
    mask = np.zeros(shape, np.uint8)
    bits = 8
    for flat in polygons:
        if len(flat) % 2 or len(flat) < 6:
            raise ValueError(f"a polygon of {len(flat)} numbers; expected x, y of three points")
        points = np.asarray(flat, np.float64).reshape(-1, 2) - 0.5
        if not (np.abs(points) < _FARTHEST_PX).all():
            raise ValueError(f"a polygon has a corner at {float(np.abs(points).max()):g} px")
        fixed = np.round(points * 2**bits).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 1, shift=bits)
    return mask > 0


def outline_polygons(mask: NDArray[np.bool_]) -> list[list[float]]:
    """Outer outlines of a mask as polygons through the centres of its edge pixels.

    Holes are lost: use run lengths where they matter.
    """
    contours, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    return [
        (contour.reshape(-1).astype(np.float64) + 0.5).tolist()
        for contour in contours
        if len(contour) >= 3
    ]
