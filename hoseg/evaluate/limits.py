"""Limits that a site sets for a model, and which figures are held against them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hoseg.errors import SettingError
from hoseg.evaluate.bootstrap import Estimate
from hoseg.evaluate.figures import ALL, Figure, lookup
from hoseg.evaluate.read_figures import FIGURES

Finite = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limit(_Settings):
    """What one figure must be: at most or at least a value, over at least ``fewest`` rows.

    fewest: hips or films; for an AUC, graded hips of the rarer kind
    """

    figure: str
    at_most: Finite | None = None
    at_least: Finite | None = None
    stratum: str = ALL
    fewest: Annotated[int, Field(ge=1)] = 1

    @field_validator("figure")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in FIGURES:
            raise ValueError(f"one of {', '.join(FIGURES)}")
        return name

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("either at_most or at_least")
        return self

    @property
    def words(self) -> str:
        """As the record prints it."""
        return (
            f"at least {self.at_least:g}" if self.at_most is None else f"at most {self.at_most:g}"
        )


class Limits(_Settings):
    """All limits of a site.

    judged_on: the figure itself, or the worse end of its 95 % interval
    """

    judged_on: Literal["estimate", "bound"] = "estimate"
    limits: Annotated[tuple[Limit, ...], Field(min_length=1)] = (
        Limit(figure="read.healthy_above_0", at_most=0.05, fewest=20),
        Limit(figure="read.sensitivity", at_least=0.9, fewest=5),
        Limit(figure="read.auc", at_least=0.9, fewest=5),
        Limit(figure="read.abstained", at_most=0.2, fewest=20),
        Limit(figure="read.false_pieces_per_film", at_most=0.1, fewest=10),
    )


@dataclass(frozen=True)
class Verdict:
    """One limit, the figure it was held against, and why it failed; "" when it passed."""

    limit: Limit
    found: Estimate
    why: str = ""

    @property
    def passed(self) -> bool:
        """Whether the limit is kept."""
        return not self.why


def read_limits(path: Path | None) -> Limits:
    """Limits of a YAML file, or the ones that hold without; SettingError names key and value."""
    if path is None:
        return Limits()
    try:
        content = yaml.safe_load(path.read_bytes())
    except OSError as error:
        allowed = f"a readable YAML file ({error.strerror})"
        raise SettingError("--limits", str(path), allowed) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise SettingError("--limits", str(path), f"valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise SettingError("--limits", str(path), "a YAML mapping, see configs/accept.yaml")
    try:
        return Limits.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "limits"
        allowed = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        if first["type"] == "extra_forbidden":
            allowed = "no such key (check the spelling)"
        raise SettingError(key, first.get("input"), allowed, where=str(path)) from error


def judge(limits: Limits, figures: tuple[Figure, ...]) -> tuple[Verdict, ...]:
    """Hold every limit against its figure. What cannot be judged has failed."""
    return tuple(_verdict(limit, limits.judged_on, figures) for limit in limits.limits)


def _verdict(limit: Limit, judged_on: str, figures: tuple[Figure, ...]) -> Verdict:
    figure = lookup(figures, limit.figure, limit.stratum)
    found = Estimate(None, None, None, 0, 0) if figure is None else figure.estimate
    rows = _rows(limit, found, figures)
    if rows < limit.fewest:
        return Verdict(limit, found, f"rests on {rows}, fewer than {limit.fewest}")
    if found.value is None:
        return Verdict(limit, found, "undefined on these films")
    value: float | None = found.value
    if judged_on == "bound":
        value = found.high if limit.at_least is None else found.low
    if value is None:
        return Verdict(limit, found, "has no interval on these films")
    above = limit.at_most is not None and value > limit.at_most
    below = limit.at_least is not None and value < limit.at_least
    return Verdict(limit, found, f"{value:.3f} is not {limit.words}" if above or below else "")


def _rows(limit: Limit, found: Estimate, figures: tuple[Figure, ...]) -> int:
    """Rows behind a figure; an AUC over many healthy hips and one other rests on one."""
    if limit.figure != "read.auc":
        return found.n
    kinds = ("read.sensitivity", "read.healthy_above_0")
    graded = [lookup(figures, name, limit.stratum) for name in kinds]
    return min(0 if figure is None else figure.estimate.n for figure in graded)
