"""A whole evaluation: data set and model in; metrics.json, tables and report out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import hoseg
from hoseg.datasets import readings
from hoseg.datasets.labelled import Dataset, LabelledFilm
from hoseg.datasets.pool import pool
from hoseg.errors import InputError, SettingError
from hoseg.evaluate.case import CaseScore
from hoseg.evaluate.figures import Figure, summarise
from hoseg.evaluate.journal import EvaluationJournal, Heading
from hoseg.evaluate.outputs import write_metrics, write_tables
from hoseg.evaluate.page import write_page
from hoseg.evaluate.read_figures import READ_TABLES, read_pairs
from hoseg.evaluate.readers import read_grades
from hoseg.evaluate.report import model_page
from hoseg.evaluate.stream import EvaluatedModel, score_films
from hoseg.files import make_folder

JOURNAL = "journal.jsonl"
REPORT = "report.html"
METRICS = "metrics.json"
SEPARATOR = " + "
"""Between the paths of data sets that were judged together."""


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    cases: one record a film, failed ones with their error
    figures: every measure, over all films and by subgroup
    """

    cases: tuple[CaseScore, ...]
    figures: tuple[Figure, ...]

    @property
    def failed(self) -> tuple[CaseScore, ...]:
        """Films that could not be judged."""
        return tuple(case for case in self.cases if case.error)


@dataclass(frozen=True)
class Resampling:
    """How intervals are drawn."""

    repeats: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.repeats <= 100_000:
            raise SettingError("bootstrap", self.repeats, "resamples in [1, 100000]")


def evaluate(
    datasets: Sequence[Dataset],
    model: EvaluatedModel,
    out: Path,
    *,
    label: str,
    resampling: Resampling = Resampling(),
    advance: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Judge a model on data sets and write what was found below ``out``.

    Parameters
    ----------
    datasets : films with masks, grades, or both; several are judged together and each by itself
    model : what is evaluated
    out : folder; a run that was interrupted there is continued
    label : name and hash of the model; another model starts afresh
    resampling : bootstrap repeats and seed
    advance : called once a film

    Raises
    ------
    InputError
        Two films of one name; a table of grades with a class outside 0-4 or a hip twice.
    OutputError
        ``out`` cannot be written.
    """
    films = pool(datasets)
    _check_names(films)
    for dataset in datasets:
        if dataset.format == "grades":
            read_grades(dataset.path)
    make_folder(out)
    where = SEPARATOR.join(_identity(dataset) for dataset in datasets)
    heading = Heading(label, where, hoseg.__version__)
    with EvaluationJournal(out / JOURNAL, heading) as journal:
        cases = score_films(films, model, journal, out, advance)
    rng = np.random.default_rng(resampling.seed)
    more = READ_TABLES if any(case.read for case in cases) else ()
    figures = summarise(cases, rng, repeats=resampling.repeats, more=more)
    found = Evaluation(cases, figures)
    write(found, datasets, label, resampling, out)
    return found


def write(
    found: Evaluation,
    datasets: Sequence[Dataset],
    label: str,
    resampling: Resampling,
    out: Path,
) -> None:
    """Write metrics.json, the tables and the report."""
    judged = [case for case in found.cases if not case.error]
    counts = {
        "films": len(found.cases),
        "films_judged": len(judged),
        "patients": len({case.patient for case in judged}),
        "hips": sum(len(case.hips) for case in judged) + len(read_pairs(judged)),
    }
    where = SEPARATOR.join(str(dataset.path) for dataset in datasets)
    formats = SEPARATOR.join(sorted({dataset.format for dataset in datasets}))
    facts = {
        "model": label,
        "dataset": where,
        "format": formats,
        "counts": counts,
        "bootstrap": {"repeats": resampling.repeats, "seed": resampling.seed},
    }
    write_metrics(out / METRICS, found.figures, facts)
    write_tables(out, found.cases)
    lines = (
        ("model", label),
        ("data set", f"{where} ({formats})"),
        ("films", f"{counts['films_judged']} judged of {counts['films']}"),
        ("patients", count_patients(judged)),
        ("hips", str(counts["hips"])),
        ("bootstrap", f"{resampling.repeats} resamples of patients, seed {resampling.seed}"),
    )
    write_page(model_page(found.cases, found.figures, lines, out), out / REPORT)


def _identity(dataset: Dataset) -> str:
    """Where a data set lies; with what a table of readings says, which is corrected by hand."""
    where = str(dataset.path.resolve())
    if dataset.format != "readings":
        return where
    table = readings.table_of(dataset.path)
    return f"{where}@{hashlib.sha256(table.read_bytes()).hexdigest()[:16]}"


def count_patients(judged: Sequence[CaseScore]) -> str:
    """How many patients, and how many of them are films of which nobody says whom they show."""
    count = len({case.patient for case in judged})
    alone = sum(case.patient == case.case for case in judged)
    return (
        f"{count} ({alone} films without a patient, each counted as its own)"
        if alone
        else str(count)
    )


def _check_names(films: Sequence[LabelledFilm]) -> None:
    seen: dict[str, Path] = {}
    for film in films:
        if film.case in seen:
            raise InputError(
                str(film.path),
                f"is named {film.case!r} like {seen[film.case]}; give every film its own name",
                code="duplicate_case",
            )
        seen[film.case] = film.path
