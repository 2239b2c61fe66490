"""How films shall be predicted. Defaults are the fastest way that passes the parity gate."""

from __future__ import annotations

import os
from dataclasses import dataclass

from hoseg.errors import SettingError
from hoseg.infer.runtimes import PRECISIONS


@dataclass(frozen=True)
class Options:
    """Settings of a ``Predictor``.

    precision: "float32", "bfloat16" or "float16"; None = whatever is fastest and passes the gate
    flips: test-time augmentation, the mean over the film and its mirror image (twice the time)
    tile: (h, w) of overlapping tiles; None = the whole film at once
    overlap: least share of a tile that its neighbour covers too
    threads: inside one forward pass on a CPU; 1 is fastest for many films, all cores for one
    films: predicted side by side on a CPU; None = processor cores / threads
    batch: films in one forward pass on a GPU, halved when its memory runs out
    gate: compare with float32 torch before use; off only for experiments
    """

    precision: str | None = None
    flips: bool = False
    tile: tuple[int, int] | None = None
    overlap: float = 0.25
    threads: int = 1
    films: int | None = None
    batch: int = 8
    gate: bool = True

    def __post_init__(self) -> None:
        if self.precision is not None and self.precision not in PRECISIONS:
            raise SettingError("precision", self.precision, f"one of {', '.join(PRECISIONS)}")
        if self.tile is not None and (len(self.tile) != 2 or min(self.tile) < 32):
            raise SettingError("tile", self.tile, "(height, width) of at least 32 pixels")
        if not 0 <= self.overlap <= 0.9:
            raise SettingError("overlap", self.overlap, "a fraction in [0, 0.9]")
        for name in ("threads", "films", "batch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingError(name, value, "a whole number of at least 1")

    @property
    def parallel_films(self) -> int:
        """Films predicted side by side on a CPU."""
        return self.films or max(1, usable_cores() // self.threads)


def usable_cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
