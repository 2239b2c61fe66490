"""The memory of a run: which inputs there are, and what came of each. Survives kill -9.

One SQLite file in the output folder. A row is written in one transaction after the image's
folder has its final name, so a row that says "done" is never about half-written files.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from hoseg.errors import OutputError

_TABLES = """
CREATE TABLE IF NOT EXISTS inputs (
    source TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    stamp TEXT NOT NULL,
    run TEXT NOT NULL,
    study TEXT NOT NULL,
    status TEXT NOT NULL,
    image TEXT NOT NULL,
    hips TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_position ON inputs (position);
CREATE INDEX IF NOT EXISTS by_study ON inputs (study);
"""


@dataclass(frozen=True)
class Entry:
    """What came of one input.

    source: the input as named by the user
    stamp: size and time of the file; another stamp means another file
    study: name of the study's folder, "" when the input could not be read
    status: graded, abstained, skipped or failed
    image: row of ``images.csv``
    hips: rows of ``findings.csv``
    """

    source: str
    stamp: str
    study: str
    status: str
    image: dict[str, str]
    hips: tuple[dict[str, str], ...]


class Journal:
    """Open or make the journal of an output folder.

    path: the SQLite file
    run: fingerprint of version, model and settings; entries of other runs are done again.
        None = that of most entries, to look at a finished run

    Raises
    ------
    OutputError: the file cannot be written, or is not a journal
    """

    def __init__(self, path: Path, run: str | None) -> None:
        self.path = path
        try:
            self._base = sqlite3.connect(path, timeout=5)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA locking_mode=EXCLUSIVE")
            # Without waiting for the disk at every row: kill -9 loses none, and a power cut at
            # most the last ones, whose images are then done again.
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.executescript(_TABLES)
            self.run = self._latest_run() if run is None else run
        except sqlite3.DatabaseError as error:
            raise OutputError(
                f"{path}: {error}; another run may be using this folder, or the file is not a "
                "journal of hoseg: choose another --out"
            ) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._base.close()

    def keep(self, source: str, stamp: str, position: int) -> bool:
        """Whether this very input was done by this very run; its place in the tables is noted."""
        with self._base:
            changed = self._base.execute(
                "UPDATE inputs SET position = ? WHERE source = ? AND stamp = ? AND run = ?",
                (position, source, stamp, self.run),
            )
        return changed.rowcount == 1

    def record(self, entry: Entry, position: int) -> None:
        """Write what came of one input.

        Raises
        ------
        OutputError: the disk is full or the folder became unwritable
        """
        try:
            with self._base:
                self._base.execute(
                    "INSERT OR REPLACE INTO inputs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        entry.source,
                        position,
                        entry.stamp,
                        self.run,
                        entry.study,
                        entry.status,
                        json.dumps(entry.image),
                        json.dumps(entry.hips),
                    ),
                )
        except sqlite3.OperationalError as error:
            raise OutputError(
                f"{self.path}: {error}; free space and run the same command again: what is done "
                "stays done"
            ) from error

    def counts(self) -> dict[str, int]:
        """Number of inputs by status."""
        rows = self._base.execute(
            "SELECT status, COUNT(*) FROM inputs WHERE run = ? GROUP BY status ORDER BY status",
            (self.run,),
        )
        return dict(rows.fetchall())

    def image_rows(self) -> Iterator[dict[str, str]]:
        """Rows of ``images.csv``, in the order in which the inputs were found."""
        cursor = self._base.execute(
            "SELECT image FROM inputs WHERE run = ? ORDER BY position", (self.run,)
        )
        for (image,) in cursor:
            yield json.loads(image)

    def hip_rows(self) -> Iterator[dict[str, str]]:
        """Rows of every hip in every image, in the order in which the inputs were found."""
        cursor = self._base.execute(
            "SELECT hips FROM inputs WHERE run = ? ORDER BY position", (self.run,)
        )
        for (hips,) in cursor:
            yield from json.loads(hips)

    def _latest_run(self) -> str:
        row = self._base.execute(
            "SELECT run, COUNT(*) FROM inputs GROUP BY run ORDER BY 2 DESC LIMIT 1"
        ).fetchone()
        return "" if row is None else str(row[0])

    def studies(self) -> Iterator[tuple[str, list[dict[str, str]]]]:
        """(study, rows of all its hips in all its images), study by study."""
        cursor = self._base.execute(
            "SELECT study, hips FROM inputs WHERE run = ? AND hips != '[]' "
            "ORDER BY study, position",
            (self.run,),
        )
        study, rows = None, list[dict[str, str]]()
        for name, hips in cursor:
            if name != study and rows:
                yield str(study), rows
                rows = []
            study = name
            rows.extend(json.loads(hips))
        if rows:
            yield str(study), rows
