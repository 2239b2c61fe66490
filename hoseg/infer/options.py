"""How films shall be predicted, and what a runtime is asked and answers.

Every runtime answers with finished probabilities (uint8), so that no caller has to touch four
float channels of a film: the sigmoid, the scaling and the rounding belong to the network's graph.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hoseg import extras
from hoseg.errors import SettingError

PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Options:
    """Settings of a ``Predictor``; the defaults are the fastest way that passes the parity gate.

    precision: "float32", "bfloat16" or "float16"; None = whatever is fastest and passes the gate
    flips: test-time augmentation, the mean over the film and its mirror image (twice the time)
    tile: (h, w) of overlapping tiles; None = the whole film at once
    overlap: least share of a tile that its neighbour covers too
    threads: inside one forward pass on a CPU; 1 is fastest for many films, all cores for one
    films: predicted side by side; None = processor cores / threads
    gate: compare with float32 torch before use; off only for experiments
    """

    precision: str | None = None
    flips: bool = False
    tile: tuple[int, int] | None = None
    overlap: float = 0.25
    threads: int = 1
    films: int | None = None
    gate: bool = True

    def __post_init__(self) -> None:
        if self.precision is not None and self.precision not in PRECISIONS:
            raise SettingError("precision", self.precision, f"one of {', '.join(PRECISIONS)}")
        if self.tile is not None and (len(self.tile) != 2 or min(self.tile) < 32):
            raise SettingError("tile", self.tile, "(height, width) of at least 32 pixels")
        if not 0 <= self.overlap <= 0.9:
            raise SettingError("overlap", self.overlap, "a fraction in [0, 0.9]")
        for name in ("threads", "films"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingError(name, value, "a whole number of at least 1")

    @property
    def parallel_films(self) -> int:
        """Films predicted side by side."""
        return self.films or max(1, usable_cores() // self.threads)


def usable_cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Forward(Protocol):
    """A network made ready on one device. Safe to call from several threads at once."""

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Map (h, w) normalised pixels to (C, h, w) probabilities x 255."""
        ...


@dataclass(frozen=True)
class RuntimeOptions:
    """How a runtime shall be opened.

    device: "cpu", "cuda" or "cuda:N"
    precision: "float32", "bfloat16" or "float16"
    threads: inside one forward pass (CPU)
    films: forward passes side by side (CPU)
    """

    device: str
    precision: str
    threads: int
    films: int = 1


@dataclass(frozen=True)
class Runtime:
    """One row of the table.

    name: "torch", "onnx" or "openvino"
    device: "cpu" or "cuda"
    precision: of the arithmetic
    package: import name it needs
    extra: that brings the package; "" when the base install does
    module: of ``hoseg.infer.runtimes``, with a function ``open_network(model, options)``
    obstacle: says why this machine cannot run it, or "" when it can
    """

    name: str
    device: str
    precision: str
    package: str
    extra: str
    module: str
    obstacle: Callable[[str], str]

    @property
    def label(self) -> str:
        """Name for people and for ``run.json``, e.g. "onnx/cpu/float32"."""
        return f"{self.name}/{self.device}/{self.precision}"

    def why_not(self, device: str) -> str:
        """Return the reason it cannot be used here, with what to do; "" when it can."""
        if self.extra and extras.missing(self.extra, self.package):
            return f"{self.package} is not installed: {extras.command(self.extra)}"
        return self.obstacle(device)
