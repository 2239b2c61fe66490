"""Figures of films that a reader judged by eye, hip by hip and film by film."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hoseg.datasets.labelled import Says
from hoseg.evaluate.case import CaseScore
from hoseg.evaluate.figures import (
    DATA_SET,
    Mask,
    Measure,
    Table,
    auc_measure,
    defined,
    mean_of,
    median_of,
    over,
    split,
    split_by_name,
)
from hoseg.evaluate.film_places import PLACES
from hoseg.evaluate.read_films import RESOLUTIONS, ReadFilm, ReadHip
from hoseg.words import BROOKER

IMPLANT = ("no", "yes", "not said")
HIP_FIGURES = (
    ("read.healthy_above_0", "Healthy hips above class 0"),
    ("read.sensitivity", "Hips with ossification above class 0"),
    ("read.auc", "AUC of P(class ≥ I)"),
    ("read.within_range", "Class within the reader's range"),
    ("read.abstained", "Hips abstained on"),
    ("read.healthy_chance_median", "Median P(0) of healthy hips"),
)
FILM_FIGURES = (
    ("read.false_pieces_per_film", "False pieces a film"),
    ("read.stray_bones_per_film", "Bone pieces over 1 cm² apart from their bone, a film"),
    ("read.metal_on_native_per_film", "Implant pieces, a film without implant"),
)
FIGURES = (
    *(name for name, _ in (*HIP_FIGURES, *FILM_FIGURES)),
    "read.healthy_abstained",
    "read.ossified_abstained",
    *(f"read.false_pieces_at.{name}" for name in PLACES),
)
"""Every figure of this table and of films: what a limit may name."""


def read_pairs(cases: Sequence[CaseScore]) -> list[tuple[CaseScore, ReadFilm, ReadHip]]:
    """Every hip that a reader judged, with its film."""
    return [(case, case.read, hip) for case in cases if case.read for hip in case.read.hips]


def read_hip_table(cases: Sequence[CaseScore], patient_of: Callable[[CaseScore], int]) -> Table:
    """False alarms, sensitivity, agreement and abstention, hip by hip.

    Rates of classes are over graded hips. Hips of which the reader was unsure are in none of
    them; a class range is compared where the reader gave one to a hip with ossification.
    """
    rows = read_pairs(cases)
    hips = [hip for *_, hip in rows]
    no, yes = (np.array([h.says is says for h in hips], bool) for says in (Says.NO, Says.YES))
    found = np.array([-1 if h.predicted is None else h.predicted for h in hips], int)
    lowest = np.array([-1 if h.lowest is None else h.lowest for h in hips], int)
    highest = np.array([-1 if h.highest is None else h.highest for h in hips], int)
    graded, within = found >= 0, (found >= lowest) & (found <= highest)
    label = [None if h.says is Says.UNSURE else h.says is Says.YES for h in hips]
    healthy = [h.healthy_chance if h.says is Says.NO else None for h in hips]
    measures = (
        _share("read.healthy_above_0", no & graded, found > 0),
        _share("read.sensitivity", yes & graded, found > 0),
        auc_measure("read.auc", [h.chance for h in hips], label),
        _share("read.within_range", yes & graded & (lowest >= 0), within),
        _share("read.abstained", no | yes, ~graded),
        _share("read.healthy_abstained", no, ~graded),
        _share("read.ossified_abstained", yes, ~graded),
        defined("read.healthy_chance_median", healthy, median_of),
    )
    read_class = np.where(yes, lowest, -1).tolist()
    strata = (*_strata([(c, f) for c, f, _ in rows]), *split("read class", read_class, BROOKER))
    patients = np.array([patient_of(case) for case, *_ in rows], np.intp)
    return Table(patients, strata, measures)


def read_film_table(cases: Sequence[CaseScore], patient_of: Callable[[CaseScore], int]) -> Table:
    """False pieces of ossification by place, stray bone and metal that is not there."""
    rows = [(case, case.read) for case in cases if case.read]
    healthy = [[h for h in film.hips if h.says is Says.NO] for _, film in rows]
    places = [[place for h in hips for place in h.places] for hips in healthy]
    some = [bool(hips) for hips in healthy]
    native = [film.implant is False for _, film in rows]
    stray = [film.stray_bones for _, film in rows]
    metal = [film.metal_pieces for _, film in rows]
    measures = [
        _count("read.false_pieces_per_film", some, [*map(len, places)]),
        _count("read.stray_bones_per_film", np.ones(len(rows)), stray),
        _count("read.metal_on_native_per_film", native, metal),
    ]
    for name in PLACES:
        here = [found.count(name) for found in places]
        measures.append(_count(f"read.false_pieces_at.{name}", some, here))
    patients = np.array([patient_of(case) for case, _ in rows], np.intp)
    return Table(patients, tuple(_strata(rows)), tuple(measures))


def _share(name: str, rows: ArrayLike, hits: NDArray[np.bool_]) -> Measure:
    return replace(over(name, rows, partial(mean_of, hits)), events="share")


def _count(name: str, rows: ArrayLike, counts: Sequence[int]) -> Measure:
    return replace(over(name, rows, partial(mean_of, counts), "per image"), events="count")


READ_TABLES = (read_hip_table, read_film_table)


def _strata(rows: Sequence[tuple[CaseScore, ReadFilm]]) -> list[tuple[str, Mask]]:
    implant = [2 if film.implant is None else int(film.implant) for _, film in rows]
    return [
        *split_by_name(DATA_SET, [case.dataset for case, _ in rows]),
        *split_by_name("family", [film.family for _, film in rows]),
        *split("implant", implant, IMPLANT),
        *split("resolution", [RESOLUTIONS.index(f.resolution) for _, f in rows], RESOLUTIONS),
        *split_by_name("view", [case.view.value for case, _ in rows]),
    ]
