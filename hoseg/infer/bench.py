"""Measuring inference: films a second from file to masks, stage by stage, against its bound."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hoseg.imaging.prepare import prepare, restore
from hoseg.infer.engine import CpuEngine
from hoseg.infer.options import usable_cores
from hoseg.infer.predictor import Predictor, Segmenter
from hoseg.memory import keep_freed_memory
from hoseg.radiograph import Radiograph

T = TypeVar("T")
FILMS_A_PASS = 40

Decode = Callable[[Path], Radiograph]
Write = Callable[[Path, NDArray[np.uint8]], None]
Connect = Callable[[], Segmenter]


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
    bound_films_s: films a second if all stages kept all cores busy without a gap
    share_of_bound: end_to_end over that
    peak_memory_mb: largest resident sizes of the workers together
    half_resolution: films were decoded at half resolution, as JPEG 2000 may be for masks alone
    """

    end_to_end: Rate
    network: Rate
    stages_ms: dict[str, float]
    bound_films_s: float
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
    on_gpu = predictor.choice.device != "cpu"
    workers = usable_cores() if on_gpu else predictor.options.parallel_films
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
    if on_gpu:
        network = rate(lambda _: predictor.predict(repeated), [None], 1, passes)
        network = scaled(network, len(repeated))
        on_cores = sum(ms for name, ms in stages.items() if name in ("decode", "prepare", "write"))
        bound = min(1000 * workers / on_cores, network.median)
    else:
        assert isinstance(predictor.engine, CpuEngine)
        network = rate(predictor.engine.answer, repeated, workers, passes)
        bound = 1000 * workers / sum(stages.values())
    share = end_to_end.median / bound
    return Bench(end_to_end, network, stages, bound, share, memory_mb, half)


def measure_folder(bench_path: BenchPath, paths: Sequence[Path], out: Path) -> tuple[float, float]:
    """Films a second over a folder of any size after a warm-up, and the peak memory (MB)."""
    with _open_workers(bench_path, out) as workers:
        workers.run(paths[:4])
        seconds = workers.run(paths)
        return len(paths) / seconds, workers.peak_memory_mb()


class _Workers:
    """Processes that take films from file to masks, as those of ``hoseg run`` do.

    Processes, not threads: a film is a thousand small calls, and threads of one interpreter wait
    for each other at every one.
    """

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool
        self._memory_mb: dict[int, float] = {}

    def run(self, paths: Sequence[Path]) -> float:
        """Seconds a pass over the films takes."""
        start = time.perf_counter()
        self._memory_mb.update(self._pool.map(_work_film, paths))
        return time.perf_counter() - start

    def peak_memory_mb(self) -> float:
        """Peaks of all workers together (MB); this process may have done other work before."""
        return sum(self._memory_mb.values())


@contextmanager
def _open_workers(bench_path: BenchPath, out: Path) -> Iterator[_Workers]:
    """Start workers: each with a network of its own, or all with the one GPU between them."""
    predictor = bench_path.predictor
    with ExitStack() as stack:
        if predictor.choice.device == "cpu":
            count = predictor.options.parallel_films
            options = replace(
                predictor.options, precision=predictor.choice.precision, gate=False, films=1
            )
            folders = [model.path for model in predictor.models]
            runtime = predictor.choice.runtime
            connect: Connect = partial(Predictor, folders, "cpu", runtime, options)
        else:
            from hoseg.infer.gpu.server import RemotePredictor

            count = usable_cores()
            address = stack.enter_context(predictor.serve()).address
            connect = partial(RemotePredictor, address)
        context = multiprocessing.get_context("spawn")
        start = partial(_start_worker, connect, bench_path.decode, bench_path.write, out)
        pool = ProcessPoolExecutor(count, context, start)
        yield _Workers(stack.enter_context(pool))


_film_to_masks: Callable[[Path], None] | None = None  # of a worker process, once it has started


def _start_worker(connect: Connect, decode: Decode, write: Write, out: Path) -> None:
    """Make a worker process ready for films."""
    global _film_to_masks
    import cv2

    cv2.setNumThreads(1)  # films run side by side: one thread each
    keep_freed_memory()
    segmenter = connect()

    def film_to_masks(path: Path) -> None:
        prepared = prepare(decode(path), segmenter.spacing_mm)
        write(out / f"{path.stem}.png", segmenter.predict([prepared])[0].masks)

    _film_to_masks = film_to_masks


def _work_film(path: Path) -> tuple[int, float]:
    """One film; returns the process and its peak memory so far (MB)."""
    if _film_to_masks is None:
        raise RuntimeError("this process was not started as a worker")
    _film_to_masks(path)
    return os.getpid(), peak_memory_mb()


def rate_of(times_s: Sequence[float], films: int) -> Rate:
    """Films a second from the times of passes over a number of films."""
    speeds = [films / seconds for seconds in times_s]
    return Rate(median(speeds), min(speeds), max(speeds), len(speeds))


def scaled(one: Rate, films: int) -> Rate:
    """Turn passes a second into films a second."""
    return Rate(one.median * films, one.slowest * films, one.fastest * films, one.passes)


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
    names = ("decode", "prepare", "forward", "restore", "write")
    stages = dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))
    stages["forward"] -= stages["restore"]  # ``predict`` restores too: counted once
    return stages


def _time_stages_once(bench_path: BenchPath, path: Path, out: Path) -> NDArray[np.float64]:
    """Milliseconds of decode, prepare, predict, restore and write."""
    predictor = bench_path.predictor
    marks = [time.perf_counter()]
    film = bench_path.decode(path)
    marks.append(time.perf_counter())
    ready = prepare(film, predictor.spacing_mm)
    marks.append(time.perf_counter())
    [found] = predictor.predict([ready])
    marks.append(time.perf_counter())
    restore(found.probabilities, ready, predictor.models[0].card.thresholds)
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
