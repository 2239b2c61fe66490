"""Readings of whole films: one row a film, what a reader says of each hip, no masks.

A row has ``file`` and ``ossification``: ``none`` (no hip of the film has any), ``unread`` (nothing
is said; the film is left out), or hips such as ``left=yes:II-III;right=no``. Columns that may be
there: ``patient`` (empty: a patient of its own), ``spacing_mm`` at the hip (empty: calibrated as
``hoseg run`` does for a film that does not say), ``family``, ``implant`` (yes, no), ``view``.
Without ``family``, a name such as ``tha_fracatlas_002.png`` gives it (its second part); without
``implant``, a ``kind`` of ``tha`` means yes and ``native`` no; without ``view``, the reader's
words in ``seen`` may name it. Family, implant and view are strata: the model is not told of them.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

from hoseg.datasets.documents import has_columns, read_rows
from hoseg.datasets.grades import read_class
from hoseg.datasets.labelled import (
    FilmReading,
    HipReading,
    LabelledImage,
    LazyFilm,
    Says,
    read_image,
)
from hoseg.datasets.places import find_picture, relative_name
from hoseg.errors import InputError
from hoseg.radiograph import Side, View

TABLE = "films.csv"
"""The table's name where a folder is given."""
REQUIRED = ("file", "ossification")
NONE, UNREAD = "none", "unread"
_KINDS = {"tha": True, "native": False}
_ANSWERS = {"yes": True, "no": False, "": None}
_VIEWS = {
    "ap pelvis": View.AP_PELVIS,
    "ap hips": View.AP_PELVIS,
    "hip ap": View.AP_HIP,
    "frog": View.FROG_LEG,
    "judet": View.JUDET,
    "oblique": View.OTHER,
}
"""What readers write of a view; the first of them in ``seen`` counts."""


def table_of(path: Path) -> Path:
    """The table of a folder of films, or the table itself."""
    return path / TABLE if path.is_dir() else path


def recognises(path: Path) -> bool:
    """Whether ``path`` is such a table, or a folder with one named ``films.csv``."""
    table = table_of(path)
    return table.suffix.lower() == ".csv" and has_columns(table, REQUIRED)


def films(
    path: Path, spacing_mm: float | None = None, pictures: Path | None = None
) -> list[LazyFilm]:
    """Films of the table that were read; those said to be unread are left out.

    path: the table, or a folder that holds it as ``films.csv``
    spacing_mm: for films without a spacing of their own
    pictures: folder of the films; None = beside the table, in ``films/`` or in ``images/``

    Raises InputError ``bad_table`` for a cell that is not understood.
    """
    table = table_of(path)
    found = []
    for row in read_rows(table, REQUIRED):
        reading = film_reading(row, table)
        if reading is None:
            continue
        case = relative_name(row["file"], table).as_posix()
        own = _spacing(row.get("spacing_mm", ""), table)
        picture = _picture(row["file"], table, pictures)
        patient = row.get("patient") or case
        spacing = spacing_mm if own is None else own
        reader = partial(_read, picture, case, patient, reading, spacing)
        found.append(LazyFilm(case, patient, picture, reader, row.get("split", "")))
    return found


def film_reading(row: dict[str, str], table: Path) -> FilmReading | None:
    """What a row says; None when the film was not read."""
    text = row["ossification"].lower().replace(" ", "")
    if text == UNREAD:
        return None
    hips = () if text == NONE else tuple(_hip(part, row, table) for part in text.split(";"))
    sides = [hip.side for hip in hips]
    if len(set(sides)) < len(sides):
        raise _bad(row, "ossification", "each side once", table)
    return FilmReading(hips, _family(row), _implant(row, table), _view(row, table))


def _hip(part: str, row: dict[str, str], table: Path) -> HipReading:
    side, _, rest = part.partition("=")
    says, _, classes = rest.partition(":")
    try:
        low, high = _range(classes, table)
        hip = HipReading(Side(side), Says(says), low, high)
    except ValueError as error:
        allowed = "none, unread, or hips such as left=yes:II-III;right=no"
        raise _bad(row, "ossification", allowed, table) from error
    if (hip.says is Says.YES and low == 0) or (hip.says is Says.NO and high):
        allowed = "a class from I on with yes, 0 with no, any with unsure"
        raise _bad(row, "ossification", allowed, table)
    return hip


def _range(text: str, table: Path) -> tuple[int | None, int | None]:
    """Class, or range of classes, as lowest and highest."""
    first, _, last = text.partition("-")
    low = read_class(first, table) if first != "0" else 0
    high = read_class(last, table) if last else low
    if low is not None and high is not None and high < low:
        raise ValueError(text)
    return low, high


def _family(row: dict[str, str]) -> str:
    parts = Path(row["file"]).stem.split("_")
    return row.get("family") or (parts[1] if len(parts) == 3 else "")


def _implant(row: dict[str, str], table: Path) -> bool | None:
    said = row.get("implant", "").lower()
    if said not in _ANSWERS:
        raise _bad(row, "implant", "yes, no or empty", table)
    return _ANSWERS[said] if said else _KINDS.get(row.get("kind", "").lower())


def _view(row: dict[str, str], table: Path) -> View | None:
    said = row.get("view", "").lower()
    if said and said not in list(View):
        raise _bad(row, "view", f"empty or one of {', '.join(View)}", table)
    if said:
        return View(said)
    seen = row.get("seen", "").lower()
    named = [(seen.index(words), view) for words, view in _VIEWS.items() if words in seen]
    return min(named)[1] if named else None


def _spacing(text: str, table: Path) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 100:
        message = f"spacing_mm = {text!r:.80}; expected mm in (0, 100), or empty"
        raise InputError(str(table), message, code="bad_table")
    return value


def _picture(name: str, table: Path, pictures: Path | None) -> Path:
    for folder in (table.parent / "films",) if pictures is None else (pictures,):
        if (path := folder / relative_name(name, table)).is_file():
            return path
    return find_picture(table.parent, name, table)


def _bad(row: dict[str, str], key: str, allowed: str, table: Path) -> InputError:
    text = f"{row['file']!r:.80}: {key} = {row[key]!r:.80}; expected {allowed}"
    return InputError(str(table), text, code="bad_table")


def _read(
    picture: Path, case: str, patient: str, reading: FilmReading, spacing_mm: float | None
) -> LabelledImage:
    if not picture.is_file():
        raise InputError(str(picture), "no such film; put it there", code="not_found")
    return LabelledImage(case, patient, read_image(picture, spacing_mm), reading=reading)
