"""Settings of a batch run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import hoseg
from hoseg.errors import SettingError
from hoseg.extras import require
from hoseg.infer.options import usable_cores


@dataclass(frozen=True)
class RunSettings:
    """Settings of ``hoseg run``.

    out: folder of the results
    model: name or path of a model; None = the released default
    device: "auto", "cpu", "cuda" or "cuda:N"
    runtime: name in the table of runtimes, or None = the fastest that passes its parity gate
    workers: processes; None = one a core
    limit_s: longest time one file may take (seconds)
    spacing_mm: stated by the user for files that carry none (mm), or None
    parquet: also write the tables as Parquet
    deidentify: the inputs are de-identified copies
    seed: of the Monte Carlo draws in grading
    """

    out: Path
    model: str | None = None
    device: str = "auto"
    runtime: str | None = None
    workers: int | None = None
    limit_s: float = 120.0
    spacing_mm: float | None = None
    parquet: bool = False
    deidentify: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.workers is not None and not 1 <= self.workers <= 1024:
            raise SettingError("--workers", self.workers, "a whole number from 1 to 1024")
        if not 0 < self.limit_s <= 86_400:
            raise SettingError("--limit-s", self.limit_s, "seconds in (0, 86400]")
        if self.spacing_mm is not None and not 0.01 <= self.spacing_mm <= 10:
            raise SettingError("--spacing-mm", self.spacing_mm, "mm a pixel from 0.01 to 10")
        if self.parquet:
            require("parquet")

    @property
    def spacing(self) -> tuple[float, float] | None:
        """(row, column) spacing stated by the user (mm)."""
        return None if self.spacing_mm is None else (self.spacing_mm, self.spacing_mm)

    @property
    def process_count(self) -> int:
        """Number of worker processes."""
        return self.workers or usable_cores()

    def fingerprint(self, model: str) -> str:
        """What the results of one image depend on, as a short hash.

        model: "name@fingerprint-prefix" of the model
        """
        where = {"out", "workers", "limit_s", "parquet"}
        what = {k: v for k, v in asdict(self).items() if k not in where}
        text = json.dumps([hoseg.__version__, model, what], default=str, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
