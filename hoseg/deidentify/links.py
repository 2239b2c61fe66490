"""The one file that says which input became which copy, for whoever may hold the key."""

from __future__ import annotations

import csv
from pathlib import Path

from hoseg.deidentify.instances import Outcome
from hoseg.errors import SettingError
from hoseg.files import guarded, write_csv

COLUMNS = ("source", "output", "status", "reason", "number")


def check_link_file(path: Path, out: Path) -> None:
    """Refuse a place where links may not go, before any work.

    Raises
    ------
    SettingError
        Below ``out``, in no folder, or a file that is no link file.
    """
    if path.resolve().is_relative_to(out.resolve()):
        raise SettingError("--link", str(path), "a file outside --out: it identifies patients")
    if not path.resolve().parent.is_dir() or path.is_dir():
        raise SettingError("--link", str(path), "a file in an existing folder")
    _read_links(path)


def write_links(path: Path, outcome: Outcome) -> None:
    """Write one row an input, after those of earlier runs; an input has its latest row only.

    ``number`` is the input's in the manifest of this run, "" in rows of earlier ones.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    rows = [
        (guarded(source), record.output, record.status, record.reason, str(record.number))
        for source, record in zip(outcome.sources, outcome.records, strict=True)
    ]
    now = {row[0] for row in rows}
    earlier = [(*row[:-1], "") for row in _read_links(path) if row[0] not in now]
    write_csv(path, COLUMNS, [*earlier, *rows])


def _read_links(path: Path) -> list[tuple[str, ...]]:
    if not path.exists():
        return []
    allowed = "a new file, or one that --link wrote before"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error) as error:
        raise SettingError("--link", str(path), allowed) from error
    if tuple(header) != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
        raise SettingError("--link", str(path), allowed)
    return [tuple(row) for row in rows]
