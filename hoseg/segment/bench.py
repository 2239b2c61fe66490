"""Measuring inference: films a second from file to masks, stage by stage, against its bound."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from hoseg.imaging.prepare import plan, prepare, restore
from hoseg.radiograph import Radiograph
from hoseg.segment.options import usable_cores
from hoseg.segment.predictor import Predictor

if TYPE_CHECKING:
    from hoseg.segment.gpu.server import Address, RemotePredictor

T = TypeVar("T")
FILMS_A_PASS = 24

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
    stages_ms: median of each stage of one film, alone on one core
    bound_films_s: films a second if all stages kept all cores busy without a gap
    share_of_bound: end_to_end over that
    peak_memory_mb: largest resident size of this process
    """

    end_to_end: Rate
    network: Rate
    stages_ms: dict[str, float]
    bound_films_s: float
    share_of_bound: float
    peak_memory_mb: float


@dataclass(frozen=True)
class Pipeline:
    """The stages of the path from a file to its masks on disk.

    decode: reads one radiograph
    write: writes masks (H, W) uint8 to a path
    """

    predictor: Predictor
    decode: Decode
    write: Write

    def film(self, path: Path, out: Path) -> None:
        """One film, from file to masks on disk."""
        prepared = prepare(self.decode(path), self.predictor.spacing_mm)
        [found] = self.predictor.predict([prepared])
        self.write(out / f"{path.stem}.png", found.masks)


def measure(pipeline: Pipeline, paths: Sequence[Path], out: Path, passes: int) -> Bench:
    """Measure one predictor on films.

    paths: DICOM files; a pass reads each as often as it takes to see 24 films
    out: an empty folder for masks
    """
    predictor = pipeline.predictor
    on_gpu = predictor.choice.device != "cpu"
    workers = usable_cores() if on_gpu else predictor.options.parallel_films
    # A pass ends when its last film does: the longer it is, the less one waiting core counts.
    many = list(islice(cycle(paths), max(len(paths), FILMS_A_PASS)))
    if on_gpu:
        end_to_end = gpu_rate(pipeline, many, out, workers, passes)
    else:
        end_to_end = rate(lambda path: pipeline.film(path, out), many, workers, passes)
    stages = time_stages(pipeline, paths, out)
    films = [prepare(pipeline.decode(path), predictor.spacing_mm) for path in paths[:4]]
    repeated = [films[i % len(films)] for i in range(len(many))]
    if on_gpu:
        network = rate(lambda _: predictor.predict(repeated), [None], 1, passes)
        network = scaled(network, len(repeated))
        on_cores = sum(ms for name, ms in stages.items() if name in ("decode", "prepare", "write"))
        bound = min(1000 * workers / on_cores, network.median)
    else:
        network = rate(lambda film: predictor.predict([film]), repeated, workers, passes)
        bound = 1000 * workers / sum(stages.values())
    share = end_to_end.median / bound
    return Bench(end_to_end, network, stages, bound, share, peak_memory_mb())


def measure_folder(pipeline: Pipeline, paths: Sequence[Path], out: Path) -> float:
    """Films a second over a folder of any size, each film once; the first few warm up."""
    predictor = pipeline.predictor
    if predictor.choice.device != "cpu":
        return gpu_rate(pipeline, paths, out, usable_cores(), 1).median
    with ThreadPoolExecutor(predictor.options.parallel_films) as pool:
        for _ in pool.map(lambda path: pipeline.film(path, out), paths[:4]):
            pass
        start = time.perf_counter()
        for _ in pool.map(lambda path: pipeline.film(path, out), paths):
            pass
        return len(paths) / (time.perf_counter() - start)


def gpu_rate(
    pipeline: Pipeline, paths: Sequence[Path], out: Path, workers: int, passes: int
) -> Rate:
    """Time worker processes that decode and write, with one GPU between them."""
    context = multiprocessing.get_context("spawn")
    with (
        pipeline.predictor.serve() as server,
        ProcessPoolExecutor(
            workers, context, _join, (server.address, pipeline.decode, pipeline.write, out)
        ) as pool,
    ):
        times = []
        for _ in range(passes + 1):
            start = time.perf_counter()
            for _ in pool.map(_remote_film, paths):
                pass
            times.append(time.perf_counter() - start)
    return rate_of(times[1:], len(paths))


_remote: tuple[RemotePredictor, Decode, Write, Path] | None = None


def _join(address: Address, decode: Decode, write: Write, out: Path) -> None:
    """Connect a worker process to the process that owns the GPU."""
    global _remote
    from hoseg.segment.gpu.server import RemotePredictor

    _remote = (RemotePredictor(address), decode, write, out)


def _remote_film(path: Path) -> None:
    if _remote is None:
        raise RuntimeError("this process has not joined a server")
    predictor, decode, write, out = _remote
    [found] = predictor.predict([plan(decode(path), predictor.spacing_mm)])
    write(out / f"{path.stem}.png", found.masks)


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


def time_stages(pipeline: Pipeline, paths: Sequence[Path], out: Path) -> dict[str, float]:
    """Median milliseconds of each stage of a film, one film at a time in this thread."""
    predictor = pipeline.predictor
    thresholds = predictor.models[0].card.thresholds
    rows = []
    for path in paths:
        marks = [time.perf_counter()]
        film = pipeline.decode(path)
        marks.append(time.perf_counter())
        ready = prepare(film, predictor.spacing_mm)
        marks.append(time.perf_counter())
        [found] = predictor.predict([ready])
        marks.append(time.perf_counter())
        restore(found.probabilities, ready, thresholds)
        marks.append(time.perf_counter())
        pipeline.write(out / f"{path.stem}.png", found.masks)
        marks.append(time.perf_counter())
        rows.append(1000 * np.diff(marks))
    names = ("decode", "prepare", "forward", "restore", "write")
    medians = np.median(rows[1:] or rows, axis=0)
    stages = dict(zip(names, medians.tolist(), strict=True))
    stages["forward"] -= stages["restore"]  # ``predict`` restores too: counted once
    return stages


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
