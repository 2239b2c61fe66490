#!/usr/bin/env python3
"""How long ``hoseg run`` takes, where the time goes, and whether memory stays flat.

    python scripts/bench_pipeline.py FOLDER_OF_FILMS [--counts 100 1000] [--workers N]

Prints, for films like those in the folder: the time of each stage alone in one process (the mean
over films of their medians), images per second of the whole command, its ratio to the unavoidable
work (decode and forward pass), the processor time of an image, and peak memory at each count.

What is measured, and what is not:

- "decode" is reading a file and making a ``Radiograph`` of it: all attributes, all pixels, the
  modality LUT. "forward and masks" is ``Predictor.predict``: the network, and its answer brought
  back to the film's own pixels as masks. Both with one thread, as in a run.
- Every stage is called as a run calls it, with what a run has at hand at that point, and repeated
  on the same film: its caches are warmer than in a run, so a run costs more than their sum.
- The whole is ``hoseg run`` as a user starts it: finding files, the parity gate, starting
  processes, journal, tables and review page are in. "Each further image" is the difference between
  two counts, so what is paid once (imports, models, the gate) drops out, and what is paid for
  every image (hand-over to the processes, the journal's transactions, file names, tables)
  stays in. It is an honest cost only when nothing else runs: compare its processor time.
- Inputs are copies of a few films with new identifiers, read once before from the page cache; a
  slow disk or network comes on top.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from kill_test import make_inputs

REPEATS = 5
FILMS = 6


@dataclass(frozen=True)
class Run:
    """One ``hoseg run``: seconds on the clock and on the processors, peak MiB of all processes."""

    count: int
    seconds: float
    processor_s: float
    peak_mib: float


def median_ms(work: Callable[[], object]) -> float:
    """Median processor time of a few repeats after one to warm up, in milliseconds.

    One thread does the work, so on a quiet machine this is also the time on the clock.
    """
    work()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * statistics.median(times)


def stages(films: list[Path], model: str | None, runtime: str | None) -> dict[str, float]:
    """Milliseconds of each stage of a film, alone, one thread; the mean over films."""
    import cv2

    from hoseg.infer.predictor import Options
    from hoseg.pipeline import Pipeline

    cv2.setNumThreads(1)
    pipeline = Pipeline(model, runtime=runtime, options=Options(threads=1, films=1))
    tables = [stages_of(film, pipeline) for film in films]
    return {name: statistics.mean(table[name] for table in tables) for name in tables[0]}


def stages_of(film: Path, pipeline) -> dict[str, float]:
    """Milliseconds of each stage of one film that is graded."""
    import numpy as np

    from hoseg.batch.item import jpeg_files
    from hoseg.dicom import Source, decode
    from hoseg.grade import grade
    from hoseg.imaging.display import display
    from hoseg.imaging.prepare import prepare
    from hoseg.imaging.quality import check_attributes, check_picture, check_segmentation
    from hoseg.imaging.reading import Reading
    from hoseg.radiograph import split_layers
    from hoseg.report.overlay import overlay, trace_contours
    from hoseg.report.png import encode_png
    from hoseg.report.schema import to_json
    from hoseg.review import case_script

    source = Source(film, str(film))
    (radiograph,) = decode(source)
    prepared = prepare(radiograph, pipeline.predictor.spacing_mm)
    (segmentation,) = pipeline.predictor.predict([prepared])
    reading = Reading(radiograph, prepared, segmentation)
    image = pipeline.conclude(reading)
    result = image.result
    picture = image.overlay()
    masks = segmentation.masks
    work: dict[str, Callable[[], object]] = {
        "decode": lambda: decode(source),
        "prepare": lambda: prepare(radiograph, pipeline.predictor.spacing_mm),
        "quality gate": lambda: (
            check_attributes(radiograph),
            check_picture(radiograph, prepared),
            check_segmentation(reading),
        ),
        "forward and masks": lambda: pipeline.predictor.predict([prepared]),
        "display": lambda: display(radiograph),
        "grade": lambda: grade(reading, pipeline.grading, rng=np.random.default_rng(0)),
        "structures": lambda: split_layers(masks),
        "outlines": lambda: trace_contours(masks, reading.layers),
        "overlay": lambda: overlay(radiograph, masks, result.hips, (), image.grey, image.contours),
        "overlay PNG": picture.png,
        "masks PNG": lambda: encode_png(masks),
        "film and thumbnail JPEG": lambda: jpeg_files(image),
        "result and review case": lambda: (
            to_json(result),
            case_script(result, masks, image.contours),
        ),
    }
    return {name: median_ms(action) for name, action in work.items()}


def whole(inputs: Path, arguments: argparse.Namespace) -> Run:
    """Time one ``hoseg run``."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "hoseg.cli", "run", str(inputs), "--out", out, "--json"]
        command += ["--workers", str(arguments.workers)]
        for option in ("model", "runtime"):
            if value := getattr(arguments, option):
                command += [f"--{option}", value]
        before = _processor_s()
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        peak = [0.0]
        watcher = threading.Thread(target=_watch, args=(process.pid, peak), daemon=True)
        watcher.start()
        process.wait()
        seconds = time.perf_counter() - start
        count = sum(1 for _ in inputs.iterdir())
        return Run(count, seconds, _processor_s() - before, peak[0])


def _processor_s() -> float:
    """Processor time of all children that have ended (seconds)."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _watch(pid: int, peak: list[float]) -> None:
    """Sample the unique memory of a process and its children until it ends."""
    try:
        parent = psutil.Process(pid)
        while True:
            family = [parent, *parent.children(recursive=True)]
            total = 0
            for member in family:
                try:
                    total += member.memory_full_info().uss
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], total / 2**20)
            time.sleep(1.0)
    except psutil.NoSuchProcess:
        return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("films", type=Path)
    parser.add_argument("--counts", type=int, nargs="*", default=[100, 1000])
    parser.add_argument("--workers", type=int, default=len(psutil.Process().cpu_affinity() or [0]))
    parser.add_argument("--model")
    parser.add_argument("--runtime", help="torch, onnx or openvino; the fastest by default")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    films = sorted(p for p in arguments.films.rglob("*") if p.suffix in (".dcm", ".png"))
    alone = stages(films[:FILMS], arguments.model, arguments.runtime)
    for name, ms in alone.items():
        print(f"{name:24s} {ms:8.1f} ms")
    total = sum(alone.values())
    print(f"{'sum':24s} {total:8.1f} ms, {total / arguments.workers:.0f} on each process")
    decode, forward = alone["decode"], alone["forward and masks"]
    runs: list[Run] = []
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as folder:
            inputs = Path(folder) / "in"
            make_inputs(arguments.films, inputs, count, spoil=False)
            runs.append(whole(inputs, arguments))
        run, ms = runs[-1], 1000 * runs[-1].seconds / count
        print(f"{count:6d} images: {1000 / ms:.2f} a second, {ms:.0f} ms each, start-up included,")
        print(f"       peak {run.peak_mib:.0f} MiB")
        if len(runs) > 1:  # the cost of an image without start-up
            fewer = runs[-2]
            more = 1000 * (run.seconds - fewer.seconds) / (count - fewer.count)
            used = 1000 * (run.processor_s - fewer.processor_s) / (count - fewer.count)
            floor = (decode + forward) / arguments.workers
            print(
                f"       each further image: {more:.0f} ms, {used:.0f} ms of processor time; "
                f"{more / floor:.2f} x (decode + forward) / {arguments.workers} processes, "
                f"{more / max(decode, forward):.2f} x the larger of both"
            )
    if arguments.json:
        figures = {
            "stages_ms": alone,
            "workers": arguments.workers,
            "runs": [asdict(run) for run in runs],
        }
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
