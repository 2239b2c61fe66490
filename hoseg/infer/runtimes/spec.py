"""What a runtime is given, what it answers, and what the table says about it.

Every runtime answers with finished probabilities (uint8), so that no caller has to touch four
float channels of a film: the sigmoid, the scaling and the rounding belong to the network's graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hoseg import extras


class Forward(Protocol):
    """A network made ready on one device. Safe to call from several threads at once."""

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Map (h, w) normalised pixels to (C, h, w) probabilities x 255."""
        ...


@dataclass(frozen=True)
class Wish:
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
    module: of ``hoseg.infer.runtimes``, with a function ``open_network(model, wish)``
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
