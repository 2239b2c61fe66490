"""The inputs of a run in the order of discovery, found once and kept on disk."""

from __future__ import annotations

import os
import pickle
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hoseg.batch.settings import RunSettings
from hoseg.dicom import Limits, Source, discover
from hoseg.dicom.instance import sop_identity
from hoseg.dicom.presentation import PRESENTATION_STATES, Presentations, turned_images

_PAGE = 1000  # tasks read at a time


@dataclass(frozen=True)
class Task:
    """One input to do.

    position: its place in the order in which inputs were found
    facts: size and time of the file, which change when its contents do
    uid: SOP Instance UID; "" when it has none
    twin: set when other inputs bear the same UID with other pixels; tells the pixels apart
    """

    source: Source
    position: int
    facts: str
    uid: str = ""
    twin: str = ""

    @property
    def stamp(self) -> str:
        """What the result depends on beside the settings; another stamp means do it again."""
        problem = " ".join(self.source.problem) if self.source.problem else ""
        shown = "" if self.source.presentation is None else f"shown {self.source.presentation}"
        return " ".join(part for part in (self.facts, problem, self.twin, shown) if part)


class Plan:
    """Tasks on disk: there may be millions, and each has its row in the end.

    presentations: how films lie by presentation states, filled while ``tasks`` are taken
    """

    def __init__(self, tasks: Iterable[Task], presentations: Presentations | None = None) -> None:
        self._presentations = {} if presentations is None else presentations
        self._base = sqlite3.connect("")  # a file of its own, which goes when it is closed
        self._base.execute(
            "CREATE TABLE tasks (position INTEGER PRIMARY KEY, identity TEXT, uid TEXT, task BLOB)"
        )
        rows = ((t.position, t.source.identity, t.uid, pickle.dumps(t)) for t in tasks)
        with self._base:
            self._base.executemany("INSERT INTO tasks VALUES (?, ?, ?, ?)", rows)
        self._base.execute("CREATE INDEX by_identity ON tasks (identity)")
        self._base.execute("CREATE INDEX by_uid ON tasks (uid, position)")

    def __len__(self) -> int:
        """Number of inputs."""
        return int(self._base.execute("SELECT COUNT(*) FROM tasks").fetchone()[0])

    def __iter__(self) -> Iterator[Task]:
        """Inputs in the order of discovery."""
        last = -1
        while page := self._base.execute(
            f"SELECT position, task FROM tasks WHERE position > ? ORDER BY position LIMIT {_PAGE}",
            (last,),
        ).fetchall():
            last = page[-1][0]
            yield from (self._task(task) for _, task in page)

    def __contains__(self, identity: object) -> bool:
        """Whether an input of that identity is among them."""
        found = self._base.execute("SELECT 1 FROM tasks WHERE identity = ?", (identity,))
        return found.fetchone() is not None

    def uids(self) -> Iterator[tuple[str, int]]:
        """SOP Instance UIDs, each with the number of inputs that bear it."""
        yield from self._base.execute(
            "SELECT uid, COUNT(*) FROM tasks WHERE uid != '' GROUP BY uid ORDER BY MIN(position)"
        ).fetchall()

    def of_uid(self, uid: str) -> list[Task]:
        """Inputs that bear a SOP Instance UID."""
        rows = self._base.execute("SELECT task FROM tasks WHERE uid = ? ORDER BY position", (uid,))
        return [self._task(task) for (task,) in rows]

    def _task(self, pickled: bytes) -> Task:
        """A task, knowing the presentation state that turns its film, wherever that was found."""
        task: Task = pickle.loads(pickled)
        shown = self._presentations.get(task.uid)
        if shown is None or task.source.problem is not None:
            return task
        return replace(task, source=replace(task.source, presentation=shown))

    def close(self) -> None:
        """Delete it."""
        self._base.close()


def find_tasks(
    inputs: Sequence[str | Path], settings: RunSettings, presentations: Presentations
) -> Iterator[Task]:
    """Every input, with what tells whether it was done before; no pixels are read.

    presentations: filled on the way with what presentation states among the inputs say
    """
    found = discover(inputs, spacing_mm=settings.spacing, out=settings.out)
    for position, source in enumerate(found):
        if settings.deidentify:
            source = _within_run(source, settings.out)
        source = replace(source, override_spacing=settings.override_spacing_mm is not None)
        kind, uid = sop_identity(source) if source.problem is None else ("", "")
        if kind.startswith(PRESENTATION_STATES):
            presentations |= turned_images(source, Limits())
        yield Task(source, position, file_facts(source), uid)


def _within_run(source: Source, out: Path) -> Source:
    """Name a de-identified copy relative to the run: the way there may name a patient."""
    if not source.path.is_relative_to(out):
        return source
    name = source.path.relative_to(out).as_posix()
    return replace(source, name=name, identity=name)


def file_facts(source: Source) -> str:
    """Size and time of the file behind an input."""
    try:
        found = os.stat(source.path)
    except OSError:
        return "absent"
    return f"{found.st_size} {found.st_mtime_ns}"
