"""Many inputs in, one folder of results out: resumable, bounded in memory, never stopped by one.

Every process takes one input at a time through the whole pipeline with one thread: that keeps
all cores busy without moving films between processes (measured best on CPUs, where whole films
in parallel scale better than the network's own threads). On a card each process has a network of
its own there, and everything else is the same.
"""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from hoseg.batch.folder import claim_folder, remove_image
from hoseg.batch.item import PARTIAL, Probe, entry_of, make_worker
from hoseg.batch.journal import JOURNAL, Entry, RunJournal, first_of
from hoseg.batch.manifest import write_manifest
from hoseg.batch.plan import Plan, Task, find_tasks
from hoseg.batch.repeats import Chain, find_chains
from hoseg.batch.settings import RunSettings, fingerprint
from hoseg.batch.workers import Lost, WorkerPool
from hoseg.dicom.presentation import Presentations
from hoseg.errors import HosegError, InputError, OutputError
from hoseg.grade import combine
from hoseg.infer.predictor import Predictor
from hoseg.reasons import status_of
from hoseg.report.schema import result_for_failure
from hoseg.report.tables import (
    FINDING_COLUMNS,
    IMAGE_COLUMNS,
    finding_row,
    image_row,
    write_csv,
    write_parquet,
)
from hoseg.review.page import index, write_page


@dataclass(frozen=True)
class Progress:
    """One step of a run.

    entry: what came of one input
    before: an earlier start of the same run had done it
    done, total: inputs finished and inputs found
    """

    entry: Entry
    before: bool
    done: int
    total: int


def run_batch(
    inputs: Sequence[str | Path], settings: RunSettings, predictor: Predictor
) -> Generator[Progress, None, None]:
    """Process every input and keep the tables. Iterate to drive it; closing it stops cleanly.

    inputs: files, folders, DICOMDIR files, zip archives
    predictor: of ``settings.model``, made by the caller so that a missing model or an unusable
        device is known before any file is touched

    Yields one ``Progress`` an input, in the order in which they finish.

    Raises
    ------
    OutputError: nothing can be written to ``settings.out``
    SettingError: it holds another run's results
    HosegError: no input holds any file
    """
    claim_folder(settings, predictor.label)
    facts = settings.facts(predictor.label)
    presentations: Presentations = {}
    with (
        closing(Plan(find_tasks(inputs, settings, presentations), presentations)) as plan,
        RunJournal(settings.out / JOURNAL, fingerprint(facts)) as journal,
    ):
        if not len(plan):
            raise HosegError(f"no files in {', '.join(map(str, inputs))}", code="no_inputs")
        journal.note_facts(facts)
        try:
            setup = partial(make_worker, settings, predictor.choice)
            pool: _Pool = WorkerPool(setup, settings.process_count, settings.limit_s)
            with closing(pool):
                yield from _Work(plan, journal, pool, settings).steps()
        finally:
            write_tables(journal, settings)
            write_page(settings.out, journal.images())
            write_manifest(journal.counts(), settings, predictor)
            shutil.rmtree(settings.out / PARTIAL, ignore_errors=True)


_Pool = WorkerPool[Task | Probe, Entry | str]


class _Work:
    """The tasks of a plan, done or found done; every one ends as an entry of the journal."""

    def __init__(self, plan: Plan, journal: RunJournal, pool: _Pool, settings: RunSettings) -> None:
        self._plan = plan
        self._journal = journal
        self._pool = pool
        self._settings = settings
        self._settled: list[Progress] = []  # without a process, in passing
        self._done = 0

    def steps(self) -> Iterator[Progress]:
        """One a task. Copies of a film wait for the first of them to be read."""
        self._adopt()
        chains = find_chains(self._plan, self._journal, self._probe)
        copies = {task.position for chain in chains for task in chain.tasks}
        for chain in chains:
            if chain.known:
                self._settle(chain.duplicates())
        rest = (task for task in self._plan if task.position not in copies)
        yield from self._process(_merged(rest, chains))
        while chains := [chain for chain in chains if chain.tasks]:
            for chain in chains:
                first = self._journal.entry(chain.tasks[0].source.identity)
                self._settle(chain.settle(failed=first is None or first.status == "failed"))
            yield from self._process(iter([chain.tasks[0] for chain in chains if chain.tasks]))

    def _adopt(self) -> None:
        """Recognise inputs that were moved since an earlier start."""
        if not self._journal.counts():
            return
        for task in self._plan:
            for old in self._journal.adopt(task, self._plan):
                self._remove(self._journal.left_behind(old))

    def _process(self, tasks: Iterator[Task]) -> Iterator[Progress]:
        for done, answer in self._pool.map_unordered(self._undone(tasks)):
            task = cast(Task, done)
            if isinstance(answer, Lost):
                error = InputError(task.source.name, answer.sentence, code=answer.code)
                answer = entry_of(task, [result_for_failure(error)])
            self._record(cast(Entry, answer), task)
            yield from self._take()
        yield from self._take()

    def _undone(self, tasks: Iterator[Task]) -> Iterator[Task]:
        """Tasks for a process; those that need none are settled in passing."""
        for task in tasks:
            if (kept := self._journal.keep(task)) is not None:
                self._advance(kept, before=True)
                continue
            if self._journal.is_name_taken(task.source.name, task.source.identity):
                # A relative path names one file here and another there.
                task = replace(task, source=replace(task.source, name=task.source.identity))
            if task.source.problem is None:
                yield task
            else:
                code, sentence = task.source.problem
                error = InputError(task.source.name, sentence, code=code)
                entry = entry_of(task, [result_for_failure(error, status_of(code))])
                self._record(entry, task)

    def _settle(self, refused: Iterable[Task]) -> None:
        for _ in self._undone(iter(refused)):
            raise AssertionError("a task that is refused needs no process")

    def _record(self, entry: Entry, task: Task) -> None:
        old = self._journal.entry(entry.identity)
        if old is not None:
            self._remove(self._journal.left_behind(old, entry))
        self._journal.record(entry, task.position)
        self._advance(entry, before=False)

    def _remove(self, folders: Iterable[str]) -> None:
        for folder in folders:
            remove_image(self._settings.out, folder)

    def _advance(self, entry: Entry, *, before: bool) -> None:
        self._done += 1
        self._settled.append(Progress(entry, before, self._done, len(self._plan)))

    def _take(self) -> Iterator[Progress]:
        settled, self._settled = self._settled, []
        yield from settled

    def _probe(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, str]]:
        """Fingerprints of the pixels of tasks; "" of one that cannot be read."""
        for probe, answer in self._pool.map_unordered(Probe(task) for task in tasks):
            yield cast(Probe, probe).task, "" if isinstance(answer, Lost) else cast(str, answer)


def _merged(tasks: Iterator[Task], chains: Sequence[Chain]) -> Iterator[Task]:
    """Tasks, and the first of each chain, in the order of discovery."""
    firsts = sorted((c.tasks[0] for c in chains if c.tasks), key=lambda task: task.position)
    return heapq.merge(tasks, firsts, key=lambda task: task.position)


def write_tables(journal: RunJournal, settings: RunSettings) -> None:
    """Write ``images.csv`` and ``findings.csv``, and both as Parquet, from the journal."""
    writers: list[tuple[str, Callable[..., None]]] = [(".csv", write_csv)]
    if settings.writes_parquet:
        writers.append((".parquet", write_parquet))
    for suffix, write in writers:
        images = (image_row(first_of(results)) for results in journal.results())
        write(settings.out / f"images{suffix}", IMAGE_COLUMNS, images)
        write(settings.out / f"findings{suffix}", FINDING_COLUMNS, _findings(journal))


def review_entries(out: Path) -> list[dict[str, Any]]:
    """Entries of the review page of a finished run.

    Raises
    ------
    OutputError: the folder was not written by ``hoseg run``
    """
    if not (out / JOURNAL).is_file():
        raise OutputError(f"{out}: no {JOURNAL}; give the folder that hoseg run wrote")
    with RunJournal(out / JOURNAL, None) as journal:
        return index(journal.images_to_review(out))


def _findings(journal: RunJournal) -> Iterator[dict[str, str]]:
    """One row a hip: of several views in a study, the one that decides."""
    mixed = journal.mixed_studies()
    for images in journal.studies():
        yield from map(finding_row, combine(images, mixed))
