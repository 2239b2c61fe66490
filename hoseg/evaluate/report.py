"""The report of a model: which figures, tables and charts stand in which section."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hoseg.evaluate import charts
from hoseg.evaluate import statistics as stats
from hoseg.evaluate.case import CaseScore, HipScore
from hoseg.evaluate.gallery import gallery
from hoseg.evaluate.page import Card, Chart, Grid, Page, Section, cell, interval, number, words
from hoseg.evaluate.report_hips import abstention, calibration, classes, gap
from hoseg.evaluate.rules import RULES
from hoseg.evaluate.summary import ALL, Figure, lookup
from hoseg.evaluate.tables import FALSE_KINDS, SIZES, film_has_ho, hip_has_ho
from hoseg.radiograph import STRUCTURES

HEADLINES = (
    ("pelvis.dice_mean", "Pelvis, Dice"),
    ("femur.dice_mean", "Femur, Dice"),
    ("implant.dice_mean", "Implant, Dice"),
    ("implant.dice_mean_1cm2", "Implant, Dice, films with ≥ 1 cm²"),
    ("ho.dice_median_hips_1cm2", "HO, median Dice, hips ≥ 1 cm²"),
    ("ho.lesion_f1", "HO lesions ≥ 0.25 cm², F1"),
    ("ho.false_per_image_without_ho", "False HO a film without HO"),
    ("class.kappa_quadratic", "Class, quadratic kappa"),
    ("class.severe_auc", "Severe (III–IV), AUC"),
)
_FAILED_SHOWN = 50


def model_page(
    cases: Sequence[CaseScore],
    figures: Sequence[Figure],
    facts: tuple[tuple[str, str], ...],
    out: Path,
) -> Page:
    """Lay out the report of one model on one data set.

    Parameters
    ----------
    cases : judged films, failed ones included
    figures : what ``summarise`` made of them
    facts : lines under the title, e.g. ("model", "adult-v1@ab12")
    out : folder below which the small pictures lie
    """
    judged = [case for case in cases if not case.error]
    hips = [hip for case in judged for hip in case.hips]
    masked = any(case.overlaps for case in judged)
    sections = [_headline(figures)]
    if masked:
        sections += [_structures(judged, figures), _lesions(judged, hips, figures)]
    if any(hip.truth is not None for hip in hips):
        sections += [classes(hips, figures), abstention(hips, figures)]
    sections += [gap(hips, figures), calibration(judged, hips, figures), _subgroups(figures)]
    sections += [gallery(judged, out), _failures(cases)]
    sections.append(Section("How the figures are defined", points=RULES))
    shown = tuple(s for s in sections if s.cards or s.charts or s.grids or s.pictures or s.points)
    return Page("How a model reads hip radiographs", facts, shown)


def _headline(figures: Sequence[Figure]) -> Section:
    cards = []
    for name, title in HEADLINES:
        figure = lookup(figures, name)
        if figure is not None and figure.estimate.value is not None:
            found = figure.estimate
            cards.append(
                Card(
                    title,
                    number(found.value, figure.unit),
                    interval(found, figure.unit),
                    f"n {found.n}, {found.patients} patients",
                )
            )
    lead = "Below each figure: its 95 % interval from a bootstrap over patients, and its rows."
    return Section("In short", lead, cards=tuple(cards))


def _structures(cases: Sequence[CaseScore], figures: Sequence[Figure]) -> Section:
    kinds = (
        "dice_mean", "dice_median", "dice_mean_1cm2", "nsd_mean", "hd95_median", "false_area_mean",
    )  # fmt: skip
    head = (
        "", "Dice, mean", "Dice, median", "Dice, mean from 1 cm²", "NSD at 2 mm",
        "HD95 (mm), median",
    )  # fmt: skip
    rows = []
    for name in (*STRUCTURES, "ossification_off_bone", "ossification_over_bone"):
        cells = (cell(lookup(figures, f"{name}.{kind}")) for kind in kinds)
        rows.append((words(name), *cells))
    strips = []
    for name in STRUCTURES:
        found = [row.dice for case in cases if (row := case.overlap(name))]
        strips.append((words(name), [d for d in found if d is not None]))
    chart = Chart(
        charts.strips(strips, charts.Axis("", 0.0, 1.0), "Dice of every film by structure"),
        "Dice of every film",
        "A dot is a film; the lines are the median and the middle half. At most 400 dots a strip.",
    )
    lead = (
        "Films on which the structure is truly present; what was painted where it is absent is "
        "the false area. Ossification is scored where it is visible."
    )
    grids = [Grid((*head, "false area where absent (mm²)"), tuple(rows))]
    border = lookup(figures, "outside_field.area_mean")
    if border is not None:
        clean = lookup(figures, "outside_field.films_kept_clean")
        names = ("painted outside the exposed field (mm²)", "films with less than 0.25 cm² there")
        grids.append(Grid(names, ((cell(border), cell(clean)),)))
    return Section("Structures", lead, charts=(chart,), grids=tuple(grids))


def _lesions(
    cases: Sequence[CaseScore], hips: Sequence[HipScore], figures: Sequence[Figure]
) -> Section:
    strata = [ALL, "place: off bone", "place: over bone", *(f"size: {size}" for size in SIZES[1:])]
    names = ("ho.lesion_sensitivity", "ho.lesion_precision", "ho.lesion_f1")
    rows = [
        (
            words(s),
            *(cell(lookup(figures, name, s)) for name in names),
            cell(lookup(figures, f"ho.{false}")),
            _rows(figures, s),
        )
        for s, false in zip(strata, ("false_per_image", *FALSE_KINDS), strict=True)
        if lookup(figures, "ho.lesion_f1", s)
    ]
    lesion = Grid(
        ("lesions", "sensitivity", "precision", "F1", "false a film", "true / predicted"),
        tuple(rows),
    )
    per_film = tuple(
        (title, cell(figure), str(figure.estimate.n))
        for name, title in (
            ("ho.false_per_image_without_ho", "false lesions a film, films without HO"),
            ("ho.films_without_ho_kept_clean", "share of films without HO kept clean"),
            ("ho.auc_image", "HO on the film or not, AUC"),
            ("ho.auc_hip", "HO at the hip or not, AUC"),
        )
        if (figure := lookup(figures, name))
    )
    series = [charts.Series([0, 1], [0, 1], dashed=True)]
    for label, colour, scored in (
        ("per film", charts.BLUE, [(c.ho_score, film_has_ho(c)) for c in cases]),
        ("per hip", charts.VERMILION, [(h.ho_score, hip_has_ho(h)) for h in hips]),
    ):
        known = [(s, y) for s, y in scored if s is not None and y is not None]
        if len({y for _, y in known}) == 2:
            x, y = stats.roc_curve([s for s, _ in known], [y for _, y in known])
            series.append(charts.Series(x, y, label, colour))
    axes = (charts.Axis("false-positive rate", 0, 1), charts.Axis("sensitivity", 0, 1))
    roc = Chart(
        charts.plot(*axes, series, "ROC of detecting ossification"),
        "Detecting ossification (ROC)",
        "Score: the probability that the most suspect 0.25 cm² reach.",
    )
    grids = (lesion, Grid(("film by film", "value", "films or hips"), per_film))
    shown = (roc,) if len(series) > 1 else ()
    return Section("Ossification, lesion by lesion", charts=shown, grids=grids)


def _rows(figures: Sequence[Figure], stratum: str) -> str:
    counts = []
    for name in ("ho.lesion_sensitivity", "ho.lesion_precision"):
        figure = lookup(figures, name, stratum)
        counts.append(str(figure.estimate.n if figure else 0))
    return " / ".join(counts)


def _subgroups(figures: Sequence[Figure]) -> Section:
    shown = []
    for name, title in HEADLINES:
        rows = [
            (words(f.stratum), f.estimate.value, f.estimate.low, f.estimate.high, f.estimate.n)
            for f in figures
            if f.name == name and f.estimate.value is not None
        ]
        if len(rows) < 2:
            continue
        limits = [v for _, value, low, high, _ in rows for v in (value, low, high) if v is not None]
        axis = charts.Axis("", max(0.0, np.floor(10 * min(limits) - 0.5) / 10), 1.0)
        if "false" in name or min(limits) < 0:
            axis = charts.axis_for("", limits, zero=True)
        shown.append(Chart(charts.forest(rows, axis, f"{title} by subgroup"), title))
    lead = (
        "Every headline figure by class, implant, size, view and maturity, with its interval. "
        "All other figures by subgroup are in metrics.json."
    )
    return Section("By subgroup", lead if shown else "", charts=tuple(shown))


def _failures(cases: Sequence[CaseScore]) -> Section:
    failed = [case for case in cases if case.error]
    rows = tuple((case.case, case.error) for case in failed[:_FAILED_SHOWN])
    if not rows:
        return Section("Films that could not be judged")
    lead = f"{len(failed)} of {len(cases)}; all of them are in cases.csv."
    return Section("Films that could not be judged", lead, grids=(Grid(("film", "why"), rows),))
