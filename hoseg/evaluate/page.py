"""A report as sections of blocks, and the one template that turns it into a self-contained page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from jinja2 import Environment, select_autoescape
from markupsafe import Markup

import hoseg
from hoseg.evaluate.bootstrap import Estimate
from hoseg.evaluate.figures import Figure
from hoseg.files import write_whole
from hoseg.words import RESEARCH_USE


@dataclass(frozen=True)
class FigureCard:
    """One headline figure."""

    title: str
    value: str
    interval: str
    note: str = ""


@dataclass(frozen=True)
class TextTable:
    """A table of text; the first column names the row."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Chart:
    """An SVG element with a title and what to look for."""

    svg: str
    title: str
    caption: str = ""

    @property
    def markup(self) -> Markup:
        """The element as safe markup: ``hoseg.evaluate.charts`` escapes every text in it."""
        return Markup(self.svg)


@dataclass(frozen=True)
class Picture:
    """A JPEG with a caption."""

    jpeg: bytes
    title: str
    caption: str = ""

    @property
    def data(self) -> str:
        """The picture as a data URL."""
        return "data:image/jpeg;base64," + base64.b64encode(self.jpeg).decode("ascii")


@dataclass(frozen=True)
class Section:
    """One heading with what stands below it, in this order; ``folded`` hides it at first."""

    title: str
    lead: str = ""
    cards: tuple[FigureCard, ...] = ()
    charts: tuple[Chart, ...] = ()
    grids: tuple[TextTable, ...] = ()
    pictures: tuple[Picture, ...] = ()
    points: tuple[str, ...] = ()
    folded: bool = False


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def write_page(page: Page, path: Path) -> None:
    """Write the page; pictures, styles and charts are inside, nothing is fetched."""
    environment = Environment(autoescape=select_autoescape(default=True), trim_blocks=True)
    source = resources.files("hoseg.evaluate").joinpath("page.html.j2").read_text("utf-8")
    text = environment.from_string(source).render(
        page=page, version=hoseg.__version__, research_use=RESEARCH_USE
    )
    write_whole(path, text, flush=True)


def number(value: float | None, unit: str = "") -> str:
    """A figure as text: three decimals, or two where it is millimetres or a rate."""
    if value is None:
        return "–"
    if unit == "mm2":
        return f"{value:.1f}"
    return f"{value:.2f}" if unit else f"{value:.3f}"


def interval(found: Estimate, unit: str = "") -> str:
    """The 95 % interval as text, empty when there is none."""
    if found.low is None or found.high is None:
        return ""
    return f"{number(found.low, unit)} to {number(found.high, unit)}"


def cell(figure: Figure | None) -> str:
    """Value and interval in one cell."""
    if figure is None or figure.estimate.value is None:
        return "–"
    span = interval(figure.estimate, figure.unit)
    # A narrow column breaks between value and interval, nowhere else.
    span = f" ({span})".replace(" to ", "\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}") if span else ""
    return number(figure.estimate.value, figure.unit) + span


def words(name: str) -> str:
    """A stratum or structure name as a reader wants it."""
    plain = name.replace("_", " ").replace("cm2", "cm²").replace(">=", "≥")
    return plain.replace("ossification", "HO").replace("size: no HO", "no HO").replace("size: ", "")
