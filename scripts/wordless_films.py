"""Simulated films without any word or letter, to plant texts on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoseg.simulate.film.confounders import ConfounderRates
from hoseg.simulate.film.film import RenderSettings, render
from hoseg.simulate.patient.projection import project
from hoseg.simulate.patient.scene import sample_scene
from hoseg.simulate.patient.settings import SceneSettings

Array = NDArray[Any]


def wordless_film(seed: int, index: int) -> tuple[Array, Array, bool]:
    """A simulated film without words and letters, its structures, whether bone is dark."""
    rng = np.random.default_rng([seed, index])
    scene = sample_scene(SceneSettings(), rng)
    layers = project(scene, float(np.exp(rng.uniform(np.log(0.15), np.log(0.4)))))
    film = render(layers, rng, RenderSettings(confounders=ConfounderRates(side_marker=0), text=0))
    return film.pixels, film.masks, film.recipe.processing.dark_bone
