"""The reference set of the parity gate: a few films and what float32 torch makes of them.

It is shipped beside the weights of a released model, so that the gate needs no torch, and is made
once in the user's cache for any other model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoseg.extras import require
from hoseg.imaging.prepare import prepare
from hoseg.infer import derived
from hoseg.infer.engine import Engine, deployment_of
from hoseg.infer.options import Options, RuntimeOptions
from hoseg.infer.runtimes import REFERENCE
from hoseg.radiograph import Grid, Prepared, Radiograph, Segmentation, Spacing, SpacingSource
from hoseg.segment.weights import Model

FILMS = 12
SEED = 20_240_601

_LEVELS_A_UNIT = 31.0  # uint8 steps in one unit of normalised grey: +-4 fits into 0..255
_ZERO = 128


@dataclass(frozen=True, eq=False)
class Reference:
    """Films and what float32 torch makes of them.

    films: on their own grid, whose pixels are those of the original
    answers: one a film
    """

    films: tuple[Prepared, ...]
    answers: tuple[Segmentation, ...]


def reference_of(model: Model) -> Reference:
    """Load the reference set of a model; it is made with torch if there is none yet."""
    return load_reference(derived.derived_file(model, derived.REFERENCE, make_reference))


def make_reference(model: Model, path: Path) -> None:
    """Simulate the reference films, predict them with float32 torch and write both."""
    require("export", "torch", purpose=f"to make parity.npz for {model.path}, hoseg")
    from hoseg.infer.runtimes.torch_cpu import open_network

    card = model.card
    forward = open_network(model, RuntimeOptions(REFERENCE.device, REFERENCE.precision, 1))
    deployment = deployment_of((model,), Options(films=1))
    stored = [_to_bytes(film) for film in simulate_films(card.spacing_mm)]
    films = [_from_bytes(*pair, card.spacing_mm) for pair in stored]
    found = list(Engine((forward,), deployment).segment(films))
    arrays: dict[str, NDArray[np.generic]] = {"spacing_mm": np.array(card.spacing_mm)}
    for index, ((levels, field), answer) in enumerate(zip(stored, found, strict=True)):
        arrays |= {f"film{index}": levels, f"field{index}": field, f"masks{index}": answer.masks}
        arrays[f"probabilities{index}"] = answer.probabilities
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load_reference(path: Path) -> Reference:
    """Read what ``make_reference`` wrote; nothing is unpickled."""
    with np.load(path, allow_pickle=False) as arrays:
        count = sum(name.startswith("film") for name in arrays.files)
        spacing_mm = float(arrays["spacing_mm"])
        films = tuple(
            _from_bytes(arrays[f"film{i}"], arrays[f"field{i}"], spacing_mm) for i in range(count)
        )
        answers = tuple(
            Segmentation(arrays[f"masks{i}"], arrays[f"probabilities{i}"], film.grid, "reference")
            for i, film in enumerate(films)
        )
    return Reference(films, answers)


def simulate_films(spacing_mm: float) -> list[Prepared]:
    """Simulate hips and pelves, each class in turn, with and without implants; prepare them.

    Every view and fluoroscopies are among them, and most hips have ossification to judge: where
    there is none, no class could change.
    """
    from hoseg.simulate import BALANCED, SceneSettings, project, render, sample_scene

    films = []
    for index in range(FILMS):
        rng = np.random.default_rng([SEED, index])
        wanted = list(BALANCED)[index % len(BALANCED)]
        settings = SceneSettings(brooker={name: float(name == wanted) for name in BALANCED})
        film = render(project(sample_scene(settings, rng), spacing_mm), rng)
        spacing = Spacing(spacing_mm, spacing_mm, 0.0, SpacingSource.USER)
        films.append(prepare(Radiograph(film.pixels, "reference", spacing), spacing_mm))
    return films


def _to_bytes(film: Prepared) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Grey levels and field of a film as they are stored."""
    levels = np.clip(np.rint(film.pixels * _LEVELS_A_UNIT) + _ZERO, 0, 255)
    return levels.astype(np.uint8), film.field


def _from_bytes(levels: NDArray[np.uint8], field: NDArray[np.bool_], spacing_mm: float) -> Prepared:
    """Make a film of its own grid out of what is stored."""
    pixels = (levels.astype(np.float32) - _ZERO) / np.float32(_LEVELS_A_UNIT)
    shape = (int(levels.shape[0]), int(levels.shape[1]))
    grid = Grid(shape, (0.0, 0.0), (1.0, 1.0), (spacing_mm, spacing_mm))
    return Prepared(pixels, field, grid, shape)
