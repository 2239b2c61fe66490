"""Grades in tables: one row a hip, by a reader, a panel or ``hoseg run`` (findings.csv).

Columns; others are ignored, other accepted names in brackets, the first that is not empty counts:

- ``sop_uid`` [``image``, ``source``, ``study``, ``study_uid``, ``case``]: which film
- ``side``: "left", "right" or "unknown" (L and R will do); default: unknown
- ``brooker`` [``class``]: 0-4, or 0, I, II, III, IV; empty = not graded
- ``patient`` [``patient_id``]: films of one patient are resampled together; default: the film
- ``gap_mm``: optional
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoseg.errors import InputError, SettingError
from hoseg.evaluate import statistics as stats
from hoseg.evaluate.bootstrap import Resamples
from hoseg.evaluate.case import CLASSES
from hoseg.evaluate.figures import Figure, Table, class_measures, gap_measures, table_figures
from hoseg.radiograph import Side
from hoseg.words import BROOKER

_NAMES = {
    "image": ("sop_uid", "image", "source", "study", "study_uid", "case"),
    "side": ("side",),
    "brooker": ("brooker", "class"),
    "patient": ("patient", "patient_id"),
    "gap_mm": ("gap_mm",),
}
_SIDES = {"left": Side.LEFT, "l": Side.LEFT, "right": Side.RIGHT, "r": Side.RIGHT}
_SIDES |= {"": Side.UNKNOWN, "unknown": Side.UNKNOWN}
_CLASSES = {name: i for i, name in enumerate(BROOKER)} | {str(i): i for i in range(CLASSES)}


@dataclass(frozen=True)
class Grade:
    """One hip as one reader graded it; ``brooker`` None = seen but not graded."""

    image: str
    side: Side
    brooker: int | None
    patient: str
    gap_mm: float | None = None


@dataclass(frozen=True, eq=False)
class Agreement:
    """Two readers on the hips that both graded.

    matrix: (5, 5) counts, rows the first reader
    pairs: (first, second) grade of every shared hip
    only_first, only_second: hips that one of them did not grade
    """

    figures: tuple[Figure, ...]
    matrix: NDArray[np.float64]
    pairs: tuple[tuple[Grade, Grade], ...]
    only_first: int
    only_second: int


def read_grades(path: Path) -> tuple[Grade, ...]:
    """Read a CSV of grades.

    Raises
    ------
    InputError
        Naming file, line, column and value: no such file, missing column, class outside 0-4,
        unknown side, negative gap, the same hip twice.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            _check_columns(path, reader.fieldnames or ())
            rows = [_grade(path, line, row) for line, row in enumerate(reader, 2)]
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            str(path), f"is not a CSV in UTF-8 ({error}); save it as CSV UTF-8", code="bad_grades"
        ) from error
    seen: dict[tuple[str, Side], int] = {}
    for line, grade in enumerate(rows, 2):
        key = (grade.image, grade.side)
        if key in seen:
            raise InputError(
                str(path),
                f"line {line}: the {grade.side} hip of image {grade.image!r} was graded on line "
                f"{seen[key]} already; keep one row a hip",
                code="duplicate_hip",
            )
        seen[key] = line
    return tuple(rows)


def compare_readers(
    first: Sequence[Grade], second: Sequence[Grade], rng: np.random.Generator, repeats: int = 1000
) -> Agreement:
    """Agreement of two readers, hip by hip, with intervals clustered by patient.

    Raises
    ------
    SettingError
        When not one hip was graded by both.
    """
    a = {(g.image, g.side): g for g in first if g.brooker is not None}
    b = {(g.image, g.side): g for g in second if g.brooker is not None}
    shared = sorted(a.keys() & b.keys())
    if not shared:
        raise SettingError(
            "--readers",
            f"{len(a)} and {len(b)} graded hips, none in common",
            "tables that share image names and sides",
        )
    pairs = tuple((a[key], b[key]) for key in shared)
    truth = np.array([x.brooker for x, _ in pairs], np.intp)
    found = np.array([y.brooker for _, y in pairs], np.intp)
    names = sorted({x.patient for x, _ in pairs})
    patient = np.array([names.index(x.patient) for x, _ in pairs], np.intp)
    measures = (
        *class_measures("class", truth, found),
        *gap_measures("gap", [x.gap_mm for x, _ in pairs], [y.gap_mm for _, y in pairs]),
    )
    strata = tuple((f"class: {name}", truth == i) for i, name in enumerate(BROOKER))
    figures = table_figures(
        Table(patient, strata, measures), Resamples.draw(len(names), repeats, rng)
    )
    matrix = stats.confusion(truth, found, CLASSES, np.ones((1, len(pairs))))[0]
    return Agreement(
        tuple(figures), matrix, pairs, len(a.keys() - b.keys()), len(b.keys() - a.keys())
    )


def _check_columns(path: Path, names: Sequence[str]) -> None:
    lower = {name.strip().lower() for name in names if name}
    for key in ("image", "brooker"):
        if not lower.intersection(_NAMES[key]):
            raise InputError(
                str(path),
                f"columns {', '.join(names) or '(none)'}; expected one named "
                f"{' or '.join(_NAMES[key])}",
                code="bad_grades",
            )


def _grade(path: Path, line: int, row: Mapping[str | None, str | list[str] | None]) -> Grade:
    cells = {(k or "").strip().lower(): v.strip() for k, v in row.items() if isinstance(v, str)}
    value = {
        key: next((cells[name] for name in names if cells.get(name)), "")
        for key, names in _NAMES.items()
    }

    def refuse(key: str, allowed: str) -> InputError:
        text = f"line {line}: {key} = {value[key]!r}; expected {allowed}"
        return InputError(str(path), text, code="bad_grades")

    if not value["image"]:
        raise refuse("image", "a name")
    if value["side"].lower() not in _SIDES:
        raise refuse("side", "left, right or unknown (the patient's side)")
    grade = value["brooker"].upper().removeprefix("BROOKER").strip()
    if grade and grade not in _CLASSES:
        raise refuse("brooker", "0, 1, 2, 3, 4 (or 0, I, II, III, IV), or empty")
    gap = _gap(value["gap_mm"])
    if gap is not None and not (math.isfinite(gap) and gap >= 0):
        raise refuse("gap_mm", "millimetres >= 0, or empty")
    return Grade(
        value["image"],
        _SIDES[value["side"].lower()],
        _CLASSES[grade] if grade else None,
        value["patient"] or value["image"],
        gap,
    )


def _gap(text: str) -> float | None:
    """Number, None when empty, nan when it is no number."""
    try:
        return float(text) if text else None
    except ValueError:
        return math.nan
