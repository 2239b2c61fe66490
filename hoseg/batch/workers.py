"""Processes that each do one task at a time, and can be killed when a task hangs.

A decoder that crashes or never returns takes its process with it, not the batch: the task is
reported as lost or late, and a fresh process takes the place of the dead one.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, TypeVar

from hoseg.errors import DeviceError, HosegError

Task = TypeVar("Task")
Answer = TypeVar("Answer")

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""Environment of the processes: numpy reads it when it is imported."""

START_LIMIT_S = 600.0
"""A process that has not set itself up by then never will: a hung driver, most likely."""

KILL_LIMIT_S = 10.0
"""A process that hangs inside a driver may outlive even being killed; nobody waits for it."""

Setup = Callable[[int], Callable[[Any], Any]]
"""Runs once in each process, is told the worker's number and returns the function that does a
task. Must pickle."""


@dataclass(frozen=True)
class Lost:
    """A task that did not come back.

    code: "worker_died" or "timeout"
    sentence: what happened, for ``images.csv``
    """

    code: str
    sentence: str


@dataclass
class _Worker(Generic[Task]):
    number: int  # of its place: who takes the place of a dead one has the same
    process: BaseProcess
    pipe: Connection
    task: Task | None = None
    deadline: float = field(default=float("inf"))
    ready: bool = False  # has set itself up


class WorkerPool(Generic[Task, Answer]):
    """A fixed number of processes, one task each.

    setup: called in every process; returns the function applied to tasks
    count: number of processes
    limit_s: a task that takes longer is given up and its process is killed (seconds)
    """

    def __init__(self, setup: Setup, count: int, limit_s: float) -> None:
        self._setup = setup
        self._limit_s = limit_s
        self._context = mp.get_context("spawn")  # threads of the runtimes do not survive a fork
        self._workers: list[_Worker[Task]] = [self._start(number) for number in range(count)]

    def map_unordered(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Answer | Lost]]:
        """Answers as they come. Tasks are drawn only when a process is free: memory is flat.

        An exception raised by the setup or by a task is raised here, after the answers that were
        there already.

        Raises
        ------
        DeviceError: a process ended, or hung, before it could begin any task
        """
        waiting = iter(tasks)
        self._occupy(waiting)
        while busy := [worker for worker in self._workers if worker.task is not None]:
            answers, fault = self._collect(busy)
            if fault is None:
                self._occupy(waiting)  # first: what is done with the answers may take a while
            yield from answers
            if fault is not None:
                raise fault

    def close(self) -> None:
        """End every process now."""
        for worker in self._workers:
            self._kill(worker)
        self._workers = []

    def _start(self, number: int) -> _Worker[Task]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(partial(self._setup, number), theirs), daemon=True
        )
        with _environment(ONE_THREAD):
            process.start()
        theirs.close()
        return _Worker(number, process, ours)

    def _occupy(self, waiting: Iterator[Task]) -> None:
        for worker in self._workers:
            if worker.task is None and (task := next(waiting, None)) is not None:
                self._give(worker, task)

    def _give(self, worker: _Worker[Task], task: Task) -> None:
        worker.task = task
        # A new process first imports and loads its model; that time is not the task's, so the
        # clock starts when it says "begun". One that died while idle shows as end of file there.
        worker.deadline = float("inf") if worker.ready else time.monotonic() + START_LIMIT_S
        with suppress(BrokenPipeError):
            worker.pipe.send(task)

    def _collect(
        self, busy: list[_Worker[Task]]
    ) -> tuple[list[tuple[Task, Answer | Lost]], Exception | None]:
        """Answers that are there, and the exception that one of the processes sent."""
        patience = max(0.0, min(w.deadline for w in busy) - time.monotonic())
        handles: dict[Any, _Worker[Task]] = {w.pipe: w for w in busy}
        answers: list[tuple[Task, Answer | Lost]] = []
        fault: Exception | None = None
        for handle in wait(list(handles), timeout=None if patience == float("inf") else patience):
            worker = handles[handle]
            try:
                kind, value = worker.pipe.recv()
            except (EOFError, ConnectionResetError):
                if worker.ready:
                    answers.append(self._lose(worker, "worker_died", _death(worker.process)))
                else:
                    fault = _never_began(f"it ended with {_ending(worker.process)}")
                continue
            if kind == "begun":
                worker.ready = True
                worker.deadline = time.monotonic() + self._limit_s
                continue
            task, worker.task, worker.deadline = worker.task, None, float("inf")
            if kind == "raised":
                fault = value
                continue
            assert task is not None
            answers.append((task, value))
        now = time.monotonic()
        for worker in busy:
            if worker.task is not None and worker.deadline <= now and not worker.ready:
                fault = fault or _never_began(f"it hung for {START_LIMIT_S:g} s")
            elif worker.task is not None and worker.deadline <= now:
                sentence = f"took longer than {self._limit_s:g} s and was given up"
                answers.append(self._lose(worker, "timeout", sentence))
        return answers, fault

    def _lose(self, worker: _Worker[Task], code: str, sentence: str) -> tuple[Task, Answer | Lost]:
        task = worker.task
        assert task is not None
        self._kill(worker)
        self._workers[worker.number] = self._start(worker.number)
        return task, Lost(code, sentence)

    def _kill(self, worker: _Worker[Task]) -> None:
        worker.process.kill()
        worker.process.join(KILL_LIMIT_S)
        worker.pipe.close()


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for processes started meanwhile; what the user has set stays."""
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _death(process: BaseProcess) -> str:
    how = _ending(process)
    return f"the process reading it died ({how}): a damaged file or too little memory"


def _never_began(how: str) -> DeviceError:
    """One damaged file is not to blame: the next process would fare as this one did."""
    return DeviceError(
        f"a worker process could not begin ({how}): too little memory for the model, an "
        "installation that cannot be imported, or a card that does not answer. Use fewer "
        "--workers, or run 'hoseg doctor' and 'hoseg models' to see what can be used; then run the "
        "same command again: what is done stays done"
    )


def _ending(process: BaseProcess) -> str:
    process.join(timeout=5)
    status = process.exitcode
    return f"signal {-status}" if status is not None and status < 0 else f"status {status}"


def _serve(setup: Callable[[], Callable[[Any], Any]], pipe: Connection) -> None:
    """Body of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    work: Callable[[Any], Any] | None = None
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):  # the parent has gone
            return
        try:
            work = work or setup()
            pipe.send(("begun", None))
            message = _portable("done", work(task))
        except Exception as error:  # the parent decides what it means
            message = _portable("raised", error)
        with suppress(OSError):
            pipe.send(message)


def _portable(kind: str, value: object) -> tuple[str, object]:
    """Message that is sure to reach the parent: errors of some packages do not pickle.

    Sent as it is, such a value would end this process, and the film at hand would be blamed.
    """
    try:
        ForkingPickler.loads(ForkingPickler.dumps(value))
    except Exception as reason:  # whatever pickling runs into, on either side
        name = f"{type(value).__name__}: {value}"[:500]
        text = f"a worker process cannot send its answer ({name}; {reason}): a fault of hoseg"
        return "raised", HosegError(f"{text}, please report it", code="internal_error")
    return kind, value
