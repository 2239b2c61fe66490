"""Which components stay. Hysteresis: kept by their peak, drawn at a lower threshold (Canny, 1986).

One threshold cannot do both. High enough to keep false ossification rare it shrinks every true
one; low enough to draw the true ones whole it lets false ones in. So the mask is where the
probability reaches the threshold, and of it only the components that reach the peak somewhere.

Peaks lie where a byte of probability has run out of steps (0.999 and 0.9995 are both 255), so a
network with a peak answers with one more plane for it: the same probability on a finer scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, exp, log

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.imaging.resample import grid_window
from hoseg.radiograph import Grid

FINE_SHIFT = 6.0
"""Logits between the scales: a fine plane is ``sigmoid(logit / temperature - FINE_SHIFT)``.

It resolves probabilities from 0.75 to 0.99999 in steps of 0.02 logits about its middle.
"""

LEAST_BONE_MM2 = 60.0
"""A piece of bone smaller than this, with nothing of the bone beside it, is a speck."""

LEAST_HOLE_MM2 = 20.0
"""A gap within a bone smaller than this is a pinhole."""

_RIM = np.ones((5, 5), np.uint8)


def logit(probability: float) -> float:
    """Inverse of ``expit``."""
    return log(probability / (1 - probability))


def expit(value: float) -> float:
    """Probability of a logit."""
    return 1 / (1 + exp(-value))


def byte_level(probability: float) -> int:
    """Smallest value of probability x 255 that counts as reaching a probability."""
    return min(max(ceil(probability * 255), 1), 255)


@dataclass(frozen=True)
class PeakRule:
    """Which components of one structure are kept.

    channel: of the structure
    plane: of the network's answer that holds its fine scale
    threshold, peak: probabilities; ``threshold`` draws the component, ``peak`` keeps it
    """

    channel: int
    plane: int
    threshold: float
    peak: float

    @property
    def level(self) -> int:
        """Smallest byte that belongs to the mask."""
        return byte_level(self.threshold)

    @property
    def peak_level(self) -> int:
        """Smallest byte of the fine plane that keeps a component."""
        return byte_level(expit(logit(self.peak) - FINE_SHIFT))

    def cap(self, highest: int) -> int:
        """Probability x 255 left to a component that was dropped.

        highest: its largest byte in the fine plane. As far below the threshold as that is below
        the peak, in logits, so that the order of films and components stays.
        """
        reached = logit((highest + 0.5) / 256) + FINE_SHIFT
        missing = max(logit(self.peak) - reached, 0.0)
        lowered = 255 * expit(logit(self.threshold) - missing)
        return min(int(lowered), self.level - 1)


def peak_rules(
    thresholds: Sequence[float], peaks: Sequence[float | None] | None
) -> tuple[PeakRule, ...]:
    """Rules of a model; none where there is no peak. Fine planes follow the structures."""
    rules: list[PeakRule] = []
    for channel, peak in enumerate(peaks or ()):
        if peak is not None:
            plane = len(thresholds) + len(rules)
            rules.append(PeakRule(channel, plane, thresholds[channel], peak))
    return tuple(rules)


def drop_weak(
    answer: NDArray[np.uint8], masks: NDArray[np.uint8], grid: Grid, rules: Sequence[PeakRule]
) -> None:
    """Take components without a peak out of masks and probabilities, in place.

    Every engine ends with this, on the host, so all of them keep the same components. They are
    those of the network's grid, where the peaks are; masks only interpolate it.

    answer: (C, h, w) uint8 of the network, structures first, then fine planes. A component that
        goes is lowered below the threshold with the two pixels around it.
    masks: (H, W) uint8 bits on the original grid
    """
    for rule in rules:
        values, fine = answer[rule.channel], answer[rule.plane]
        parts = _parts(values >= rule.level)
        if parts is None:
            continue
        labels, stats = parts
        inside = labels > 0
        highest = np.zeros(len(stats), np.uint8)
        np.maximum.at(highest, labels[inside], fine[inside])
        weak = {
            label: rule.cap(int(highest[label]))
            for label in np.flatnonzero(highest < rule.peak_level).tolist()
            if label
        }
        _drop(values, masks, grid, 1 << rule.channel, parts, weak)


def tidy_bones(
    answer: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    grid: Grid,
    thresholds: Mapping[int, float],
) -> None:
    """Drop specks of bones and fill pinholes in them, in masks and probabilities, in place.

    A bone is one large piece, or some. A speck is smaller than ``LEAST_BONE_MM2``, not the largest
    piece, and lies clear of the picture's border, which may show just a corner of a bone. A
    pinhole is smaller than ``LEAST_HOLE_MM2``; an obturator foramen is much larger.

    thresholds: probability from which a pixel belongs to a structure, by channel
    """
    pixel_mm2 = grid.spacing_mm[0] * grid.spacing_mm[1]
    for channel, threshold in thresholds.items():
        values, bit, level = answer[channel], 1 << channel, byte_level(threshold)
        parts = _parts(values >= level)
        if parts is None:
            continue
        largest = parts[1][1:, cv2.CC_STAT_AREA].max()
        specks = _small(parts, min(LEAST_BONE_MM2 / pixel_mm2, largest), grid)
        _drop(values, masks, grid, bit, parts, dict.fromkeys(specks, level - 1))
        gaps = _parts(values < level)
        if gaps is None:
            continue
        for label in _small(gaps, LEAST_HOLE_MM2 / pixel_mm2, grid):
            part, corner = _part(gaps, label)
            values[_box(part, corner)][part] = level
            _paint(masks, part, corner, grid, bit, there=True)


def _small(parts: _Parts, least_px: float, grid: Grid) -> list[int]:
    """Labels of the components below an area that do not touch the border of the grid."""
    left, top, wide, high, area = parts[1].T
    clear = (left > 0) & (top > 0) & (left + wide < grid.shape[1]) & (top + high < grid.shape[0])
    small = clear & (area < least_px)
    small[0] = False
    return [int(label) for label in np.flatnonzero(small)]


def _part(parts: _Parts, label: int) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """A component (a, b) bool and the (row, column) of its first pixel."""
    left, top, width, height = parts[1][label, :4].tolist()
    return parts[0][top : top + height, left : left + width] == label, (top, left)


_Parts = tuple[NDArray[np.int32], NDArray[np.int32]]


def _parts(drawn: NDArray[np.bool_]) -> _Parts | None:
    """Labels (h, w) and statistics (n, 5) of 8-connected components; None without any."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(drawn.view(np.uint8), connectivity=8)
    return None if count == 1 else (np.asarray(labels, np.int32), np.asarray(stats, np.int32))


def _box(part: NDArray[np.bool_], corner: tuple[int, int]) -> tuple[slice, slice]:
    top, left = corner
    return slice(top, top + part.shape[0]), slice(left, left + part.shape[1])


def _drop(
    values: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    grid: Grid,
    bit: int,
    parts: _Parts,
    dropped: Mapping[int, int],
) -> None:
    """Take components out of masks, and lower their values.

    dropped: label -> probability x 255 that is left to its pixels, below the threshold
    """
    if not dropped:
        return
    caps = np.full(values.shape, 255, np.uint8)
    for label, cap in dropped.items():
        part, corner = _part(parts, label)
        caps[_box(part, corner)][part] = cap
        _paint(masks, part, corner, grid, bit, there=False)
    _lower(values, caps, (parts[0] > 0) & (caps == 255))


def _lower(values: NDArray[np.uint8], caps: NDArray[np.uint8], kept: NDArray[np.bool_]) -> None:
    """Lower what is dropped, and its rim, which a lower threshold would draw as a ring."""
    spread = cv2.erode(caps, _RIM, borderValue=255)
    spread[kept] = 255
    np.minimum(values, spread, out=values)


def _paint(
    masks: NDArray[np.uint8],
    part: NDArray[np.bool_],
    corner: tuple[int, int],
    grid: Grid,
    bit: int,
    *,
    there: bool,
) -> None:
    """Set or clear a bit wherever linear interpolation has used a pixel of ``part``.

    part: (a, b) bool, pixels of a component on the network's grid
    corner: (row, column) of its first pixel there

    Components are 8-connected, so the four pixels an original one lies between never belong to
    two of them: what changes is this component and nothing else.
    """
    padded = np.pad(part, 1)
    tall = padded[:-1] | padded[1:]
    between = tall[:, :-1] | tall[:, 1:]  # (i, j): between rows i - 1 and i of the part
    window = grid_window(grid)
    rows, row_of = _between(part.shape[0], corner[0], grid.step_px[0], window.shape[0])
    columns, column_of = _between(part.shape[1], corner[1], grid.step_px[1], window.shape[1])
    inside = masks[window.slices][rows, columns]
    used = between[np.ix_(row_of, column_of)]
    if there:
        inside |= np.where(used, np.uint8(bit), np.uint8(0))
    else:
        inside &= np.where(used, np.uint8(255 - bit), np.uint8(255))


def _between(length: int, first: int, step: float, limit: int) -> tuple[slice, NDArray[np.int64]]:
    """Original pixels that interpolate ``length`` grid pixels, and which pair each lies between.

    Returns a slice of the window, and for each of its pixels ``i``: it lies between the
    ``i - 1``-th and the ``i``-th of the grid pixels, counted from ``first``.
    """
    start = max(0, int(np.floor((first - 0.5) * step - 0.5)))
    stop = min(limit, int(np.ceil((first + length + 0.5) * step - 0.5)) + 1)
    where = np.floor((np.arange(start, stop) + 0.5) / step - 0.5).astype(np.int64) - first + 1
    valid = np.flatnonzero((where >= 0) & (where <= length))
    if not valid.size:
        return slice(start, start), where[:0]
    return slice(start + int(valid[0]), start + int(valid[-1]) + 1), where[valid]
