"""Which components of a network's answer stay: the last step of every engine, on the host.

Ossification is kept by its peak (``hoseg.segment.peaks``); specks of bone go, and pinholes in bone
are filled. What changes, changes in masks and probabilities alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.imaging.resample import grid_window
from hoseg.radiograph import Grid
from hoseg.segment.peaks import PeakRule, byte_level

LEAST_BONE_MM2 = 60.0
"""A piece of bone smaller than this, with nothing of the bone beside it, is a speck."""

LEAST_HOLE_MM2 = 20.0
"""A gap within a bone smaller than this is a pinhole."""

MANY = 32
"""More regions than this are painted at once, in the time of the whole film."""

_RIM = np.ones((5, 5), np.uint8)


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
        drawn = values >= rule.level
        weak = []
        for piece in pieces(drawn):
            highest = int(fine[piece.box][piece.inside].max())
            if highest < rule.peak_level:
                weak.append((piece, rule.cap(highest)))
        drop(values, masks, grid, 1 << rule.channel, drawn, weak)


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
        drawn = values >= level
        least = LEAST_BONE_MM2 / pixel_mm2, LEAST_HOLE_MM2 / pixel_mm2
        specks, pinholes = _small_regions(drawn, *least)
        drop(values, masks, grid, bit, drawn, [(region, level - 1) for region in specks])
        for region in pinholes:
            values[region.box][region.inside] = level
        _paint(masks, pinholes, grid, bit, there=True)


@dataclass(frozen=True, eq=False)
class Region:
    """A component or a hole.

    inside: (a, b) bool
    corner: (row, column) of its first pixel on the network's grid
    """

    inside: NDArray[np.bool_]
    corner: tuple[int, int]

    @property
    def box(self) -> tuple[slice, slice]:
        """Where it is on the network's grid."""
        (top, left), (height, width) = self.corner, self.inside.shape
        return slice(top, top + height), slice(left, left + width)


def pieces(drawn: NDArray[np.bool_]) -> list[Region]:
    """8-connected components of (h, w) bool."""
    column, row, width, height = cv2.boundingRect(drawn.view(np.uint8))
    if not width:
        return []
    part = drawn[row : row + height, column : column + width].view(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
    found = []
    for label in range(1, count):
        left, top, width, height = stats[label, :4].tolist()
        inside = labels[top : top + height, left : left + width] == label
        found.append(Region(inside, (row + top, column + left)))
    return found


def _small_regions(
    drawn: NDArray[np.bool_], piece_px: float, hole_px: float
) -> tuple[list[Region], list[Region]]:
    """Pieces and holes below an area (pixels); no piece that is the largest or at the border.

    Outlines are traced in a tenth of the time that labelling every pixel takes.
    """
    outlines, tree = cv2.findContours(drawn.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return [], []
    is_piece = tree[0, :, 3] < 0
    half = np.array([len(outline) for outline in outlines]) / 2
    # Pixels within, by Pick's theorem: the outline of a hole runs through the pixels round it.
    area = [cv2.contourArea(outline) for outline in outlines] + np.where(is_piece, half, -half) + 1
    largest = int(np.argmax(np.where(is_piece, area, 0)))
    specks, pinholes = [], []
    for index in np.flatnonzero(area < np.where(is_piece, piece_px, hole_px)).tolist():
        left, top, width, height = cv2.boundingRect(outlines[index])
        window = drawn[top : top + height, left : left + width]
        if is_piece[index]:
            clear = left and top and left + width < drawn.shape[1] and top + height < drawn.shape[0]
            if index != largest and clear:
                column, row = outlines[index][0, 0]
                labels = cv2.connectedComponents(window.astype(np.uint8), connectivity=8)[1]
                specks.append(Region(labels == labels[row - top, column - left], (top, left)))
        else:
            pinholes.append(Region(_enclosed(~window), (top, left)))
    return specks, pinholes


def _enclosed(gaps: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Gaps of a window (a, b) that do not reach its edge."""
    labels = cv2.connectedComponents(gaps.astype(np.uint8), connectivity=8)[1]
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return gaps & ~np.isin(labels, edge)


def drop(
    values: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    grid: Grid,
    bit: int,
    drawn: NDArray[np.bool_],
    dropped: Sequence[tuple[Region, int]],
) -> None:
    """Take components out of masks, and lower their values.

    drawn: (h, w) bool, all components
    dropped: components, each with the probability x 255 that is left to its pixels
    """
    if not dropped:
        return
    caps = np.full(values.shape, 255, np.uint8)
    for region, cap in dropped:
        caps[region.box][region.inside] = cap
    _paint(masks, [region for region, _ in dropped], grid, bit, there=False)
    _lower(values, caps, drawn & (caps == 255))


def _lower(values: NDArray[np.uint8], caps: NDArray[np.uint8], kept: NDArray[np.bool_]) -> None:
    """Lower what is dropped, and its rim, which a lower threshold would draw as a ring."""
    spread = cv2.erode(caps, _RIM, borderValue=255)
    spread[kept] = 255
    np.minimum(values, spread, out=values)


def _paint(
    masks: NDArray[np.uint8], regions: Sequence[Region], grid: Grid, bit: int, *, there: bool
) -> None:
    """Set or clear a bit wherever linear interpolation has used a pixel of a region.

    Regions are 8-connected, so the four pixels an original one lies between never belong to two of
    them: what changes is these regions and nothing else. For the same reason many of them, which
    only a network that knows little draws, can be painted as one.
    """
    window = grid_window(grid)
    if len(regions) > MANY:
        whole = np.zeros(grid.shape, bool)
        for region in regions:
            whole[region.box] |= region.inside
        regions = [Region(whole, (0, 0))]
    for region in regions:
        height, width = region.inside.shape
        padded = np.pad(region.inside, 1)
        tall = padded[:-1] | padded[1:]
        between = tall[:, :-1] | tall[:, 1:]  # (i, j): between rows i - 1 and i of the region
        rows, row_of = _between(height, region.corner[0], grid.step_px[0], window.shape[0])
        columns, column_of = _between(width, region.corner[1], grid.step_px[1], window.shape[1])
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
