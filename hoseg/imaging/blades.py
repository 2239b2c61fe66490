"""Borders that the collimator's blades leave on a film, cut off by straight, possibly tilted lines.

Under lead only scatter arrives: it looks dense, never rises on the way to the edge of the film, and
at the line it falls in most rows at once. Blades that let a little through show the patient faintly
there; then the line itself tells: the picture falls across it nearly everywhere between the lines
of the other sides, and what lies outside is denser than what lies just inside. Anatomy does
neither: no bone is straight and dense to the edge of the film over the whole field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Picture = NDArray[np.float32]

_TILTS = np.tan(np.radians(np.arange(-9, 9.1, 0.5)))
_TILT_STEP = float(np.tan(np.radians(2.0)))
_DENSE = 0.72  # grey level, as a share of the range, that the border above or below has
_SCATTER_SHARE = 0.85  # share of the rows in which the level never rises on the way to the edge
_STEP = 0.03  # fall across a collimator edge, as a share of the range
_STEP_SHARE = 0.75  # share of the line's length with such a fall
_LEAST_OPEN_SHARE = 0.3  # share of the rows that must reach the field
_DEEPEST_CUT = 0.45  # share of the image that one side's border may take

_LEAKY_TILTS = np.tan(np.radians(np.arange(-18, 18.1, 2.0)))
_LEAKY_TURNS = np.tan(np.radians(np.arange(-1.5, 1.6, 0.5)))  # about the best of these
_LEAKY_STEP = 0.04  # fall across the edge of leaky blades, as a share of the range
_LARGEST_STEP = 0.3  # a larger fall, as beside metal, counts no more
_SOME_SHARE = 0.5  # share of all rows with such a fall, to look closer
_LEAKY_SHARE = 0.92  # share of the rows between the other sides' lines
_DENSER_WIDTH = 0.75  # share of a row of the border that is denser than what lies beside it
_DENSER_SHARE = 0.65  # share of the rows that are so
_LENGTH_SHARE = 0.7  # share of the height of the field that the line must span
_WORTH = 0.01  # share of the image that a line must cut off
_CORNER = 7  # rows about a corner of the field that do not count


@dataclass(frozen=True)
class _Line:
    """The edge of a border on the left of a picture that was turned by ``turns`` x 90 degrees.

    column: first column inside, at half height
    tilt: columns a row
    """

    turns: int
    column: float
    tilt: float

    def columns(self, rows: int) -> NDArray[np.intp]:
        """First column inside, of each row of the turned picture."""
        first = self.column + self.tilt * (np.arange(rows) - (rows - 1) / 2)
        return np.round(first).astype(np.intp)

    def inside(self, shape: tuple[int, ...], scale: int = 1) -> Mask:
        """(h, w) bool on a picture ``scale`` times as large as that of the line."""
        h, w = shape if self.turns % 2 == 0 else shape[::-1]
        first = scale * self.column + self.tilt * (np.arange(h) - (h - 1) / 2)
        return np.rot90(np.arange(w)[None, :] > first[:, None] + (scale - 1) / 2, -self.turns)


def inside_blades(dense: Picture, painted: Mask) -> Mask:
    """Return the field that the blades leave.

    Parameters
    ----------
    dense: (h, w) float32 thumbnail, larger values are denser
    painted: (h, w) bool, the field within painted borders

    Returns
    -------
    (h, w) bool, convex; everywhere when no border is found
    """
    low, high = np.quantile(dense[::2, ::2], (0.005, 0.995))
    field = np.ones(dense.shape, bool)
    if not high > low:
        return field
    level = np.clip((dense - low) / (high - low), 0, 1).astype(np.float32)
    level[~painted] = 1.0  # painted borders count as border for the lines beside them
    half = (max(1, round(level.shape[1] / 2)), max(1, round(level.shape[0] / 2)))
    level = cv2.resize(cv2.blur(level, (3, 3)), half, interpolation=cv2.INTER_AREA)
    turned = [np.ascontiguousarray(np.rot90(level, turns)) for turns in range(4)]
    edges = [_find_left_edge(picture, turns) for turns, picture in enumerate(turned)]
    for line in edges:
        if line is not None:
            field &= line.inside(field.shape, 2)
            level[~line.inside(level.shape)] = 1.0
    for line in _leaky_lines(level):
        inside = line.inside(field.shape, 2)
        if np.count_nonzero(field & painted & ~inside) >= _WORTH * field.size:
            field &= inside
    return field


def _find_left_edge(level: Picture, turns: int) -> _Line | None:
    """Find the edge of a border of scatter on the left side, or None."""
    h, w = level.shape
    # Rows that are dense from side to side are the border above or below.
    rows = level.min(axis=1) < _DENSE
    if w < 16 or np.count_nonzero(rows) < _LEAST_OPEN_SHARE * h:
        return None
    n = int(_DEEPEST_CUT * w)
    near = np.ascontiguousarray(level[:, : n + 3].T)  # numpy is at its best down the rows
    step = near[:-3] - near[3:]
    rise = np.maximum.accumulate(near - np.minimum.accumulate(near, axis=0), axis=0)[1:-2]
    evidence = np.empty((h, n, 3), np.uint8)
    evidence[..., 0] = np.where(step > _STEP, 255, 0).T
    evidence[..., 1] = np.where(rise <= _STEP, 255, 0).T
    evidence[..., 2] = (np.clip(step, 0, 1) * 255).T
    # In the first pass, steps a little off a line count.
    wide = cv2.dilate(evidence, np.ones((1, 5), np.uint8)).astype(np.uint8)
    # A line needs both in so many rows.
    both = ((wide[..., 0] > 0) & (wide[..., 1] > 0)).any(axis=1)
    if np.count_nonzero(both & rows) < (_STEP_SHARE + _SCATTER_SHARE - 1) * np.count_nonzero(rows):
        return None
    coarse = max((*_fall_across(wide, rows, tilt), tilt) for tilt in _TILTS[::6])
    if coarse[0] <= 0:
        return None
    near = _TILTS[np.abs(_TILTS - coarse[2]) < _TILT_STEP]
    fall, column, tilt = max((*_fall_across(evidence, rows, tilt), tilt) for tilt in near)
    return _Line(turns, float(column), float(tilt)) if fall > 0 else None


def _fall_across(evidence: NDArray[np.uint8], rows: Mask, tilt: float) -> tuple[float, int]:
    """Return the mean fall across the best line of this tilt and its column; 0 without a line.

    evidence: (h, n, 3), 255 where the level falls by a step, 255 where it has not risen on the way
        from the left, and the size of the step
    rows: (h,) bool, the rows that count
    """
    upright = _upright(evidence, tilt, (0, 255, 0))[rows]
    share = cv2.reduce(upright, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0] / (255 * len(upright))
    fits = (share[:, 0] >= _STEP_SHARE) & (share[:, 1] >= _SCATTER_SHARE)
    fall = np.where(fits, share[:, 2], 0)
    best = int(np.argmax(fall))
    return float(fall[best]), best + 2


def _upright(picture: NDArray[Any], tilt: float, border: Sequence[float] = (0,)) -> NDArray[Any]:
    """Shear a picture so that lines of a tilt stand upright."""
    h, n = picture.shape[:2]
    shear = np.array([[1, -tilt, tilt * (h - 1) / 2], [0, 1, 0]])
    return cv2.warpAffine(picture, shear, (n, h), flags=cv2.INTER_NEAREST, borderValue=border)


def _column_sums(picture: NDArray[Any], tilt: float) -> NDArray[np.float32]:
    """Sums along lines of a tilt."""
    sums = cv2.reduce(_upright(picture, tilt), 0, cv2.REDUCE_SUM, dtype=cv2.CV_32F)
    return np.asarray(sums[0], np.float32)


def _leaky_lines(level: Picture) -> list[_Line]:
    """Find the edges of blades that let something through, on any side."""
    found: dict[_Line, Mask] = {}
    for turns in range(4):
        turned = np.ascontiguousarray(np.rot90(level, turns))
        candidate = _leaky_candidate(turned, turns)
        if candidate is not None and _denser_outside(turned, candidate[0]):
            found[candidate[0]] = candidate[1]
    for _ in range(2):  # a line that falls away makes others longer
        for line in list(found):
            others = np.ones(level.shape, bool)
            for other in found:
                if other is not line:
                    others &= other.inside(level.shape)
            if not _falls_everywhere(line, found[line], others):
                del found[line]
    return list(found)


def _leaky_candidate(level: Picture, turns: int) -> tuple[_Line, Mask] | None:
    """The likeliest left edge, and where (h, n) the level falls two columns further right."""
    h, w = level.shape
    n = int(_DEEPEST_CUT * w)
    pair = level[:, : n + 2] + level[:, 1 : n + 3]
    fall = (pair[:, :-2] - pair[:, 2:]) / 2
    falls = (fall > _LEAKY_STEP).astype(np.uint8)
    if w < 16 or np.count_nonzero(falls.any(axis=1)) < _SOME_SHARE * h:
        return None
    wide = cv2.dilate(falls, np.ones((1, 5), np.uint8)).astype(np.uint8)
    few = np.ascontiguousarray(wide[::3])  # a third of the rows will do for a start
    counts = [_column_sums(few, 3 * tilt) for tilt in _LEAKY_TILTS]
    best = int(np.argmax([count.max() for count in counts]))
    if counts[best].max() < _SOME_SHARE * len(few):
        return None
    about = int(counts[best].argmax())
    size = np.clip(fall, 0, _LARGEST_STEP)
    places = slice(max(0, about - 3), about + 4)
    lines = []
    for tilt in _LEAKY_TILTS[best] + _LEAKY_TURNS:
        sums = _column_sums(size, tilt)[places]
        lines.append((float(sums.max()), places.start + int(sums.argmax()), float(tilt)))
    _, column, tilt = max(lines)
    near = cv2.dilate(falls, np.ones((1, 3), np.uint8)) > 0
    return _Line(turns, column + 2.0, tilt), near


def _denser_outside(level: Picture, line: _Line) -> bool:
    """Whether most of the border is denser than what lies beside it, in most rows."""
    h, w = level.shape
    first = line.columns(h)
    rows = np.flatnonzero((first >= 3) & (first <= w - 4))
    if not len(rows):
        return False
    beside = level[rows[:, None], first[rows, None] + np.arange(1, 4)].mean(axis=1)
    denser = level[rows] > beside[:, None]
    outside = np.arange(w)[None, :] < first[rows, None] - 1
    share = (denser & outside).sum(axis=1) / outside.sum(axis=1)
    return bool((share >= _DENSER_WIDTH).mean() >= _DENSER_SHARE)


def _falls_everywhere(line: _Line, falls: Mask, others: Mask) -> bool:
    """Whether the level falls across nearly all of a line that lies inside the other lines."""
    turned = np.ascontiguousarray(np.rot90(others, line.turns)).view(np.uint8)
    clear = cv2.erode(turned, np.ones((_CORNER, 1), np.uint8), borderValue=(1,))
    h, w = clear.shape
    first = line.columns(h)
    rows = np.flatnonzero((first >= 2) & (first - 2 < falls.shape[1]) & (first < w))
    rows = rows[clear[rows, first[rows]] > 0]
    if len(rows) < max(_LEAST_OPEN_SHARE * h, _LENGTH_SHARE * np.count_nonzero(clear.any(axis=1))):
        return False
    return bool(falls[rows, first[rows] - 2].mean() >= _LEAKY_SHARE)
