#!/usr/bin/env python3
"""How long ``hoseg run`` takes, where the time goes, and whether memory stays flat.

    python scripts/bench_pipeline.py FOLDER_OF_FILMS [--counts 100 1000] [--workers N]

Prints, for films like those in the folder: the time of each stage alone in one process (medians),
images per second of the whole command, its ratio to the unavoidable work (decode and forward
pass, spread over the processes), and peak memory at each count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from kill_test import make_inputs

REPEATS = 5


def median_ms(work: Callable[[], object]) -> float:
    """Median of a few repeats after one to warm up, in milliseconds."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def stages(film: Path, model: str | None) -> dict[str, float]:
    """Milliseconds of each stage of one film, alone, one thread."""
    import cv2
    import numpy as np

    from hoseg.dicom import Source, decode
    from hoseg.grade import Probabilities, grade
    from hoseg.imaging.display import display
    from hoseg.imaging.prepare import prepare
    from hoseg.pipeline import Pipeline
    from hoseg.report.png import encode_png
    from hoseg.report.review import case_script
    from hoseg.segment.predictor import Options

    cv2.setNumThreads(1)
    source = Source(film, str(film))
    (radiograph,) = decode(source)
    pipeline = Pipeline(model, options=Options(threads=1, films=1))
    prepared = prepare(radiograph, pipeline.predictor.spacing_mm)
    (segmentation,) = pipeline.predictor.predict([prepared])
    image = pipeline.conclude(radiograph, prepared, segmentation)
    result = image.result()
    picture = image.overlay()
    work: dict[str, Callable[[], object]] = {
        "decode": lambda: decode(source),
        "prepare": lambda: prepare(radiograph, pipeline.predictor.spacing_mm),
        "forward and masks": lambda: pipeline.predictor.predict([prepared]),
        "display": lambda: display(radiograph),
        "grade": lambda: grade(
            segmentation.masks,
            radiograph.spacing,
            view=radiograph.view,
            image=image.grey,
            probabilities=Probabilities(segmentation.probabilities, segmentation.grid),
            rng=np.random.default_rng(0),
        ),
        "overlay": image.overlay,
        "overlay PNG": picture.png,
        "masks PNG": lambda: encode_png(segmentation.masks),
        "film JPEG": lambda: cv2.imencode(".jpg", image.grey, [cv2.IMWRITE_JPEG_QUALITY, 92]),
        "review case": lambda: case_script(result, segmentation.masks),
    }
    return {name: median_ms(action) for name, action in work.items()}


def whole(inputs: Path, workers: int, model: str | None) -> tuple[float, float]:
    """(seconds, peak MiB over all processes) of one ``hoseg run``."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "hoseg.cli", "run", str(inputs), "--out", out, "--json"]
        command += ["--workers", str(workers), *(["--model", model] if model else [])]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        peak = [0.0]
        watcher = threading.Thread(target=_watch, args=(process.pid, peak), daemon=True)
        watcher.start()
        process.wait()
        return time.perf_counter() - start, peak[0]


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
            time.sleep(0.2)
    except psutil.NoSuchProcess:
        return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("films", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--workers", type=int, default=len(psutil.Process().cpu_affinity() or [0]))
    parser.add_argument("--model")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    first = sorted(p for p in arguments.films.rglob("*") if p.suffix in (".dcm", ".png"))[0]
    alone = stages(first, arguments.model)
    for name, ms in alone.items():
        print(f"{name:20s} {ms:8.1f} ms")
    decode, forward = alone["decode"], alone["forward and masks"]
    figures: dict[str, object] = {"stages_ms": alone, "workers": arguments.workers, "runs": []}
    previous: tuple[int, float] | None = None
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as folder:
            inputs = Path(folder) / "in"
            make_inputs(arguments.films, inputs, count)
            seconds, peak = whole(inputs, arguments.workers, arguments.model)
        per_image = 1000 * seconds / count
        floor = (decode + forward) / arguments.workers
        line = (
            f"{count:6d} images: {count / seconds:.2f} a second, {per_image:.0f} ms an image, "
            f"{per_image / floor:.2f} x (decode + forward) / {arguments.workers} processes, "
            f"{per_image / max(decode, forward):.2f} x the larger of both, peak {peak:.0f} MiB"
        )
        if previous is not None:  # the cost of an image without start-up
            more = 1000 * (seconds - previous[1]) / (count - previous[0])
            line += f"; {more:.0f} ms for each further image ({more / floor:.2f} x the floor)"
        previous = (count, seconds)
        print(line)
        figures["runs"].append({"count": count, "seconds": seconds, "peak_mib": peak})  # type: ignore[attr-defined]
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
