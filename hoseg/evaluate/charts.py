"""Small charts as SVG elements, drawn by matplotlib: lines, points, matrices, forests, strips.

Numbers in, text of an element out: no script, nothing to fetch, text stays text in the fonts of
the page, and the same numbers give the same bytes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito (2008): readers with any common colour blindness tell them apart.
BLUE, VERMILION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#a8558a"
PALETTE = (BLUE, VERMILION, GREEN, PURPLE)
_INK, _GREY = "#111827", "#6b7280"
_MOST_DOTS = 400  # a strip of more is a smear

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True, "axes.edgecolor": "none", "axes.labelcolor": _INK, "axes.labelpad": 8,
    "axes.grid": True, "grid.color": "#e6e9ef", "grid.linewidth": 1, "lines.linewidth": 2.2,
    "legend.frameon": False, "legend.handlelength": 1.2,
    "xtick.major.size": 0, "xtick.major.pad": 6, "xtick.color": _INK,
    "ytick.major.size": 0, "ytick.major.pad": 6, "ytick.color": _INK,
    # This font comes with matplotlib: texts take the same place everywhere.
    "font.family": "DejaVu Sans", "font.size": 12, "svg.fonttype": "none", "text.parse_math": False,
}  # fmt: skip
_DASHED: dict[str, Any] = {"color": _GREY, "linewidth": 1.2, "dashes": (4, 3)}


@dataclass(frozen=True)
class Curve:
    """One line or cloud of points.

    x, y: (n,) values; nan breaks a line
    label: name in the legend, if any
    line, dots: what is drawn
    """

    x: ArrayLike
    y: ArrayLike
    label: str = ""
    colour: str = BLUE
    line: bool = True
    dots: bool = False


@dataclass(frozen=True)
class Axis:
    """Title of one axis, and its range where the values do not give it.

    zero: the range holds zero
    """

    title: str = ""
    low: float | None = None
    high: float | None = None
    zero: bool = False


def plot(
    x: Axis,
    y: Axis,
    series: Sequence[Curve],
    label: str,
    *,
    levels: Sequence[float] = (),
    diagonal: bool = False,
) -> str:
    """Lines and points on two axes, the legend in the lower right corner.

    label: what a screen reader says
    levels: of y, drawn as dashed lines
    diagonal: draw y = x as a reference, on two axes from 0 to 1
    """

    def draw(axes: Axes) -> None:
        if diagonal:
            axes.plot([0, 1], [0, 1], **_DASHED)
        for level in levels:
            axes.axhline(level, **_DASHED)
        for one in series:
            axes.plot(
                one.x, one.y, one.colour, label=one.label or None,
                linestyle="-" if one.line else "", solid_joinstyle="round",
                marker="o" if one.dots else "", markersize=6.5 if not one.line else 5,
                markeredgewidth=0, alpha=1.0 if one.line else 0.55,
            )  # fmt: skip
        _limit(axes, x, y)
        if any(one.label for one in series):
            axes.legend(loc="lower right", borderaxespad=0.3)

    return _svg((380, 300), (56, 14, 14, 48), draw, label)


def matrix(counts: ArrayLike, names: Sequence[str], rows: str, columns: str) -> str:
    """Confusion matrix: counts, and shade by the share of the row."""
    table = np.asarray(counts, float)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    size, middles = len(names), np.arange(len(names)) + 0.5

    def draw(axes: Axes) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        shades = LinearSegmentedColormap.from_list("share", ["#f3f7fb", BLUE])
        axes.grid(False)
        axes.pcolormesh(shares, cmap=shades, vmin=0, vmax=1, edgecolors="white", linewidth=2.5)
        for (row, column), share in np.ndenumerate(shares):
            lines = [(f"{table[row, column]:.0f}", 14, 0)]
            if share > 0:
                lines = [(lines[0][0], 14, 4), (f"{100 * share:.0f} %", 10, -13)]
            for text, size_px, up_px in lines:
                axes.annotate(
                    text, (column + 0.5, row + 0.5), (0, up_px), textcoords="offset points",
                    ha="center", va="center", size=size_px, color="white" if share > 0.55 else _INK,
                )  # fmt: skip
        axes.set(xticks=middles, xticklabels=names, yticks=middles, yticklabels=names)
        axes.set(xlabel=columns, ylabel=rows, xlim=(0, size), ylim=(size, 0))
        axes.xaxis.set_label_position("top")
        axes.xaxis.tick_top()

    label = f"Confusion matrix, {rows} against {columns}"
    return _svg((62 + 54 * size, 52 + 54 * size), (54, 48, 8, 4), draw, label)


def forest(
    rows: Sequence[tuple[str, float, float | None, float | None, int]], axis: Axis, label: str
) -> str:
    """Values with intervals, one line each: (name, value, low, high, n)."""

    def draw(axes: Axes) -> None:
        for place, (_, value, low, high, n) in enumerate(rows):
            colour = VERMILION if place == 0 else BLUE
            if low is not None and high is not None:
                axes.plot([low, high], [place, place], colour, linewidth=3.5, alpha=0.4)
            axes.plot([value], [place], colour, marker="o", markersize=8.5, markeredgewidth=0)
            axes.annotate(
                f"n {n}", (1, place), (50, 0), xycoords=axes.get_yaxis_transform(),
                textcoords="offset points", ha="right", va="center_baseline", color=_GREY,
            )  # fmt: skip
        _limit(axes, axis, Axis())
        _name_rows(axes, [name for name, *_ in rows])

    return _svg((540, 22 * len(rows) + 38), (186, 6, 62, 32), draw, label)


def strips(groups: Sequence[tuple[str, ArrayLike]], axis: Axis, label: str) -> str:
    """Every film as a dot, the median and the middle half as lines, one strip a group."""
    rng = np.random.default_rng(0)  # where a dot lies across its strip means nothing

    def draw(axes: Axes) -> None:
        for place, (_, values) in enumerate(groups):
            data = np.asarray(values, float)
            if not data.size:
                continue
            shown = data if data.size <= _MOST_DOTS else rng.choice(data, _MOST_DOTS, replace=False)
            across = place + rng.uniform(-0.3, 0.3, shown.size)
            axes.scatter(shown, across, 18, BLUE, alpha=0.4, linewidth=0)
            low, middle, high = np.percentile(data, [25, 50, 75])
            axes.plot([low, high], [place, place], VERMILION, linewidth=3)
            axes.plot([middle] * 2, [place - 0.34, place + 0.34], VERMILION, linewidth=3)
        _limit(axes, axis, Axis())
        _name_rows(axes, [name for name, _ in groups])

    return _svg((540, 44 * len(groups) + 38), (92, 6, 16, 32), draw, label)


def _limit(axes: Axes, x: Axis, y: Axis) -> None:
    """Titles and ranges; what is not given follows from what is drawn."""
    axes.set(xlabel=x.title, ylabel=y.title)
    if x.zero or y.zero:
        axes.update_datalim([(0, 0)], updatex=x.zero, updatey=y.zero)
        axes.autoscale_view()
    axes.set_xlim(x.low, x.high)
    axes.set_ylim(y.low, y.high)
    axes.locator_params(nbins=6)
    for ticks in (axes.xaxis, axes.yaxis):
        ticks.set_major_formatter(lambda value, _: f"{value:g}")


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    """One name a row, from the top down."""
    axes.grid(False, axis="y")
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    axes.tick_params(axis="y", pad=8)


def _svg(
    size: tuple[int, int],
    margins: tuple[int, int, int, int],
    draw: Callable[[Axes], None],
    label: str,
) -> str:
    """An SVG element of one pair of axes.

    size: (width, height); margins: (left, top, right, bottom); in pixels of the page
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    (width, height), (left, top, right, bottom) = size, margins
    box = (left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height)
    text = StringIO()
    settings: list[Any] = ["default", _STYLE, {"svg.hashsalt": label}]
    with style.context(settings), warnings.catch_warnings():
        # The page's fonts write a name, whatever its script; matplotlib's own only measures it.
        warnings.filterwarnings("ignore", message="Glyph")
        figure = Figure((width / 72, height / 72))  # 72 points an inch: a point is a pixel
        axes = figure.add_axes(box)
        figure.patch.set_visible(False)
        axes.patch.set_visible(False)
        draw(axes)
        for artist in axes.findobj():
            artist.set_clip_on(False)
        figure.savefig(text, format="svg", metadata={"Date": None})
    body = text.getvalue()
    body = body[body.index('<g id="figure_1">') : body.rindex("</svg>")]
    body = re.sub(r'<g id="[^"]*"(/?)>', r"<g\1>", body)
    body = re.sub(r"font-family: [^;\"]*; ", "", body)  # the page's own
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(label, quote=True)}">{body}</svg>'
    )
