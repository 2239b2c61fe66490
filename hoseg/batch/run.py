"""Many inputs in, one folder of results out: resumable, bounded in memory, never stopped by one.

Every process takes one input at a time through the whole pipeline with one thread: that keeps
all cores busy without moving films between processes (measured best on CPUs, where whole films
in parallel scale better than the network's own threads). On a GPU the processes share the one
that this process owns.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hoseg
from hoseg.batch.item import PARTIAL, Task, make_worker
from hoseg.batch.journal import JOURNAL, Entry, RunJournal, first_of
from hoseg.batch.settings import RunSettings
from hoseg.batch.workers import Lost, WorkerPool
from hoseg.dicom import Source, discover, sop_instance
from hoseg.errors import HosegError, InputError, OutputError
from hoseg.files import write_whole
from hoseg.grade import combine
from hoseg.infer.predictor import Choice, Predictor
from hoseg.reasons import Reason, status_of
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
from hoseg.words import RESEARCH_USE, Status

if TYPE_CHECKING:
    from hoseg.infer.gpu.server import Address


@dataclass(frozen=True)
class Progress:
    """One step of a run.

    entry: what came of one input, or None when an earlier run had done it
    done, total: inputs finished and inputs found
    """

    entry: Entry | None
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
    HosegError: no input holds any file
    """
    total = sum(1 for _ in discover(inputs, spacing_mm=settings.spacing))
    if not total:
        raise HosegError(f"no files in {', '.join(map(str, inputs))}", code="no_inputs")
    make_folder(settings.out)
    with RunJournal(settings.out / JOURNAL, settings.fingerprint(predictor.label)) as journal:
        try:
            with _engine(predictor) as engine:
                yield from _work(inputs, settings, engine, journal, total)
        finally:
            write_tables(journal, settings)
            write_page(settings.out, journal.images())
            write_manifest(journal, settings, predictor)
            shutil.rmtree(settings.out / PARTIAL, ignore_errors=True)


@contextmanager
def _engine(predictor: Predictor) -> Iterator[Choice | Address]:
    """What each process predicts with: a runtime of its own, or the one GPU they share."""
    if predictor.choice.device == "cpu":
        yield predictor.choice
    else:
        with predictor.serve() as server:
            yield server.address


def write_tables(journal: RunJournal, settings: RunSettings) -> None:
    """Write ``images.csv`` and ``findings.csv`` (and Parquet on request) from the journal."""
    writers: list[tuple[str, Callable[..., None]]] = [(".csv", write_csv)]
    if settings.parquet:
        writers.append((".parquet", write_parquet))
    for suffix, write in writers:
        images = (image_row(first_of(results)) for results in journal.results())
        write(settings.out / f"images{suffix}", IMAGE_COLUMNS, images)
        write(settings.out / f"findings{suffix}", FINDING_COLUMNS, _findings(journal))


def write_manifest(journal: RunJournal, settings: RunSettings, predictor: Predictor) -> None:
    """Write ``run.json``: versions, model, runtime and why it was taken, settings, counts."""
    names = ("numpy", "opencv-python-headless", "pydicom", "imagecodecs", "torch", "onnxruntime")
    manifest = {
        "hoseg_version": hoseg.__version__,
        "disclaimer": RESEARCH_USE,
        "model": predictor.label,
        "runtime": asdict(predictor.choice),
        "settings": _settings(settings),
        "counts": journal.counts(),
        "versions": {"python": platform.python_version()} | {n: _version(n) for n in names},
        "platform": platform.platform(),
    }
    write_whole(settings.out / "run.json", json.dumps(manifest, indent=1, default=str) + "\n")


def _settings(settings: RunSettings) -> dict[str, Any]:
    """Settings for the manifest; of a de-identified run without the way to its folder."""
    recorded = asdict(settings)
    return recorded | {"out": "."} if settings.deidentify else recorded


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _work(
    inputs: Sequence[str | Path],
    settings: RunSettings,
    engine: Choice | Address,
    journal: RunJournal,
    total: int,
) -> Generator[Progress, None, None]:
    done = 0
    at_once: list[Entry | None] = []  # inputs settled without a process, in passing

    def tasks() -> Iterator[Task]:
        for task in _plan(inputs, settings):
            if journal.keep(task.source.name, task.stamp, task.position):
                at_once.append(None)
            elif task.source.problem is not None:
                code, sentence = task.source.problem
                error = InputError(task.source.name, sentence, code=code)
                entry = _refused(task, error, status_of(code))
                journal.record(entry, task.position)
                at_once.append(entry)
            else:
                yield task

    setup = partial(make_worker, settings, engine)
    pool: WorkerPool[Task, Entry] = WorkerPool(setup, settings.process_count, settings.limit_s)
    try:
        for task, answer in pool.map_unordered(tasks()):
            if isinstance(answer, Lost):
                error = InputError(task.source.name, answer.sentence, code=answer.code)
                answer = _refused(task, error)
            journal.record(answer, task.position)
            at_once.append(answer)
            for entry in at_once:
                done += 1
                yield Progress(entry, done, total)
            at_once.clear()
        for entry in at_once:
            done += 1
            yield Progress(entry, done, total)
    finally:
        pool.close()


def _refused(task: Task, error: InputError, status: Status = "failed") -> Entry:
    """Entry of an input that no process has answered for."""
    return Entry.of(task.source.name, task.stamp, [result_for_failure(error, status)])


def _plan(inputs: Sequence[str | Path], settings: RunSettings) -> Iterator[Task]:
    """Every input in the order of discovery; the second copy of an instance is marked as such."""
    seen: dict[bytes, str] = {}
    for position, found in enumerate(discover(inputs, spacing_mm=settings.spacing)):
        source = _within_run(found, settings.out) if settings.deidentify else found
        uid = sop_instance(source) if source.problem is None else None
        if uid is not None:
            first = seen.setdefault(uid, source.name)
            if first != source.name:
                sentence = f"the same SOP instance as {first}"
                source = replace(source, problem=(Reason.DUPLICATE.value, sentence))
        yield Task(source, position, _stamp(source))


def _within_run(source: Source, out: Path) -> Source:
    """Name a de-identified copy relative to the run: the way there may name a patient."""
    if not source.path.is_relative_to(out):
        return source
    return replace(source, name=source.path.relative_to(out).as_posix())


def _stamp(source: Source) -> str:
    """Size and time of the file behind an input; another stamp means it must be read again."""
    problem = source.problem[0] if source.problem else ""
    try:
        facts = os.stat(source.path)
    except OSError:
        return f"absent {problem}"
    return f"{facts.st_size} {facts.st_mtime_ns} {problem}"


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


def make_folder(out: Path) -> None:
    """Make the output folder and try to write there before any work is done."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        trial = out / ".writable"
        trial.write_text("")
        trial.unlink()
    except OSError as error:
        raise OutputError(
            f"{out}: {error.strerror}; give --out a folder that can be written"
        ) from error
