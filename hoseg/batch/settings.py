"""Settings of a batch run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import hoseg
from hoseg.errors import SettingError
from hoseg.extras import missing, require
from hoseg.infer.options import usable_cores

_NOT_IN_RESULTS = frozenset({"out", "workers", "limit_s", "parquet", "replace"})


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
    override_spacing_mm: the same in place of what files carry (mm), or None
    parquet: also write the tables as Parquet; None = where pyarrow is installed
    deidentify: the inputs are de-identified copies
    replace: what another run left in ``out`` may go
    seed: of the Monte Carlo draws in grading
    second_look: ossification must be confirmed by variants of the film, as the model's card says
    """

    out: Path
    model: str | None = None
    device: str = "auto"
    runtime: str | None = None
    workers: int | None = None
    limit_s: float = 120.0
    spacing_mm: float | None = None
    override_spacing_mm: float | None = None
    parquet: bool | None = None
    deidentify: bool = False
    replace: bool = False
    seed: int = 0
    second_look: bool = True

    def __post_init__(self) -> None:
        if self.workers is not None and not 1 <= self.workers <= 1024:
            raise SettingError("--workers", self.workers, "a whole number from 1 to 1024")
        if not 0 < self.limit_s <= 86_400:
            raise SettingError("--limit-s", self.limit_s, "seconds in (0, 86400]")
        for option in ("spacing_mm", "override_spacing_mm"):
            value = getattr(self, option)
            if value is not None and not 0.01 <= value <= 10:
                name = f"--{option.replace('_', '-')}"
                raise SettingError(name, value, "mm a pixel from 0.01 to 10")
        if self.spacing_mm is not None and self.override_spacing_mm is not None:
            text = "one of them: --override-spacing-mm is for all files, --spacing-mm for the rest"
            raise SettingError("--spacing-mm", self.spacing_mm, text)
        if self.parquet:
            require("parquet")

    @property
    def spacing(self) -> tuple[float, float] | None:
        """(row, column) spacing stated by the user (mm)."""
        mm = self.spacing_mm if self.override_spacing_mm is None else self.override_spacing_mm
        return None if mm is None else (mm, mm)

    @property
    def writes_parquet(self) -> bool:
        """Whether the tables are written as Parquet too."""
        return not missing("parquet") if self.parquet is None else self.parquet

    @property
    def process_count(self) -> int:
        """Number of worker processes."""
        return self.workers or usable_cores()

    def facts(self, model: str) -> dict[str, Any]:
        """What the results of one image depend on.

        model: "name@fingerprint-prefix" of the model
        """
        return run_facts(hoseg.__version__, model, asdict(self))


def run_facts(version: str, model: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Version, model and those of the settings that results depend on.

    settings: as ``run.json`` has them; of an older version they may lack some
    """
    what = {key: value for key, value in settings.items() if key not in _NOT_IN_RESULTS}
    return {"hoseg_version": version, "model": model, "settings": what}


def fingerprint(facts: Mapping[str, Any]) -> str:
    """Short hash of ``run_facts``; runs of equal ones give equal results."""
    parts = [facts["hoseg_version"], facts["model"], facts["settings"]]
    text = json.dumps(parts, default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
