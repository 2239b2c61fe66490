"""Grades in a table: one row a hip. Usable for evaluation without any mask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from hoseg.datasets.documents import has_columns, read_rows
from hoseg.datasets.labelled import GradedHip, LabelledImage, LazyFilm, read_image
from hoseg.datasets.places import existing_picture, find_picture, relative_name
from hoseg.errors import InputError
from hoseg.radiograph import Side
from hoseg.words import BROOKER

REQUIRED = ("image", "brooker")


def recognises(path: Path) -> bool:
    """Whether ``path`` is a CSV with the columns ``image`` and ``brooker``."""
    return path.suffix.lower() == ".csv" and has_columns(path, REQUIRED)


def films(path: Path, spacing_mm: float | None = None) -> list[LazyFilm]:
    """Films named in the column ``image`` (relative to the CSV), with their graded hips."""
    rows: dict[str, list[dict[str, str]]] = {}
    for row in read_rows(path, REQUIRED):
        rows.setdefault(row["image"], []).append(row)
    found = []
    for name, mine in rows.items():
        hips = hips_of_rows(mine, path)
        case = relative_name(name, path).as_posix()
        patient = mine[0].get("patient") or case
        found.append(
            LazyFilm(
                case=case,
                patient=patient,
                path=find_picture(path.parent, name, path),
                split=mine[0].get("split", ""),
                reader=partial(_read, path, name, patient, hips, spacing_mm),
            )
        )
    return found


def hips_of_rows(rows: Sequence[dict[str, str]], path: Path) -> tuple[GradedHip, ...]:
    """Graded hips in the rows of one image."""
    hips = []
    for row in rows:
        grade = read_class(row.get("brooker", ""), path)
        if grade is None:
            continue
        side = row.get("side", "").lower() or "unknown"
        if side not in list(Side):
            raise InputError(
                str(path), f"side = {side!r:.80}; expected left, right or unknown", code="bad_table"
            )
        gap = row.get("gap_mm", "")
        hips.append(GradedHip(Side(side), grade, _number(gap, "gap_mm", path)))
    return tuple(hips)


def read_class(text: str, path: Path) -> int | None:
    """Brooker class written as 0-4 or I-IV; None when empty."""
    plain = text.strip().upper().removeprefix("BROOKER").strip()
    if not plain:
        return None
    if plain in BROOKER:
        return BROOKER.index(plain)
    if plain in ("1", "2", "3", "4"):
        return int(plain)
    raise InputError(str(path), f"brooker = {text!r:.80}; expected 0-4 or I-IV", code="bad_table")


def _number(text: str, key: str, path: Path) -> float | None:
    if not text:
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError as error:
        raise InputError(
            str(path), f"{key} = {text!r:.80}; expected mm", code="bad_table"
        ) from error
    if not 0 <= value < math.inf:
        raise InputError(str(path), f"{key} = {text!r:.80}; expected mm >= 0", code="bad_table")
    return value


def _read(
    table: Path, name: str, patient: str, hips: tuple[GradedHip, ...], spacing_mm: float | None
) -> LabelledImage:
    radiograph = read_image(existing_picture(table.parent, name, table), spacing_mm)
    if radiograph.side is Side.UNKNOWN and len(hips) == 1:
        radiograph = replace(radiograph, side=hips[0].side)
    return LabelledImage(relative_name(name, table).as_posix(), patient, radiograph, hips=hips)
