"""The reference set of the parity gate: a few films and what float32 torch makes of them.

It is shipped beside the weights of a released model, so that the gate needs no torch, and is made
once in the user's cache for any other model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.radiograph import Grid, Prepared
from hoseg.segment.runtimes.derived import REFERENCE, derived_file
from hoseg.segment.weights import Model

FILMS = 4

_LEVELS_A_UNIT = 31.0  # uint8 steps in one unit of normalised grey: +-4 fits into 0..255
_ZERO = 128


@dataclass(frozen=True, eq=False)
class Reference:
    """Films and the masks float32 torch gives them.

    films: on their own grid, whose pixels are those of the original
    masks: (h, w) uint8 bits, one a film
    """

    films: tuple[Prepared, ...]
    masks: tuple[NDArray[np.uint8], ...]


def reference_of(model: Model) -> Reference:
    """Load the reference set of a model; it is made with torch if there is none yet."""
    return load_reference(derived_file(model, REFERENCE, make_reference))


def make_reference(model: Model, path: Path) -> None:
    """Predict the reference films with float32 torch and write both."""
    from hoseg.segment.engine import CpuEngine, Deployment
    from hoseg.segment.options import Options
    from hoseg.segment.runtimes import REFERENCE as row
    from hoseg.segment.runtimes import Wish
    from hoseg.segment.runtimes.torch_cpu import open_network

    card = model.card
    forward = open_network(model, Wish(row.device, row.precision, 1))
    deployment = Deployment(card.label, card.thresholds, card.pad_multiple, Options(films=1))
    levels = [_to_bytes(film) for film in draw_films(card.spacing_mm)]
    films = [_from_bytes(film, card.spacing_mm) for film in levels]
    found = list(CpuEngine((forward,), deployment).segment(films))
    arrays: dict[str, NDArray[np.generic]] = {"spacing_mm": np.array(card.spacing_mm)}
    arrays |= {f"film{i}": film for i, film in enumerate(levels)}
    arrays |= {f"masks{i}": answer.masks for i, answer in enumerate(found)}
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load_reference(path: Path) -> Reference:
    """Read what ``make_reference`` wrote; nothing is unpickled."""
    with np.load(path, allow_pickle=False) as arrays:
        count = sum(name.startswith("film") for name in arrays.files)
        spacing_mm = float(arrays["spacing_mm"])
        films = tuple(_from_bytes(arrays[f"film{i}"], spacing_mm) for i in range(count))
        masks = tuple(arrays[f"masks{i}"] for i in range(count))
    return Reference(films, masks)


def _to_bytes(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(np.rint(pixels * _LEVELS_A_UNIT) + _ZERO, 0, 255).astype(np.uint8)


def _from_bytes(levels: NDArray[np.uint8], spacing_mm: float) -> Prepared:
    """Make a film of its own grid out of stored grey levels."""
    pixels = (levels.astype(np.float32) - _ZERO) / np.float32(_LEVELS_A_UNIT)
    shape = (int(levels.shape[0]), int(levels.shape[1]))
    grid = Grid(shape, (0.0, 0.0), (1.0, 1.0), (spacing_mm, spacing_mm))
    return Prepared(pixels, np.ones(shape, bool), grid, shape)


def draw_films(spacing_mm: float) -> list[NDArray[np.float32]]:
    """Draw bone-like discs and bars on a noisy background, normalised, 350 x 420 mm."""
    rng = np.random.default_rng(20_240_601)
    height, width = round(350 / spacing_mm), round(420 / spacing_mm)
    films = []
    for _ in range(FILMS):
        noise = rng.standard_normal((height, width)).astype(np.float32)
        film = np.asarray(cv2.GaussianBlur(noise, (0, 0), 40))
        film *= np.float32(0.7 / film.std())
        for _ in range(12):
            centre = (int(rng.integers(width)), int(rng.integers(height)))
            axes = (int(rng.integers(10, 150)), int(rng.integers(10, 60)))
            shape = np.zeros((height, width), np.float32)
            angle = float(rng.uniform(0, 180))
            cv2.ellipse(shape, centre, axes, angle, 0, 360, 1.0, -1)
            film += np.float32(rng.uniform(0.3, 1.0)) * cv2.GaussianBlur(shape, (0, 0), 1.5)
        film += np.float32(0.1) * rng.standard_normal(film.shape).astype(np.float32)
        films.append(film)
    return films
