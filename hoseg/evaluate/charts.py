"""Small SVG charts: lines, points, matrices, forests. Numbers in, text of an element out.

Hand-written, because the report must be one file that opens anywhere, stays sharp in print,
and needs no plotting library to be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import ArrayLike

# Okabe and Ito (2008): readers with any common colour blindness tell them apart.
BLUE, VERMILION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#a8558a"
GREY = "#6b7280"
PALETTE = (BLUE, VERMILION, GREEN, PURPLE)

_WIDTH, _HEIGHT = 380, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 44


@dataclass(frozen=True)
class Series:
    """One line or cloud of points.

    x, y: (n,) values; nan breaks a line
    marks: draw points instead of a line
    dashed: a reference, drawn thin and grey, without a legend entry when it has no label
    """

    x: ArrayLike
    y: ArrayLike
    label: str = ""
    colour: str = BLUE
    marks: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class Axis:
    """Range and title of one axis."""

    title: str
    low: float
    high: float

    def ticks(self) -> list[float]:
        """Round numbers, about five of them, inside the range."""
        raw = (self.high - self.low) / 5
        power = 10 ** np.floor(np.log10(raw))
        step = min((m * power for m in (1, 2, 2.5, 5, 10)), key=lambda s: abs(s - raw))
        first = np.ceil(self.low / step - 1e-9)
        count = int(np.floor(self.high / step + 1e-9) - first) + 1
        return [float((first + i) * step) for i in range(count)]


def axis_for(title: str, values: ArrayLike, *, zero: bool = False) -> Axis:
    """Axis that holds all finite values with a little room (and zero, when asked)."""
    data = np.asarray(values, float)
    data = data[np.isfinite(data)]
    low, high = (float(data.min()), float(data.max())) if data.size else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    room = 0.06 * (high - low) or 1.0
    return Axis(title, low - room, high + room)


def plot(x: Axis, y: Axis, series: Sequence[Series], label: str) -> str:
    """Lines and points on two axes, the legend in the lower right corner.

    label: what a screen reader says
    """
    body = [_frame(x, y)]
    body += [_draw(x, y, one) for one in series]
    named = [one for one in series if one.label]
    for i, one in enumerate(named):
        top = _HEIGHT - _BOTTOM - 10 - 16 * (len(named) - 1 - i)
        right = _WIDTH - _RIGHT - 8
        body.append(
            f'<circle cx="{right - 3}" cy="{top - 4}" r="4" fill="{one.colour}"/>'
            f'<text class="halo" x="{right - 12}" y="{top}" text-anchor="end">'
            f"{escape(one.label)}</text>"
        )
    return _svg(_WIDTH, _HEIGHT, "".join(body), label)


def matrix(counts: ArrayLike, names: Sequence[str], rows: str, columns: str) -> str:
    """Confusion matrix: counts, and shade by the share of the row."""
    table = np.asarray(counts, float)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    k, cell, left, top = len(names), 54, 66, 48
    parts = [
        f'<text x="{left + k * cell / 2}" y="16" text-anchor="middle">{escape(columns)}</text>',
        f'<text transform="translate(14 {top + k * cell / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(rows)}</text>',
    ]
    for i, name in enumerate(names):
        middle = i * cell + cell / 2
        parts.append(
            f'<text x="{left + middle}" y="{top - 10}" text-anchor="middle">{escape(name)}</text>'
            f'<text x="{left - 10}" y="{top + middle + 4}" text-anchor="end">{escape(name)}</text>'
        )
    for i in range(k):
        for j in range(k):
            x, y, part = left + j * cell, top + i * cell, shares[i, j]
            dark = "#ffffff" if part > 0.55 else "#111827"
            parts.append(
                f'<rect x="{x}" y="{y}" width="{cell - 2}" height="{cell - 2}" rx="3" '
                f'fill="{BLUE}" fill-opacity="{0.04 + 0.96 * part:.3f}"/>'
                f'<text x="{x + cell / 2 - 1}" y="{y + cell / 2}" text-anchor="middle" '
                f'style="fill:{dark};font-size:14px">{table[i, j]:.0f}</text>'
            )
            if not table[i, j]:
                continue
            parts.append(
                f'<text x="{x + cell / 2 - 1}" y="{y + cell / 2 + 15}" text-anchor="middle" '
                f'style="fill:{dark};font-size:10px">{100 * part:.0f} %</text>'
            )
    label = f"Confusion matrix, {rows} against {columns}"
    return _svg(left + k * cell + 8, top + k * cell + 8, "".join(parts), label)


def forest(
    rows: Sequence[tuple[str, float, float | None, float | None, int]], axis: Axis, label: str
) -> str:
    """Values with intervals, one line each: (name, value, low, high, n)."""
    left, right, line, width = 186, 60, 21, 540
    height = line * len(rows) + 40

    def at(value: float) -> float:
        share = (np.clip(value, axis.low, axis.high) - axis.low) / (axis.high - axis.low)
        return float(left + share * (width - left - right))

    parts = []
    for tick in axis.ticks():
        parts.append(
            f'<line class="grid" x1="{at(tick):.1f}" y1="6" x2="{at(tick):.1f}" '
            f'y2="{height - 32}"/><text x="{at(tick):.1f}" y="{height - 16}" '
            f'text-anchor="middle">{tick:g}</text>'
        )
    for i, (name, value, low, high, n) in enumerate(rows):
        y = 6 + line * i + line / 2
        colour = VERMILION if i == 0 else BLUE
        parts.append(f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        if low is not None and high is not None:
            parts.append(
                f'<line x1="{at(low):.1f}" y1="{y}" x2="{at(high):.1f}" y2="{y}" '
                f'stroke="{colour}" stroke-width="3" stroke-opacity="0.45"/>'
            )
        parts.append(
            f'<circle cx="{at(value):.1f}" cy="{y}" r="4.5" fill="{colour}"/>'
            f'<text x="{width - 4}" y="{y + 4}" text-anchor="end" class="quiet">n {n}</text>'
        )
    return _svg(width, height, "".join(parts), label)


def strips(groups: Sequence[tuple[str, ArrayLike]], axis: Axis, label: str) -> str:
    """Every film as a dot, the median and the middle half as lines, one strip a group."""
    left, line, width = 92, 44, 540
    height = line * len(groups) + 40
    rng = np.random.default_rng(0)  # where a dot lies across its strip means nothing

    def at(value: float) -> float:
        share = (np.clip(value, axis.low, axis.high) - axis.low) / (axis.high - axis.low)
        return float(left + share * (width - left - 14))

    parts = [
        f'<line class="grid" x1="{at(t):.1f}" y1="6" x2="{at(t):.1f}" y2="{height - 32}"/>'
        f'<text x="{at(t):.1f}" y="{height - 16}" text-anchor="middle">{t:g}</text>'
        for t in axis.ticks()
    ]
    for i, (name, values) in enumerate(groups):
        data = np.asarray(values, float)
        y = 6 + line * i + line / 2
        parts.append(f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        if not data.size:
            continue
        shown = data if data.size <= 400 else rng.choice(data, 400, replace=False)
        offsets = rng.uniform(-13, 13, shown.size)
        parts += [
            f'<circle cx="{at(v):.1f}" cy="{y + o:.1f}" r="2" fill="{BLUE}" fill-opacity="0.35"/>'
            for v, o in zip(shown, offsets, strict=True)
        ]
        low, middle, high = np.percentile(data, [25, 50, 75])
        parts.append(
            f'<line x1="{at(low):.1f}" y1="{y}" x2="{at(high):.1f}" y2="{y}" '
            f'stroke="{VERMILION}" stroke-width="3"/>'
            f'<line x1="{at(middle):.1f}" y1="{y - 14}" x2="{at(middle):.1f}" y2="{y + 14}" '
            f'stroke="{VERMILION}" stroke-width="3"/>'
        )
    return _svg(width, height, "".join(parts), label)


def _frame(x: Axis, y: Axis) -> str:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = []
    for tick in x.ticks():
        px = _px(x, tick)
        parts.append(
            f'<line class="grid" x1="{px:.1f}" y1="{_TOP}" x2="{px:.1f}" y2="{bottom}"/>'
            f'<text x="{px:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>'
        )
    for tick in y.ticks():
        py = _py(y, tick)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" y1="{py:.1f}" x2="{right}" y2="{py:.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{py + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    middle = (_LEFT + right) / 2
    parts.append(
        f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x.title)}</text>'
        f'<text transform="translate(13 {(_TOP + bottom) / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(y.title)}</text>'
    )
    return "".join(parts)


def _draw(x: Axis, y: Axis, one: Series) -> str:
    points = [
        (_px(x, float(a)), _py(y, float(b)))
        for a, b in zip(np.asarray(one.x, float), np.asarray(one.y, float), strict=True)
        if np.isfinite(a) and np.isfinite(b)
    ]
    if one.marks:
        return "".join(
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.2" fill="{one.colour}" fill-opacity="0.5"/>'
            for a, b in points
        )
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    look = (
        f'stroke="{GREY}" stroke-width="1.2" stroke-dasharray="5 4"'
        if one.dashed
        else f'stroke="{one.colour}" stroke-width="2.2" stroke-linejoin="round"'
    )
    return f'<polyline points="{path}" fill="none" {look}/>'


def _px(axis: Axis, value: float) -> float:
    share = (value - axis.low) / (axis.high - axis.low)
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _py(axis: Axis, value: float) -> float:
    share = (value - axis.low) / (axis.high - axis.low)
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _svg(width: float, height: float, body: str, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'role="img" aria-label="{escape(label, quote=True)}">{body}</svg>'
    )
