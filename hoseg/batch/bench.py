"""Measuring inference: films a second from file to masks, stage by stage, against its bound."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hoseg.batch.workers import Lost, WorkerPool
from hoseg.errors import InputError
from hoseg.imaging.prepare import prepare
from hoseg.infer.predictor import Choice, Options, Predictor, open_chosen
from hoseg.infer.trial import segment
from hoseg.memory import keep_freed_memory
from hoseg.radiograph import Radiograph

T = TypeVar("T")
FILMS_A_PASS = 40
LIMIT_S = 600.0
"""Of one film, as ``--limit-s`` of a run."""

Decode = Callable[[Path], Radiograph]
Write = Callable[[Path, NDArray[np.uint8]], None]


@dataclass(frozen=True)
class Rate:
    """Films a second over several passes.

    median, slowest, fastest: films a second of a pass
    passes: how many were timed, after one that was not
    """

    median: float
    slowest: float
    fastest: float
    passes: int


@dataclass(frozen=True)
class Bench:
    """What was measured.

    end_to_end: from file to masks on disk
    network: forward passes alone, films side by side as in the batch
    stages_ms: each stage of one film, alone on one core; mean over the films
    bound_films_s: on a CPU, films a second if all stages kept all cores busy without a gap; on a
        card, the smaller of what decoding alone gives on all cores and what the card alone gives
    bound_by: "cores", "decode" or "card"
    share_of_bound: end_to_end over bound_films_s
    peak_memory_mb: largest resident sizes of the workers together
    half_resolution: films were decoded at half resolution, as JPEG 2000 may be for masks alone
    """

    end_to_end: Rate
    network: Rate
    stages_ms: dict[str, float]
    bound_films_s: float
    bound_by: str
    share_of_bound: float
    peak_memory_mb: float
    half_resolution: bool


@dataclass(frozen=True)
class BenchPath:
    """The stages of the path from a file to its masks on disk.

    decode: reads one radiograph
    write: writes masks (H, W) uint8 to a path
    """

    predictor: Predictor
    decode: Decode
    write: Write


def measure(bench_path: BenchPath, paths: Sequence[Path], out: Path, passes: int) -> Bench:
    """Measure one predictor on films.

    paths: DICOM files; a pass reads each as often as it takes to see 40 films
    out: an empty folder for masks
    """
    predictor = bench_path.predictor
    # A pass ends when its last film does: the longer it is, the less one waiting core counts.
    many = list(islice(cycle(paths), max(len(paths), FILMS_A_PASS)))
    with _open_workers(bench_path, out) as processes:
        times = [processes.run(many) for _ in range(passes + 1)]
        end_to_end = rate_of(times[1:], len(many))
        memory_mb = processes.peak_memory_mb()
    stages = time_stages(bench_path, paths, out)
    decoded = [bench_path.decode(path) for path in paths[:4]]
    half = any(note.code == "half_resolution" for film in decoded for note in film.notes)
    films = [prepare(film, predictor.spacing_mm) for film in decoded]
    repeated = [films[i % len(films)] for i in range(len(many))]
    workers = predictor.options.parallel_films
    network = rate(predictor.engine.answer, repeated, workers, passes)
    bounds = bounds_of(stages, network, workers, on_card=predictor.choice.device != "cpu")
    bound_by = min(bounds, key=lambda name: bounds[name])
    share = end_to_end.median / bounds[bound_by]
    return Bench(
        end_to_end, network, stages, bounds[bound_by], bound_by, share, memory_mb, half
    )  # fmt: skip


def bounds_of(
    stages_ms: dict[str, float], network: Rate, workers: int, *, on_card: bool
) -> dict[str, float]:
    """Films a second that cannot be exceeded, by what sets the limit.

    On a CPU every stage needs a core. With a card that does the network's work, decoding alone is
    left as unavoidable: what else the cores do counts against the share that is reached.
    """
    if not on_card:
        return {"cores": 1000 * workers / sum(stages_ms.values())}
    return {"decode": 1000 * workers / stages_ms["decode"], "card": network.median}


def measure_folder(bench_path: BenchPath, paths: Sequence[Path], out: Path) -> tuple[float, float]:
    """Films a second over a folder of any size after a warm-up, and the peak memory (MB)."""
    with _open_workers(bench_path, out) as workers:
        workers.run(paths[:4])
        seconds = workers.run(paths)
        return len(paths) / seconds, workers.peak_memory_mb()


class _Workers:
    """The processes of ``hoseg run``, taking films from file to masks."""

    def __init__(self, pool: WorkerPool[Path, tuple[int, float]]) -> None:
        self._pool = pool
        self._memory_mb: dict[int, float] = {}

    def run(self, paths: Sequence[Path]) -> float:
        """Seconds a pass over the films takes."""
        start = time.perf_counter()
        for path, answer in self._pool.map_unordered(paths):
            if isinstance(answer, Lost):
                raise InputError(str(path), answer.sentence, code=answer.code)
            process, memory_mb = answer
            self._memory_mb[process] = memory_mb
        return time.perf_counter() - start

    def peak_memory_mb(self) -> float:
        """Peaks of all workers together (MB); this process may have done other work before."""
        return sum(self._memory_mb.values())


@contextmanager
def _open_workers(bench_path: BenchPath, out: Path) -> Iterator[_Workers]:
    """Start the workers of a run, each with a network of its own."""
    predictor = bench_path.predictor
    folders = tuple(model.path for model in predictor.models)
    opened_as = _OpenedAs(folders, predictor.choice, predictor.options)
    setup = partial(make_worker, opened_as, bench_path.decode, bench_path.write, out)
    pool: _Pool = WorkerPool(setup, predictor.options.parallel_films, LIMIT_S)
    with closing(pool):
        yield _Workers(pool)


_Pool = WorkerPool[Path, tuple[int, float]]


@dataclass(frozen=True)
class _OpenedAs:
    """What a worker opens as the process before it did."""

    folders: tuple[Path, ...]
    choice: Choice
    options: Options


def make_worker(
    opened_as: _OpenedAs, decode: Decode, write: Write, out: Path, number: int
) -> Callable[[Path], tuple[int, float]]:
    """Load the model in this process and return what takes one film to its masks.

    That returns the process and its peak memory so far (MB).
    """
    import cv2

    cv2.setNumThreads(1)  # films run side by side: one thread each
    keep_freed_memory()
    predictor = open_chosen(opened_as.folders, opened_as.choice, number, opened_as.options)

    def film_to_masks(path: Path) -> tuple[int, float]:
        film = decode(path)
        reading = segment(predictor, film, prepare(film, predictor.spacing_mm))
        write(out / f"{path.stem}.png", reading.segmentation.masks)
        return os.getpid(), peak_memory_mb()

    return film_to_masks


def rate_of(times_s: Sequence[float], films: int) -> Rate:
    """Films a second from the times of passes over a number of films."""
    speeds = [films / seconds for seconds in times_s]
    return Rate(median(speeds), min(speeds), max(speeds), len(speeds))


def rate(work: Callable[[T], object], items: Sequence[T], workers: int, passes: int) -> Rate:
    """Time passes over all items on a number of threads, after one pass that is not timed."""
    times = []
    with ThreadPoolExecutor(workers) as pool:
        for _ in range(passes + 1):
            start = time.perf_counter()
            for _ in pool.map(work, items):
                pass
            times.append(time.perf_counter() - start)
    return rate_of(times[1:], len(items))


def time_stages(bench_path: BenchPath, paths: Sequence[Path], out: Path) -> dict[str, float]:
    """Milliseconds of each stage of a film, one film at a time in this thread.

    The median of three passes over each film; the mean over films, since that is what a folder
    costs: two films of one size can differ by half in what it takes to decode them.
    """
    _time_stages_once(bench_path, paths[0], out)
    rows = [
        np.median([_time_stages_once(bench_path, path, out) for _ in range(3)], axis=0)
        for path in paths
    ]
    names = ("decode", "prepare", "forward", "masks", "write")
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))


def _time_stages_once(bench_path: BenchPath, path: Path, out: Path) -> NDArray[np.float64]:
    """Milliseconds of decode, prepare, the network, masks of its answer, and write."""
    predictor = bench_path.predictor
    marks = [time.perf_counter()]
    film = bench_path.decode(path)
    marks.append(time.perf_counter())
    ready = prepare(film, predictor.spacing_mm)
    marks.append(time.perf_counter())
    answer = predictor.engine.answer(ready)
    marks.append(time.perf_counter())
    found = predictor.engine.conclude(answer, ready)
    marks.append(time.perf_counter())
    bench_path.write(out / f"{path.stem}.png", found.masks)
    marks.append(time.perf_counter())
    return 1000 * np.diff(marks)


def peak_memory_mb() -> float:
    """Largest resident size of this process so far (MB).

    Linux is asked for the process itself: ``getrusage`` goes on counting from its parent's.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1e3
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1e6 if sys.platform == "darwin" else 1e3)
