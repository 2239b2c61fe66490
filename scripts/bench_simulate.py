"""Simulated images a second on one core: geometry, rendering and both, for crops and films.

python scripts/bench_simulate.py [--json out.json]
"""

# ruff: noqa: E402  (threads are limited before the libraries start)
from __future__ import annotations

import argparse
import json
import os
import platform
import time
from functools import lru_cache

for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from hoseg.simulate.film.film import render
from hoseg.simulate.folder import FolderSettings, simulate_film
from hoseg.simulate.stream import StreamSettings, geometry_layers, render_crop

RENDERS = 4
"""Crops rendered from one geometry before the next is built."""


def rate(work, repeats: int) -> tuple[float, float]:
    """(median seconds, images a second by the mean) of processor time of ``work(k)``, warm.

    Processor time, so that a busy machine gives the figure of an idle one.
    """
    work(0)
    seconds = []
    for k in range(1, repeats + 1):
        start = time.process_time()
        work(k)
        seconds.append(time.process_time() - start)
    return float(np.median(seconds)), 1 / float(np.mean(seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--json", default="")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)

    settings = StreamSettings()
    layers = geometry_layers(0, 0, settings)
    geometry = lru_cache(1)(lambda k: geometry_layers(1, k, settings))
    large = FolderSettings(count=1, spacing_mm=0.28, size=(1500, 1500))
    few = max(3, arguments.repeats // 12)
    rows = {
        "geometry of a film at 0.6 mm": rate(
            lambda k: geometry_layers(0, k, settings), arguments.repeats
        ),
        "384 x 384 crop rendered from a geometry": rate(
            lambda k: render_crop(layers, np.random.default_rng(k), settings), arguments.repeats
        ),
        f"384 x 384 crop, end to end ({RENDERS} a geometry)": rate(
            lambda k: render_crop(geometry(k // RENDERS), np.random.default_rng([1, k]), settings),
            arguments.repeats * RENDERS,
        ),
        "whole film of that geometry rendered": rate(
            lambda k: render(layers, np.random.default_rng(k)), few
        ),
        "1500 x 1500 film, end to end": rate(lambda k: simulate_film(k, large), few),
    }
    table = Table("on one core", "median ms", "images/s", title=platform.processor() or "")
    for name, (median, speed) in rows.items():
        table.add_row(name, f"{1000 * median:.0f}", f"{speed:.2f}")
    Console().print(table)
    if arguments.json:
        result = {name: {"median_s": m, "images_per_s": s} for name, (m, s) in rows.items()}
        with open(arguments.json, "w") as stream_out:
            json.dump(result, stream_out, indent=1)


if __name__ == "__main__":
    main()
