"""Rows of letters among strokes, and how much they look like text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from hoseg.dicom.glyphs import WIDEST, Glyphs, Mask, Whole

MIN_HEIGHT_PX = 6
MIN_SHARPNESS = 0.4
MIN_LETTERS_ALONE = 3  # in one piece, where letters touch: a lone "R" is no text
GAP = 1.2  # of the text height, between letters
WORD_GAP = 2.5  # of the text height, between words of a line
MOST_GLYPHS = 20_000  # more is texture

Line = tuple[int, int, int, int]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Row:
    """Letters that stand in a row.

    boxes: (x, y, x_end, y_end), together round the row and the marks beside it
    features: (F,) how it looks, see ``FEATURES``
    """

    boxes: tuple[Line, ...]
    features: Numbers


FEATURES = (
    "log letters", "height spread", "line spread", "stroke spread", "value spread",
    "contrast spread", "smaller spread", "complexity", "sharpness", "noises", "thickness",
    "gap", "gap spread", "fill", "roughness", "log height", "log support",
)  # fmt: skip


def rows_of(glyphs: Glyphs) -> list[Row]:
    """Rows of at least two letters.

    Only glyphs that stand upright for this direction take part: higher than 6 pixels, at most
    ``WIDEST`` times as wide as high.
    """
    fit = (
        (glyphs.height >= MIN_HEIGHT_PX)
        & (glyphs.width <= WIDEST * glyphs.height)
        & (glyphs.sharpness >= MIN_SHARPNESS)
    )
    use = np.flatnonzero(fit)
    if not 0 < len(use) <= MOST_GLYPHS:
        return []
    first, second = _neighbours(glyphs, use)
    links = coo_array((np.ones(len(first)), (first, second)), shape=(len(use), len(use)))
    _, group = connected_components(links, directed=False)
    sizes = np.bincount(group)
    order = np.argsort(group, kind="stable")
    members = np.split(use[order], np.cumsum(sizes)[:-1])
    rows = []
    for row in members:
        wide = (glyphs.width[row] > 1.3 * glyphs.height[row]).any()
        if len(row) < 2 and not wide:
            continue
        letters = sum(_letters(glyphs, int(k)) for k in row)
        if letters >= (2 if len(row) > 1 else MIN_LETTERS_ALONE):
            rows.append(Row(_boxes(glyphs, row), _features(glyphs, row, letters)))
    return rows


def _neighbours(glyphs: Glyphs, use: Whole) -> tuple[Whole, Whole]:
    """Pairs (left, right), as positions in ``use``, that may be letters side by side."""
    middle = glyphs.y + glyphs.height / 2
    right_end = np.stack([glyphs.x + glyphs.width, middle], axis=1)[use]
    left_end = np.stack([glyphs.x, middle], axis=1)[use]
    height = glyphs.height[use]
    pairs: list[Whole] = []
    low = float(MIN_HEIGHT_PX)
    while low <= height.max():
        band = np.flatnonzero((height >= low) & (height < 3.7 * low))
        if len(band) > 1:
            tree = cKDTree(left_end[band])
            reach = np.full(len(band), 3.7 * low * GAP)
            near: list[list[int]] = list(
                tree.query_ball_point(right_end[band], reach, return_sorted=False)
            )
            counts = np.array([len(n) for n in near])
            flat = np.fromiter((m for n in near for m in n), np.int64, int(counts.sum()))
            pairs.append(np.stack([band[np.repeat(np.arange(len(band)), counts)], band[flat]]))
        low *= 2
    if not pairs:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing
    a, b = np.unique(np.concatenate(pairs, axis=1), axis=1)
    good = (a != b) & _continues(glyphs, use[a], use[b])
    return a[good], b[good]


def _continues(g: Glyphs, a: Whole, b: Whole) -> Mask:
    """Whether glyph ``b`` may follow ``a`` in a line of text."""
    tall = np.maximum(g.height[a], g.height[b])
    gap = g.x[b] - (g.x[a] + g.width[a])
    bottoms = np.abs((g.y[a] + g.height[a]) - (g.y[b] + g.height[b]))
    middles = np.abs((g.y[a] + g.height[a] / 2) - (g.y[b] + g.height[b] / 2))
    strokes = np.abs(np.log(g.stroke[a] / g.stroke[b]))
    contrasts = np.abs(np.log(g.contrast[a] / g.contrast[b]))
    return np.asarray(
        (gap >= -0.5 * tall)
        & (gap <= GAP * tall)
        & (np.minimum(g.height[a], g.height[b]) >= 0.55 * tall)
        & (np.minimum(bottoms, middles) <= 0.3 * tall)
        & (strokes <= np.log(2.2))
        & (contrasts <= np.log(2.5))
    )


def _features(g: Glyphs, row: Whole, letters: int) -> Numbers:
    height = float(np.median(g.height[row]))
    contrast = float(np.median(g.contrast[row]))
    tops, bottoms = g.y[row], (g.y + g.height)[row]
    line = min(_spread(v) for v in (tops, bottoms, (tops + bottoms) / 2)) / height
    value = _spread(g.value[row]) / contrast
    even = _spread(g.contrast[row]) / contrast
    order = np.argsort(g.x[row])
    ends = (g.x + g.width)[row][order]
    gaps = (g.x[row][order][1:] - ends[:-1]) / height if len(row) > 1 else np.zeros(1)
    longer = np.maximum(g.width, g.height)[row]
    fill = g.length[row] * g.stroke[row] / (g.width[row] * g.height[row])
    return np.array([
        np.log(letters),
        _spread(g.height[row]) / height,
        line,
        float(np.std(np.log(g.stroke[row]))),
        np.log(value + 0.03),
        np.log(even + 0.03),
        np.log(min(value, even) + 0.03),
        float(np.clip(g.length[row] / longer, 0, 4).mean()),
        float(np.clip(g.sharpness[row], 0, 1.5).mean()),
        np.log(float(np.median(g.noises[row]))),
        np.log(float(np.median(g.stroke[row])) / height),
        float(np.median(gaps)),
        min(_spread(gaps), 1.0),
        float(np.mean(fill)),
        float(np.clip(g.rough[row], 0, 1).mean()),
        np.log(height),
    ])  # fmt: skip


def _spread(values: Whole | Numbers) -> float:
    """Mean distance from the median."""
    return float(np.mean(np.abs(values - np.median(values))))


def _letters(glyphs: Glyphs, k: int) -> int:
    """Letters in one component: strokes cut by a row, two to a letter on average."""
    x, y, w, h = (int(v[k]) for v in (glyphs.x, glyphs.y, glyphs.width, glyphs.height))
    if w <= 1.3 * h:
        return 1
    inside = glyphs.labels[y : y + h, x : x + w] == glyphs.numbers[k]
    padded = np.pad(inside, ((0, 0), (1, 1))).astype(np.int8)
    runs = (np.diff(padded, axis=1) == 1).sum(axis=1)
    return max(1, min(round(float(np.median(runs)) / 1.7), round(1.8 * w / h)))


def _boxes(glyphs: Glyphs, row: Whole) -> tuple[Line, ...]:
    """One box round a row and the marks and short words beside it; several if it climbs."""
    height = float(np.median(glyphs.height[row]))
    top, bottom = glyphs.y[row].min(), (glyphs.y + glyphs.height)[row].max()
    if bottom - top > 2.5 * height:
        boxes = (glyphs.x, glyphs.y, glyphs.x + glyphs.width, glyphs.y + glyphs.height)
        return tuple(zip(*(edge[row].tolist() for edge in boxes), strict=True))
    start, end = glyphs.x[row].min(), (glyphs.x + glyphs.width)[row].max()
    beside = np.flatnonzero(
        (glyphs.y + glyphs.height > top)
        & (glyphs.y < bottom)
        & (glyphs.sharpness >= MIN_SHARPNESS)
        & (glyphs.height <= 2 * height)
        & (glyphs.width <= WIDEST * glyphs.height)
        & (glyphs.contrast >= 0.4 * np.median(glyphs.contrast[row]))
    )
    x, x_end = glyphs.x[beside], (glyphs.x + glyphs.width)[beside]
    while True:
        near = (x <= end + WORD_GAP * height) & (x_end >= start - WORD_GAP * height)
        new_start, new_end = min(start, x[near].min()), max(end, x_end[near].max())
        if (new_start, new_end) == (start, end):
            break
        start, end = new_start, new_end
    y, y_end = glyphs.y[beside][near], (glyphs.y + glyphs.height)[beside][near]
    return ((int(start), int(min(top, y.min())), int(end), int(max(bottom, y_end.max()))),)
