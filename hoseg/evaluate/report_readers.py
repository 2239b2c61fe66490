"""The report of two readers of the same hips."""

from __future__ import annotations

from hoseg.evaluate import charts
from hoseg.evaluate.page import Chart, Grid, Page, Section, cell
from hoseg.evaluate.readers import Agreement
from hoseg.evaluate.report_hips import bland_altman
from hoseg.evaluate.summary import lookup
from hoseg.evaluate.tables import ROMAN

_LARGEST = 60  # disagreements listed


def readers_page(found: Agreement, first: str, second: str) -> Page:
    """Lay out the agreement of two readers, called ``first`` and ``second``."""
    figures = found.figures
    titles = (
        ("class.kappa_quadratic", "quadratic-weighted kappa"),
        ("class.kappa_plain", "plain kappa"),
        ("class.exact", "exact"),
        ("class.within_one", "within one class"),
        ("class.severe_kappa", "severe (III–IV) or not, kappa"),
        ("class.severe_agreement", "severe (III–IV) or not, same"),
        ("gap.bias", f"gap, {second} less {first} (mm)"),
        ("gap.limit_low", "gap, lower limit of agreement (mm)"),
        ("gap.limit_high", "gap, upper limit of agreement (mm)"),
    )
    rows = tuple(
        (title, cell(figure)) for name, title in titles if (figure := lookup(figures, name))
    )
    matrix = Chart(charts.matrix(found.matrix, ROMAN, first, second), "Brooker classes")
    gaps = bland_altman(
        figures,
        "gap",
        "Gap",
        [(a.gap_mm, b.gap_mm) for a, b in found.pairs],
        f"{second} less {first} (mm)",
    )
    apart = sorted(
        ((abs((a.brooker or 0) - (b.brooker or 0)), a, b) for a, b in found.pairs),
        key=lambda row: (-row[0], row[1].image, row[1].side),
    )
    listed = tuple(
        (a.image, a.side.value, ROMAN[a.brooker or 0], ROMAN[b.brooker or 0])
        for distance, a, b in apart[:_LARGEST]
        if distance
    )
    facts = (
        ("readers", f"{first} and {second}"),
        ("hips", f"{len(found.pairs)} graded by both"),
        ("patients", str(len({a.patient for a, _ in found.pairs}))),
        ("graded by one only", f"{found.only_first} and {found.only_second} hips"),
    )
    lead = (
        "Values with 95 % intervals from a bootstrap over patients. Published agreement of human "
        "readers on Brooker classes: kappa 0.43 (6 readers) and 0.40 to 0.60 (3 readers)."
    )
    sections = [
        Section(
            "Agreement",
            lead,
            charts=(matrix, *((gaps,) if gaps else ())),
            grids=(Grid(("", "value"), rows),),
        )
    ]
    if listed:
        head = ("image", "side", first, second)
        sections.append(Section("Hips to look at together", grids=(Grid(head, listed),)))
    return Page("How two readers agree", facts, tuple(sections))
