"""Sources of training samples named in a configuration: the simulator and labelled datasets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from pydantic import TypeAdapter, ValidationError

from hoseg.errors import SettingError
from hoseg.imaging.intensity import normalise
from hoseg.simulate.film.film import SimulatedFilm, render
from hoseg.simulate.stream import StreamSettings, render_crop
from hoseg.train.augment import Crop, centre_crop
from hoseg.train.config import LabelledSource, SimulatedSource, TrainConfig
from hoseg.train.data import SampleSource
from hoseg.train.geometry_pool import GeometryPool
from hoseg.train.sample import ALL_BITS, SACRUM_BIT, TrainingSample

TRAINING_SEED = 1_000_003
VALIDATION_SEED = 2_000_003
CALIBRATION_SEED = 3_000_017
CLEAN_SEED = 4_000_037
"""Anatomies of the uses never meet: each has its own seed."""

CALIBRATION_FILMS = 120


class SimulatedSamples:
    """Films of geometries drawn from a pool: many geometries, each seen in many films.

    seed: of the geometries
    settings: of the simulator
    size: how many geometries there are
    folder: where the pool keeps them
    """

    def __init__(self, seed: int, settings: StreamSettings, size: int, folder: Path) -> None:
        self.settings, self.size = settings, size
        self.pool = GeometryPool(folder, seed, settings)

    def draw(self, index: int, rng: np.random.Generator) -> TrainingSample:
        """Render a film of a geometry drawn at random."""
        layers = self.pool.layers(int(rng.integers(self.size)))
        return film_to_sample(render_crop(layers, rng, self.settings))

    def crop(self, number: int) -> TrainingSample:
        """The one crop of geometry ``number`` that belongs to a validation set."""
        rng = np.random.default_rng([self.pool.seed, 1, number])
        return film_to_sample(render_crop(self.pool.layers(number), rng, self.settings))

    def film(self, number: int) -> Crop:
        """The whole film of geometry ``number``, for calibration."""
        rng = np.random.default_rng([self.pool.seed, 2, number])
        sample = film_to_sample(render(self.pool.layers(number), rng, self.settings.render))
        pixels = np.where(sample.field, normalise(sample.pixels, sample.field), np.float32(0))
        return pixels, sample.targets, sample.ignore


def film_to_sample(film: SimulatedFilm) -> TrainingSample:
    """Bones bright, sacrum as a fifth bit; outside the exposed field there is nothing to find."""
    targets = film.masks | np.where(film.sacrum, np.uint8(SACRUM_BIT), np.uint8(0))
    pixels = film.pixels
    if film.recipe.processing.dark_bone:
        pixels = pixels.max() - pixels
    ignore = np.where(film.field, film.ignore & np.uint8(ALL_BITS), np.uint8(0))
    return TrainingSample(pixels, targets, ignore, film.field)


def stream_settings(config: TrainConfig, source: SimulatedSource) -> StreamSettings:
    """Settings of the simulator with those of the configuration put in."""
    given = {"size_px": config.crop_px, "spacing_mm": config.spacing_mm, **source.settings}
    _refuse_unknown(StreamSettings, given, "sources.settings")
    try:
        return TypeAdapter(StreamSettings).validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingError(
            f"sources.settings.{key}",
            first.get("input"),
            f"a setting of the simulator: {first['msg']}",
        ) from error


def _refuse_unknown(kind: type, given: Mapping[str, Any], where: str) -> None:
    """Name the first key that is no field of a settings class, nested ones included."""
    types = get_type_hints(kind)
    for key, value in given.items():
        if key not in types:
            raise SettingError(f"{where}.{key}", value, f"one of the settings {', '.join(types)}")
        if is_dataclass(types[key]) and isinstance(value, Mapping):
            _refuse_unknown(types[key], value, f"{where}.{key}")


def build_sources(config: TrainConfig, cache: Path) -> list[SampleSource]:
    """Sources of training samples in the order of the configuration.

    cache: folder for simulated geometries
    """
    sources: list[SampleSource] = []
    for source in config.sources:
        if isinstance(source, SimulatedSource):
            settings = stream_settings(config, source)
            seed = TRAINING_SEED + config.seed
            sources.append(SimulatedSamples(seed, settings, source.pool, cache))
        else:
            sources.append(_labelled(config, source, held_out=False))
    return sources


def validation_crops(config: TrainConfig, cache: Path) -> list[Crop]:
    """Unchanged crops for validation: simulated, and every held-out labelled film."""
    return _simulated_crops(config, VALIDATION_SEED, config.validation.films, cache) + [
        crop
        for source in config.sources
        if isinstance(source, LabelledSource)
        for crop in _labelled(config, source, held_out=True).whole_crops()
    ]


def calibration_films(config: TrainConfig, cache: Path, count: int) -> list[Crop]:
    """Whole films for calibration: every other one has no ossification, only confounders.

    Held-out labelled crops stand in when nothing is simulated.
    """
    source = _first_simulated(config)
    if source is None:
        return validation_crops(config, cache)
    settings = stream_settings(config, source)
    none = {grade: float(grade == "0") for grade in settings.scene.brooker}
    clean = replace(settings, scene=replace(settings.scene, brooker=none))
    half = count // 2
    some = SimulatedSamples(CALIBRATION_SEED, settings, half, cache)
    empty = SimulatedSamples(CLEAN_SEED, clean, half, cache)
    return [samples.film(number) for number in range(half) for samples in (some, empty)]


def labelled_films_held_out(config: TrainConfig) -> list[Crop]:
    """Whole labelled films of the patients held out of training; none without labelled sources."""
    films = [
        _labelled(config, source, held_out=True).whole_films()
        for source in config.sources
        if isinstance(source, LabelledSource)
    ]
    return [film for some in films for film in some]


def _first_simulated(config: TrainConfig) -> SimulatedSource | None:
    return next((s for s in config.sources if isinstance(s, SimulatedSource)), None)


def _simulated_crops(config: TrainConfig, seed: int, count: int, cache: Path) -> list[Crop]:
    """Crops of the first simulated source; none when the run has labelled films only."""
    source = _first_simulated(config)
    if source is None:
        return []
    samples = SimulatedSamples(seed, stream_settings(config, source), count, cache)
    return [centre_crop(samples.crop(number), config.crop_px) for number in range(count)]


def _labelled(config: TrainConfig, source: LabelledSource, *, held_out: bool) -> Any:
    from hoseg.train.labelled_samples import LabelledSamples

    return LabelledSamples(config, source, held_out=held_out)
