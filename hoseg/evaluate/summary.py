"""From judged films to figures with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hoseg.evaluate.bootstrap import Estimate, Resamples, estimate
from hoseg.evaluate.case import CaseScore
from hoseg.evaluate.tables import Table, film_table, hip_table, lesion_table

ALL = "all"


@dataclass(frozen=True)
class Figure:
    """One figure in one stratum ("all", "class: II", "view: ap_hip", ...)."""

    name: str
    stratum: str
    estimate: Estimate
    unit: str = ""


def summarise(
    cases: Sequence[CaseScore], rng: np.random.Generator, *, repeats: int = 1000
) -> tuple[Figure, ...]:
    """Every figure over all rows and in every stratum that holds some of them.

    Parameters
    ----------
    cases : judged films; those with an error are left out
    rng : draws the patients
    repeats : bootstrap resamples
    """
    judged = [case for case in cases if not case.error]
    names = sorted({case.patient for case in judged})
    index = {name: i for i, name in enumerate(names)}
    resamples = Resamples.draw(len(names), repeats, rng)
    figures: list[Figure] = []
    for make in (film_table, hip_table, lesion_table):
        figures += table_figures(make(judged, lambda case: index[case.patient]), resamples)
    return tuple(figures)


def table_figures(table: Table, resamples: Resamples) -> list[Figure]:
    """Every measure of a table, over all its rows and in every stratum."""
    figures = []
    for measure in table.measures:
        if not len(measure.rows):
            continue
        everything = np.ones(len(table.patient), bool)
        for stratum, here in ((ALL, everything), *table.strata):
            rows = measure.rows[here[measure.rows]]
            if len(rows):
                found = estimate(measure.statistic(rows), table.patient[rows], resamples)
                figures.append(Figure(measure.name, stratum, found, measure.unit))
    return figures


def lookup(figures: Sequence[Figure], name: str, stratum: str = ALL) -> Figure | None:
    """One figure by name and stratum, or None when nothing defines it."""
    return next((f for f in figures if f.name == name and f.stratum == stratum), None)
