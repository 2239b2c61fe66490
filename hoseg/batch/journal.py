"""The memory of a run: which inputs there are, and what came of each. Survives kill -9.

One SQLite file in the output folder. A row is written in one transaction after the image's
folder has its final name, so a row that says "done" is never about half-written files.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import cast

from pydantic import TypeAdapter

from hoseg.database import Database
from hoseg.errors import InputError, OutputError
from hoseg.report.paths import inside
from hoseg.report.schema import ResultFile, read_result
from hoseg.words import Status

JOURNAL = "journal.sqlite"

_RESULTS: TypeAdapter[tuple[ResultFile, ...]] = TypeAdapter(tuple[ResultFile, ...])
_SEVERITY = ("graded", "abstained", "failed", "skipped")  # of the frames of one file, first wins


@dataclass(frozen=True)
class Entry:
    """What came of one input.

    source: the input as named by the user
    stamp: size and time of the file; another stamp means another file
    status: of the frame that stands for it in ``images.csv``
    study_uid, patient_id: of its images; "" when not stated, or when it could not be read
    results: JSON of the results of its frames, all that ``result.json`` says
    """

    source: str
    stamp: str
    status: Status
    study_uid: str
    patient_id: str
    results: str

    @classmethod
    def of(cls, source: str, stamp: str, results: Sequence[ResultFile]) -> Entry:
        """Entry of an input with at least one result."""
        first = first_of(results)
        text = _RESULTS.dump_json(tuple(results)).decode()
        return cls(source, stamp, first.status, first.study_uid, first.patient_id, text)

    @property
    def result(self) -> ResultFile:
        """The result that stands for the input in ``images.csv``."""
        return first_of(_RESULTS.validate_json(self.results))


def first_of(results: Sequence[ResultFile]) -> ResultFile:
    """The frame of a file that stands for it in ``images.csv``: graded before any other."""
    return min(results, key=lambda result: _SEVERITY.index(result.status))


class RunJournal(Database):
    """Open or make the journal of an output folder.

    path: the SQLite file
    run: fingerprint of version, model and settings; entries of other runs are done again.
        None = that of most entries, to look at a finished run

    Raises
    ------
    OutputError: the file cannot be written, or is not a journal
    """

    # "inputs" is the table of versions up to 0.3.1, which stays as it is.
    tables = """
    CREATE TABLE IF NOT EXISTS results (
        source TEXT PRIMARY KEY,
        position INTEGER NOT NULL,
        stamp TEXT NOT NULL,
        run TEXT NOT NULL,
        status TEXT NOT NULL,
        study TEXT NOT NULL,
        patient TEXT NOT NULL,
        results TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS results_by_position ON results (position);
    CREATE INDEX IF NOT EXISTS results_by_study ON results (study, position);
    """
    # Without waiting for the disk at every row: kill -9 loses none, and a power cut at most the
    # last ones, whose images are then done again.
    pragmas = ("journal_mode=WAL", "locking_mode=EXCLUSIVE", "synchronous=NORMAL")
    remedy = (
        "another run may be using this folder, or the file is not a journal of hoseg: choose "
        "another --out"
    )

    def __init__(self, path: Path, run: str | None) -> None:
        super().__init__(path, timeout_s=5)
        self.run = self._largest_run("results")[0] if run is None else run

    def keep(self, source: str, stamp: str, position: int) -> bool:
        """Whether this very input was done by this very run; its place in the tables is noted."""
        found = self._base.execute(
            "SELECT position FROM results WHERE source = ? AND stamp = ? AND run = ?",
            (source, stamp, self.run),
        ).fetchone()
        if found is not None and found[0] != position:
            with self._base:
                self._base.execute(
                    "UPDATE results SET position = ? WHERE source = ?", (position, source)
                )
        return found is not None

    def record(self, entry: Entry, position: int) -> None:
        """Write what came of one input.

        Raises
        ------
        OutputError: the disk is full or the folder became unwritable
        """
        try:
            with self._base:
                self._base.execute(
                    "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        entry.source,
                        position,
                        entry.stamp,
                        self.run,
                        entry.status,
                        entry.study_uid,
                        entry.patient_id,
                        entry.results,
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
            "SELECT status, COUNT(*) FROM results WHERE run = ? GROUP BY status ORDER BY status",
            (self.run,),
        )
        return dict(rows.fetchall())

    def results(self) -> Iterator[tuple[ResultFile, ...]]:
        """Results of the frames of each input, in the order in which the inputs were found."""
        rows = self._base.execute(
            "SELECT results FROM results WHERE run = ? ORDER BY position", (self.run,)
        )
        for (text,) in rows:
            yield _RESULTS.validate_json(text)

    def mixed_studies(self) -> set[str]:
        """Study Instance UIDs that films of several patients bear."""
        rows = self._base.execute(
            "SELECT study FROM results WHERE run = ? AND study != '' GROUP BY study "
            "HAVING COUNT(DISTINCT NULLIF(patient, '')) > 1",
            (self.run,),
        )
        return {study for (study,) in rows}

    def studies(self) -> Iterator[list[ResultFile]]:
        """Results of images that were graded or abstained on, of one study at a time.

        Films without Study UID, and those of ``mixed_studies``, come one by one.
        """
        mixed = self.mixed_studies()
        rows = self._base.execute(
            "SELECT study, results FROM results WHERE run = ? "
            "AND status IN ('graded', 'abstained') ORDER BY study, position",
            (self.run,),
        )
        for study, same in groupby(rows, key=lambda row: cast(str, row[0])):
            results = (_RESULTS.validate_json(text) for _, text in same)
            if study and study not in mixed:
                yield [result for frames in results for result in frames]
            else:
                yield from map(list, results)

    def images(self) -> Iterator[ResultFile]:
        """Results of every image that has a folder, in the order of ``results``."""
        for results in self.results():
            yield from (result for result in results if result.folder)

    def images_to_review(self, out: Path) -> Iterator[ResultFile]:
        """The same; of a run of hoseg up to 0.3.1 where that is larger than any since.

        out: folder of the run
        """
        old_run, count = self._largest_run("inputs")
        if count <= self._largest_run("results")[1]:
            yield from self.images()
            return
        rows = self._base.execute(
            "SELECT image FROM inputs WHERE run = ? ORDER BY position", (old_run,)
        )
        for (text,) in rows:
            image = json.loads(text)
            if image["folder"]:
                yield _of_0_3(out, image)

    def _largest_run(self, table: str) -> tuple[str, int]:
        """Fingerprint and number of entries of the run with most entries; ("", 0) if none."""
        known = self._base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if (table,) not in known.fetchall():
            return "", 0
        row = self._base.execute(
            f"SELECT run, COUNT(*) FROM {table} GROUP BY run ORDER BY 2 DESC LIMIT 1"
        ).fetchone()
        return row or ("", 0)


def _of_0_3(out: Path, image: dict[str, str]) -> ResultFile:
    """Result of an image of hoseg 0.3, whose journal kept the row of ``images.csv`` only."""
    try:
        return read_result(inside(out, image["folder"], "result.json"))
    except (InputError, OutputError):  # gone or damaged: what its row says is still there
        return ResultFile(
            source=image["source"],
            folder=image["folder"],
            status=cast(Status, image["status"]),
            reason=image["reason"],
            sentence=image["sentence"],
        )
