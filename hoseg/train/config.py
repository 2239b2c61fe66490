"""Training configuration: a YAML file checked in full before any long work starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hoseg.errors import SettingError
from hoseg.radiograph import STRUCTURES

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Strict(BaseModel):
    """A section in which a mistyped key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SimulatedSource(Strict):
    """Simulated films, every one rendered anew.

    ratio: share of the samples, relative to the other sources
    pool: how many geometries the films are rendered from; they are built once and kept on disk
    settings: keys of the simulator's stream settings
    """

    kind: Literal["simulated"] = "simulated"
    ratio: Positive = 1.0
    pool: Annotated[int, Field(ge=1)] = 2000
    settings: dict[str, Any] = Field(default_factory=dict)


class LabelledSource(Strict):
    """A labelled dataset on disk.

    path: folder or file; relative paths are relative to the configuration file
    format: name of a reader of ``hoseg.datasets``, or "auto"
    ratio: share of the samples, relative to the other sources
    ossification: share of the crops centred on ossification where there is any
    """

    kind: Literal["labelled"]
    path: Path
    format: str = "auto"
    ratio: Positive = 1.0
    ossification: Share = 0.5


Source = Annotated[SimulatedSource | LabelledSource, Field(discriminator="kind")]


class Network(Strict):
    """Arguments of ``hoseg.segment.network.build_network``; ``outputs`` is set by the training."""

    architecture: str = "hip_unet"
    options: dict[str, Any] = Field(default_factory=dict)
    sacrum: bool = True


class Optimisation(Strict):
    """How the weights move.

    steps: optimiser steps in all
    schedule: "trapezoid" (warm-up, flat, linear decay), "cosine" or "one_cycle"
    decay: share of the steps in which "trapezoid" decays
    ema: decay of the running average of the weights, which is what is judged and released
    precision: "bf16" computes convolutions in bfloat16, "fp32" everything in float32
    """

    steps: Annotated[int, Field(ge=1)] = 6000
    batch: Annotated[int, Field(ge=1)] = 16
    learning_rate: Positive = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    warmup: Annotated[int, Field(ge=0)] = 200
    schedule: Literal["trapezoid", "cosine", "one_cycle"] = "trapezoid"
    decay: Share = 0.3
    clip: Positive = 1.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.998
    precision: Literal["bf16", "fp32"] = "bf16"

    @model_validator(mode="after")
    def _warms_up_in_time(self) -> Self:
        if self.warmup >= self.steps:
            raise ValueError(f"warmup = {self.warmup} must be less than steps = {self.steps}")
        return self


class Loss(Strict):
    """Weights of the loss: for each structure in bit order, then the sacrum."""

    weights: tuple[Positive, Positive, Positive, Positive] = (1.0, 1.0, 1.0, 3.0)
    sacrum: Annotated[float, Field(ge=0)] = 0.3
    dice: Annotated[float, Field(ge=0)] = 1.0
    deep: Annotated[float, Field(ge=0)] = 0.3


class Augment(Strict):
    """Random changes of the training crops.

    rotation_deg, shear, scale: of the geometry; scale is a factor range
    mirror, upside_down, invert: shares of the crops
    intensity: strength of the changes of grey levels, 0 none, 1 strong
    """

    rotation_deg: Annotated[float, Field(ge=0, le=180)] = 20.0
    shear: Annotated[float, Field(ge=0, le=0.5)] = 0.08
    scale: tuple[Positive, Positive] = (0.75, 1.33)
    mirror: Share = 0.5
    upside_down: Share = 0.1
    invert: Share = 0.1
    intensity: Share = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale = {list(self.scale)}: the first must not exceed the second")
        return self


class Validation(Strict):
    """What the run is judged on while it trains.

    films: simulated validation films
    every: steps between two validations (an "epoch" of the logs)
    fold, folds: labelled patients whose hash falls in ``fold`` of ``folds`` are held out
    patience: validations without improvement before the run stops; 0 = never
    """

    films: Annotated[int, Field(ge=1)] = 96
    every: Annotated[int, Field(ge=1)] = 500
    fold: Annotated[int, Field(ge=0)] = 0
    folds: Annotated[int, Field(ge=2)] = 5
    patience: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _fold_exists(self) -> Self:
        if self.fold >= self.folds:
            raise ValueError(f"fold = {self.fold} must be less than folds = {self.folds}")
        return self


class TrainConfig(Strict):
    """One training run.

    spacing_mm: working spacing of the network at the plane of the hip
    crop_px: side of the square training crops, a multiple of 64
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    description: str = ""
    seed: Annotated[int, Field(ge=0)] = 1
    spacing_mm: Annotated[float, Field(ge=0.2, le=2.0)] = 0.6
    crop_px: Annotated[int, Field(ge=64, le=1024, multiple_of=64)] = 384
    network: Network = Network()
    sources: Annotated[tuple[Source, ...], Field(min_length=1)] = (SimulatedSource(),)
    optimisation: Optimisation = Optimisation()
    loss: Loss = Loss()
    augment: Augment = Augment()
    validation: Validation = Validation()
    workers: Annotated[int, Field(ge=0, le=128)] = 2
    checkpoint_minutes: Positive = 5.0

    @property
    def outputs(self) -> int:
        """Channels of the network in training."""
        return len(STRUCTURES) + self.network.sacrum


def read_config(path: Path) -> TrainConfig:
    """Read a YAML configuration; SettingError names file, key, value and what is allowed."""
    try:
        content = yaml.safe_load(path.read_bytes())  # with any byte order mark
    except OSError as error:
        raise SettingError(
            "CONFIG", str(path), f"a readable YAML file ({error.strerror})"
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise SettingError("CONFIG", str(path), f"valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise SettingError("CONFIG", str(path), "a YAML mapping of settings")
    try:
        config = TrainConfig.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "configuration"
        allowed = first["msg"]
        if first["type"] == "extra_forbidden":
            allowed = "no such key (check the spelling)"
        raise SettingError(key, first.get("input"), allowed, where=str(path)) from error
    return _resolve_paths(config, path.parent)


def _resolve_paths(config: TrainConfig, folder: Path) -> TrainConfig:
    """Make the paths of labelled sources absolute and check that they exist."""
    sources = []
    for number, source in enumerate(config.sources):
        if isinstance(source, LabelledSource):
            path = (folder / source.path).resolve()
            if not path.exists():
                raise SettingError(f"sources.{number}.path", str(path), "an existing path")
            source = source.model_copy(update={"path": path})
        sources.append(source)
    return config.model_copy(update={"sources": tuple(sources)})
