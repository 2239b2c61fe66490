"""Find what was written into the pixels, and paint it out.

A network (``text_model``) says how probable writing is at each pixel. Where it cannot be ruled out,
the place is painted over without the shapes of the letters: a few pixels of anatomy are worth less
than a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.deidentify.text_model import text_probability

LIKELY = 0.2  # probability that writing reaches somewhere in its place
POSSIBLE = 0.1  # ... and everywhere in it
LEAST_PX = 16  # smaller places are noise
MARGIN_PX = 2
MARGIN_SHARE = 0.12  # ... and of the height of a line
JOIN = 2.0  # heights of a line, between two parts of it that become one
FULL = 1.3  # the hull of both by their areas: in one line they nearly fill it
REACH = 3.0  # heights, within which more of the same ink is looked for
LEVELS = 256  # shades, of which an ink is one
INK_SHARE = 0.06  # of a place, that has the grey of the ink and is not background
CLOSED_PX = 9  # gaps between letters that disappear
MAX_MASKED_SHARE = 0.2  # more than this of an image is not annotation

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Box:
    """Rectangle in pixels: first row and column inclusive, last exclusive."""

    row: int
    column: int
    row_end: int
    column_end: int


def find_text(pixels: NDArray[np.generic]) -> Mask:
    """Letters, words and strokes of a pen, in any direction, bright or dark: (H, W) bool.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3)
        Stored values.
    """
    planes = _planes(pixels)
    probability = np.max([text_probability(plane) for plane in planes], axis=0)
    possible = (probability >= POSSIBLE).astype(np.uint8)
    count, places, stats, _ = cv2.connectedComponentsWithStats(possible, connectivity=8)
    highest = np.zeros(count, np.float32)
    np.maximum.at(highest, places.ravel(), probability.ravel())
    likely = (highest >= LIKELY) & (stats[:, cv2.CC_STAT_AREA] >= LEAST_PX)
    likely[0] = False
    mask = joined(likely[places])
    for plane in planes:
        mask |= same_ink(plane, mask)
    return _rounded(joined(mask))


def joined(mask: Mask) -> Mask:
    """The mask with the gaps between parts of one line filled."""
    outlines = _outlines(mask)
    canvas = mask.astype(np.uint8)
    if len(outlines) < 2:
        return canvas > 0
    height = np.array([_height(outline) for outline in outlines])
    area = np.array([cv2.contourArea(outline) for outline in outlines]) + 4
    x, y, w, h = np.array([cv2.boundingRect(outline) for outline in outlines]).T
    for k, outline in enumerate(outlines):
        across = np.maximum(x, x[k]) - np.minimum(x + w, x[k] + w[k])
        down = np.maximum(y, y[k]) - np.minimum(y + h, y[k] + h[k])
        gap = np.hypot(np.maximum(across, 0), np.maximum(down, 0))
        low, high = np.minimum(height, height[k]), np.maximum(height, height[k])
        for other in np.flatnonzero((gap <= JOIN * low) & (high <= 3 * low)).tolist():
            hull = cv2.convexHull(np.concatenate([outline, outlines[other]]))
            straight = FULL * (area[k] + area[other] + gap[other] * low[other])
            if other > k and cv2.contourArea(hull) <= straight:
                cv2.fillConvexPoly(canvas, hull, (1,))
    return canvas > 0


def same_ink(plane: NDArray[np.float32], mask: Mask) -> Mask:
    """Small marks near found writing that have the grey of its ink, and not of what is around."""
    span = max(float(np.ptp(plane)), 1e-6)
    level = ((plane - plane.min()) * ((LEVELS - 1) / span)).astype(np.int32)
    out = np.zeros(mask.shape, bool)
    for outline in _outlines(mask):
        height = _height(outline)
        reach = round(REACH * height)
        x, y, w, h = cv2.boundingRect(outline)
        near = np.s_[max(y - reach, 0) : y + h + reach, max(x - reach, 0) : x + w + reach]
        part, inside = level[near], mask[near]
        ink = _ink(part, inside)
        if ink is None:
            continue
        marks = (np.abs(part - ink) <= 1).astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(marks, connectivity=8)
        small = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) <= 2 * height
        small &= stats[:, cv2.CC_STAT_AREA] >= 4
        small[0] = False
        for k in np.flatnonzero(small):
            left, top, wide, high, _ = stats[k]
            box = np.s_[max(top - 2, 0) : top + high + 2, max(left - 2, 0) : left + wide + 2]
            mark = labels[box] == k
            rim = (cv2.dilate(mark.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0) & ~mark
            if abs(float(np.median(part[box][rim])) - ink) >= 8:
                out[near][box] |= mark
    return out


def _ink(level: NDArray[np.int32], inside: Mask) -> int | None:
    """The grey level that is much more common inside a place than around it."""
    counts, others = (
        np.bincount(level[where], minlength=LEVELS) / max(int(where.sum()), 1)
        for where in (inside, ~inside)
    )
    more = counts - others
    ink = int(more.argmax())
    return ink if more[ink] >= INK_SHARE else None


def _outlines(mask: Mask) -> list[NDArray[Any]]:
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return list(found)


def _height(outline: NDArray[Any]) -> float:
    """Shorter side of the smallest rectangle round an outline: the height of a line of text."""
    return max(min(cv2.minAreaRect(outline)[1]), 4.0)


def boxes_of(mask: Mask) -> tuple[Box, ...]:
    """Boxes round the connected parts of a mask, top to bottom."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return tuple(Box(y, x, y + h, x + w) for x, y, w, h, _ in stats[1:count].tolist())


def paint_out(pixels: NDArray[np.generic], mask: Mask) -> NDArray[np.generic]:
    """Copy of the pixels with each part of a mask filled with the median of what surrounds it."""
    out = pixels.copy()
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    for part, (x, y, w, h, _) in enumerate(stats[:count].tolist()):
        if part == 0:
            continue
        near = np.s_[max(y - 3, 0) : y + h + 3, max(x - 3, 0) : x + w + 3]
        inside = parts[near] == part
        around = cv2.dilate(inside.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        rim = around & ~mask[near]
        seen = pixels[near][rim if rim.any() else inside].astype(np.float64)
        out[near][inside] = np.median(seen, axis=0).astype(pixels.dtype)
    return out


def _rounded(mask: Mask) -> Mask:
    """The mask with a margin, and without gaps and holes that would show letters."""
    binary = np.pad(mask.astype(np.uint8), CLOSED_PX)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (CLOSED_PX, CLOSED_PX))
    closed = cv2.morphologyEx(binary, cv2.MORPH_CLOSE, disc)
    for outline in _outlines(closed > 0):
        margin = MARGIN_PX + round(MARGIN_SHARE * _height(outline))
        cv2.drawContours(closed, [outline], -1, (1,), cv2.FILLED)
        cv2.drawContours(closed, [outline], -1, (1,), 2 * margin)
    return closed[CLOSED_PX:-CLOSED_PX, CLOSED_PX:-CLOSED_PX] > 0


def _planes(pixels: NDArray[np.generic]) -> list[NDArray[np.float32]]:
    """Brightness; of colour pictures also how colourful they are."""
    values = np.asarray(pixels, np.float32)
    if values.ndim == 2:
        return [values]
    return [values.mean(axis=2), np.ptp(values, axis=2)]
