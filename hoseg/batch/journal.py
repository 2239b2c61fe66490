"""The memory of a run: which inputs there are, and what came of each. Survives kill -9.

One SQLite file in the output folder. A row is written in one transaction after the image's
folder has its final name, so a row that says "done" is never about half-written files.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePath
from typing import cast

from pydantic import TypeAdapter

from hoseg.batch.manifest import recorded_run
from hoseg.batch.plan import Task
from hoseg.database import Database
from hoseg.dicom.archive import source_named
from hoseg.errors import InputError, OutputError
from hoseg.report.paths import inside
from hoseg.report.schema import ResultFile, read_result
from hoseg.words import Status

JOURNAL = "journal.sqlite"

_ENTRY = "source, stamp, status, study, patient, results, identity, uid"  # fields of Entry
_RESULTS: TypeAdapter[tuple[ResultFile, ...]] = TypeAdapter(tuple[ResultFile, ...])
_SEVERITY = ("graded", "abstained", "failed", "skipped")  # of the frames of one file, first wins


@dataclass(frozen=True)
class Entry:
    """What came of one input.

    source: the input as named by the user
    stamp: what the result depends on beside the settings; another stamp means do it again
    status: of the frame that stands for it in ``images.csv``
    study_uid, patient_id: of its images; "" when not stated, or when it could not be read
    results: JSON of the results of its frames, all that ``result.json`` says
    identity: the same text for the same bytes, however the user spelled the path
    uid: SOP Instance UID; "" when it has none
    """

    source: str
    stamp: str
    status: Status
    study_uid: str
    patient_id: str
    results: str
    identity: str
    uid: str = ""

    @classmethod
    def of(
        cls,
        source: str,
        stamp: str,
        results: Sequence[ResultFile],
        identity: str = "",
        uid: str = "",
    ) -> Entry:
        """Entry of an input with at least one result."""
        first = first_of(results)
        text = _RESULTS.dump_json(tuple(results)).decode()
        return cls(
            source,
            stamp,
            first.status,
            first.study_uid,
            first.patient_id,
            text,
            identity or source,
            uid,
        )

    @property
    def frames(self) -> tuple[ResultFile, ...]:
        """The results of its frames."""
        return _RESULTS.validate_json(self.results)

    @property
    def result(self) -> ResultFile:
        """The result that stands for the input in ``images.csv``."""
        return first_of(self.frames)

    @property
    def folders(self) -> set[str]:
        """Folders of its images, relative to the run."""
        return {result.folder for result in self.frames if result.folder}


def first_of(results: Sequence[ResultFile]) -> ResultFile:
    """The frame of a file that stands for it in ``images.csv``: graded before any other."""
    return min(results, key=lambda result: _SEVERITY.index(result.status))


class RunJournal(Database):
    """Open or make the journal of an output folder.

    path: the SQLite file
    run: fingerprint of version, model and settings; entries of other runs are done again.
        None = that whose tables lie beside it, to look at a finished run

    Raises
    ------
    OutputError: the file cannot be written, or is not a journal
    """

    # "inputs" is the table of versions up to 0.3.1, which stays as it is.
    tables = """
    CREATE TABLE IF NOT EXISTS results (
        identity TEXT PRIMARY KEY,
        source TEXT NOT NULL,
        uid TEXT NOT NULL,
        position INTEGER NOT NULL,
        stamp TEXT NOT NULL,
        run TEXT NOT NULL,
        status TEXT NOT NULL,
        study TEXT NOT NULL,
        patient TEXT NOT NULL,
        results TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS results_by_position ON results (position, identity);
    CREATE INDEX IF NOT EXISTS results_by_study ON results (study, position);
    CREATE INDEX IF NOT EXISTS results_by_source ON results (source);
    CREATE INDEX IF NOT EXISTS results_by_uid ON results (uid);
    CREATE INDEX IF NOT EXISTS results_by_stamp ON results (stamp);
    CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, facts TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS contents (
        identity TEXT PRIMARY KEY,
        facts TEXT NOT NULL,
        file TEXT NOT NULL,
        pixels TEXT
    );
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
        self.run = self._shown_run() if run is None else run

    def keep(self, task: Task) -> Entry | None:
        """Return what came of this very input in this very run; note its place in the tables."""
        row = self._base.execute(
            f"SELECT {_ENTRY}, position FROM results WHERE identity = ? AND run = ?",
            (task.source.identity, self.run),
        ).fetchone()
        if row is None or row[1] != task.stamp:
            return None
        if row[-1] != task.position:
            with self._base:
                self._base.execute(
                    "UPDATE results SET position = ? WHERE identity = ?",
                    (task.position, task.source.identity),
                )
        return Entry(*row[:-1])

    def adopt(self, task: Task, present: Container[str]) -> list[Entry]:
        """Tell an input that is new here but was moved: its file has gone from where it was.

        Of the same name, as within a data set that was moved with its results, it is the same
        entry from now on. Else the old entry goes, and the input is done under its new name.

        present: identities of the inputs of this command

        Returns the entries that went.
        """
        if self.entry(task.source.identity) is not None:
            return []
        rows = self._base.execute(
            f"SELECT {_ENTRY} FROM results WHERE run = ? AND "
            "(source = ? OR stamp = ? OR (uid != '' AND uid = ?))",
            (self.run, task.source.name, task.facts, task.uid),
        ).fetchall()
        gone = []
        for old in (Entry(*row) for row in rows):
            if old.identity in present or source_named(old.identity) is not None:
                continue
            if old.source == task.source.name:
                statement = "UPDATE results SET identity = ? WHERE identity = ?"
                self._write(statement, (task.source.identity, old.identity))
                return []
            if (task.uid and old.uid == task.uid) or _same_file(old, task):
                self._write("DELETE FROM results WHERE identity = ?", (old.identity,))
                gone.append(old)
        return gone

    def entry(self, identity: str) -> Entry | None:
        """What came of an input of this run."""
        row = self._base.execute(
            f"SELECT {_ENTRY} FROM results WHERE identity = ? AND run = ?", (identity, self.run)
        ).fetchone()
        return None if row is None else Entry(*row)

    def is_name_taken(self, name: str, identity: str) -> bool:
        """Whether another input of this run has that name; a relative path can name several."""
        row = self._base.execute(
            "SELECT 1 FROM results WHERE source = ? AND identity != ? AND run = ?",
            (name, identity, self.run),
        ).fetchone()
        return row is not None

    def record(self, entry: Entry, position: int) -> None:
        """Write what came of one input.

        Raises
        ------
        OutputError: the disk is full or the folder became unwritable
        """
        row = (
            entry.identity,
            entry.source,
            entry.uid,
            position,
            entry.stamp,
            self.run,
            entry.status,
            entry.study_uid,
            entry.patient_id,
            entry.results,
        )
        self._write("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def left_behind(self, old: Entry, new: Entry | None = None) -> set[str]:
        """Folders of an older result of an input that no result will refer to any more."""
        folders = old.folders - (new.folders if new is not None else set())
        return {folder for folder in folders if not self._is_used(folder, old.identity)}

    def _is_used(self, folder: str, identity: str) -> bool:
        """Whether another input's results lie there."""
        row = self._base.execute(
            "SELECT 1 FROM results WHERE identity != ? AND instr(results, ?) LIMIT 1",
            (identity, json.dumps(folder, ensure_ascii=False)),
        ).fetchone()
        return row is not None

    def of_uid(self, uid: str) -> list[Entry]:
        """Inputs of this run that bear a SOP Instance UID and could be read."""
        rows = self._base.execute(
            f"SELECT {_ENTRY} FROM results WHERE uid = ? AND run = ? "
            "AND status != 'failed' ORDER BY position, identity",
            (uid, self.run),
        )
        return [Entry(*row) for row in rows]

    def contents(self, identity: str, facts: str) -> tuple[str, str | None]:
        """Fingerprints of an input's bytes ("" = not known) and pixels (None = not known)."""
        row = self._base.execute(
            "SELECT file, pixels FROM contents WHERE identity = ? AND facts = ?", (identity, facts)
        ).fetchone()
        return ("", None) if row is None else (row[0], row[1])

    def note_contents(self, identity: str, facts: str, file: str, pixels: str | None) -> None:
        """Remember fingerprints of an input, so that it need not be read for them again."""
        row = (identity, facts, file, pixels)
        self._write("INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?)", row)

    def note_facts(self, facts: Mapping[str, object]) -> None:
        """Write down what the fingerprint of this run stands for."""
        row = (self.run, json.dumps(facts, default=str))
        self._write("INSERT OR IGNORE INTO runs VALUES (?, ?)", row)

    def other_runs(self) -> list[dict[str, object]]:
        """What other runs that left results here stood for; {} when that is not known."""
        runs = self._runs("results").keys() | self._runs("inputs").keys()
        facts = dict(self._base.execute("SELECT run, facts FROM runs").fetchall())
        return [json.loads(facts.get(run, "{}")) for run in sorted(runs - {self.run})]

    def _write(self, statement: str, row: tuple[object, ...]) -> None:
        try:
            with self._base:
                self._base.execute(statement, row)
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
            "SELECT results FROM results WHERE run = ? ORDER BY position, identity", (self.run,)
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

        In the order of their first images. Films without Study UID, and those of
        ``mixed_studies``, come one by one.
        """
        mixed = self.mixed_studies()
        rows = self._base.execute(
            "SELECT study, results FROM results WHERE run = ? "
            "AND status IN ('graded', 'abstained') ORDER BY MIN(position) OVER "
            "(PARTITION BY study, CASE study WHEN '' THEN identity END), study, position, identity",
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
        """The same, also of a run of hoseg up to 0.3.1.

        out: folder of the run
        """
        if self.run in self._runs("results") or self.run not in self._runs("inputs"):
            yield from self.images()
            return
        rows = self._base.execute(
            "SELECT image FROM inputs WHERE run = ? ORDER BY position", (self.run,)
        )
        for (text,) in rows:
            image = json.loads(text)
            if image["folder"]:
                yield _of_0_3(out, image)

    def _shown_run(self) -> str:
        """Run whose tables lie in the folder; where they say nothing, that of most entries."""
        runs = self._runs("inputs") | self._runs("results")
        recorded = recorded_run(self.path.parent)
        if recorded in runs:
            return recorded
        return max(runs, key=lambda run: runs[run], default="")

    def _runs(self, table: str) -> dict[str, int]:
        """Fingerprints of the runs in a table, and how many inputs each has."""
        known = self._base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if (table,) not in known.fetchall():
            return {}
        return dict(self._base.execute(f"SELECT run, COUNT(*) FROM {table} GROUP BY run"))


def _same_file(old: Entry, task: Task) -> bool:
    """Whether a file has the name, the size and the time that another had somewhere else."""
    name = PurePath(task.source.identity).name
    return old.stamp == task.facts and PurePath(old.identity).name == name


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
