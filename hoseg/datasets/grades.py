"""Grades in a table: one row a hip. Usable for evaluation without any mask."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from hoseg.datasets.labelled import GradedHip, LabelledImage, LazyFilm, read_image
from hoseg.errors import InputError
from hoseg.radiograph import Side
from hoseg.words import BROOKER

REQUIRED = ("image", "brooker")


def recognises(path: Path) -> bool:
    """Whether ``path`` is a CSV with the columns ``image`` and ``brooker``."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(newline="", encoding="utf-8-sig") as stream:
        header = next(csv.reader(stream), [])
    return all(column in header for column in REQUIRED)


def films(path: Path, spacing_mm: float | None = None) -> list[LazyFilm]:
    """Films named in the column ``image`` (relative to the CSV), with their graded hips."""
    rows: dict[str, list[dict[str, str]]] = {}
    with path.open(newline="", encoding="utf-8-sig") as stream:
        for row in csv.DictReader(stream):
            rows.setdefault(row["image"], []).append({k: (v or "").strip() for k, v in row.items()})
    found = []
    for name, mine in rows.items():
        image = path.parent / name
        hips = hips_of_rows(mine, path)
        patient = mine[0].get("patient") or name
        found.append(
            LazyFilm(
                case=name,
                patient=patient,
                path=image,
                split=mine[0].get("split", ""),
                reader=partial(_read, image, name, patient, hips, spacing_mm),
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
                str(path), f"side = {side!r}; expected left, right or unknown", code="bad_table"
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
    raise InputError(str(path), f"brooker = {text!r}; expected 0-4 or I-IV", code="bad_table")


def _number(text: str, key: str, path: Path) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise InputError(str(path), f"{key} = {text!r}; expected mm", code="bad_table") from error
    if not value >= 0:
        raise InputError(str(path), f"{key} = {text!r}; expected mm >= 0", code="bad_table")
    return value


def _read(
    image: Path, case: str, patient: str, hips: tuple[GradedHip, ...], spacing_mm: float | None
) -> LabelledImage:
    radiograph = read_image(image, spacing_mm)
    if radiograph.side is Side.UNKNOWN and len(hips) == 1:
        radiograph = replace(radiograph, side=hips[0].side)
    return LabelledImage(case, patient, radiograph, hips=hips)
