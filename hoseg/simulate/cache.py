"""Projected geometries on disk, so that a training run renders instead of projecting.

Three files a geometry: path lengths (float16, memory-mapped on reading), masks, and a JSON
header that is written last: a geometry without a header does not exist.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoseg.errors import InputError, OutputError
from hoseg.simulate.body.frame import BodyFrame
from hoseg.simulate.body.materials import Material
from hoseg.simulate.film.film import SimulatedFilm
from hoseg.simulate.patient.layers import Layers
from hoseg.simulate.stream import StreamSettings, geometry_layers, render_crop


class LayerCache(Sequence[Layers]):
    """The geometries of a folder, in order; each is read when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.headers = sorted(folder.glob("*.json"))
        if not self.headers:
            raise InputError(
                str(folder), "holds no geometries; make them with build_layer_cache", code="empty"
            )

    def __len__(self) -> int:
        return len(self.headers)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        """Geometry ``index``, or a list of them for a slice."""
        if isinstance(index, slice):
            return [read_layers(header) for header in self.headers[index]]
        return read_layers(self.headers[index])


def write_layers(folder: Path, name: str, layers: Layers) -> None:
    """Write one geometry. Path lengths are kept to float16: 0.05 % of their value."""
    lengths: NDArray[np.float16] = layers.lengths_mm.astype(np.float16)
    np.save(folder / f"{name}.lengths.npy", lengths)
    np.save(folder / f"{name}.masks.npy", np.stack([layers.masks, layers.sacrum.view(np.uint8)]))
    header = {
        "materials": [material.name for material in layers.materials],
        "frame": asdict(layers.frame),
    }
    part = folder / f"{name}.json.part"
    part.write_text(json.dumps(header))
    part.replace(folder / f"{name}.json")


def read_layers(header: Path) -> Layers:
    """Read one geometry; its path lengths stay on disk until they are used."""
    stem = header.with_suffix("")
    try:
        facts = json.loads(header.read_text())
        lengths = np.load(stem.with_suffix(".lengths.npy"), mmap_mode="r", allow_pickle=False)
        masks, sacrum = np.load(stem.with_suffix(".masks.npy"), allow_pickle=False)
        materials = tuple(Material[name] for name in facts["materials"])
        return Layers(materials, lengths, masks, sacrum.view(bool), _frame(facts["frame"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            str(header), f"is not a geometry written by build_layer_cache ({error}); delete it"
        ) from error


def _frame(facts: dict[str, Any]) -> BodyFrame:
    right, left = facts["thighs"]
    return BodyFrame(
        _pair(facts["origin_px"]),
        _pair(facts["left"]),
        _pair(facts["feet"]),
        float(facts["half_distance_mm"]),
        (_pair(right), _pair(left)),
        float(facts["spacing_mm"]),
    )


def _pair(values: list[float]) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)


def build_layer_cache(
    folder: Path,
    count: int,
    seed: int,
    settings: StreamSettings | None = None,
    workers: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> LayerCache:
    """Project ``count`` geometries of the stream ``seed`` to ``folder``, about 7 MB each.

    What is there already is kept, so that an interrupted run continues.
    """
    settings = settings or StreamSettings()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot make this folder ({error.strerror})") from error
    wanted = [k for k in range(count) if not (folder / f"{k:06d}.json").exists()]
    with ProcessPoolExecutor(workers or os.cpu_count(), get_context("spawn")) as pool:
        jobs = [pool.submit(_build, folder, k, seed, settings) for k in wanted]
        for job in as_completed(jobs):
            job.result()
            advance()
    return LayerCache(folder)


def _build(folder: Path, index: int, seed: int, settings: StreamSettings) -> None:
    write_layers(folder, f"{index:06d}", geometry_layers(seed, index, settings))


def cached_crop(
    cache: Sequence[Layers], seed: int, index: int, settings: StreamSettings | None = None
) -> SimulatedFilm:
    """Crop ``index`` of the stream ``seed`` over stored geometries."""
    rng = np.random.default_rng([seed, 2, index])
    return render_crop(cache[int(rng.integers(len(cache)))], rng, settings or StreamSettings())
