"""The card of a model: what a program must know to use its weights, and a person to trust them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hoseg.errors import ModelError
from hoseg.radiograph import STRUCTURES

NORMALISATION = "robust_levels/1"
"""Name of ``hoseg.imaging.intensity.normalise`` as this version computes it."""

Probability = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0, le=100)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


CARD = "card.json"

_WORDS = {
    "description", "created", "license", "recipe", "commit", "data", "metrics", "notes",
    "parameters",
}  # fmt: skip
"""Keys of a card that decide no result."""


class ModelCard(BaseModel):
    """Contents of ``card.json``.

    Channel ``c`` of the network is structure ``structures[c]``. Its probability is
    ``sigmoid(logit / temperatures[c])``; the mask is where that reaches ``thresholds[c]``, and of
    it, where ``peaks[c]`` is a number, only components that reach it (``hoseg.segment.peaks``).

    spacing_mm: pixel spacing of the input at the plane of the hip
    normalisation: name of the function that prepared the grey levels
    pad_multiple: height and width of the input must be multiples of this
    architecture, options: arguments of ``hoseg.segment.network.build_network``
    second_look: share of variants of a film that must confirm a piece of ossification
        (``hoseg.infer.second_look``); null = it is not looked at again
    classes: calibrated P(class) of a hip, ``hoseg.grade.chances.ClassModel``; None = by draws
    recipe: the training configuration, word for word
    commit: version of the source that trained it
    data: what it was trained on (counts, sources, seeds); "calibration": {"hoseg", "films" (data
        set to count), "most_false"}, on what the thresholds were chosen; "second_look": {"hoseg",
        "true", "true_lost", "false", "false_set_aside", ...}, pieces on which its share was
    metrics: "training": {"hoseg", "films", "thresholds", "figures"}, quick figures at its end;
        "evaluation": {"hoseg", "films", "about", "figures" (name, data set or "all", {"value",
        "low", "high", "n"})}, by ``hoseg evaluate``. "hoseg" is the version that measured
    notes: title to Markdown, what else a reader should know
    sha256: of ``weights.safetensors``
    files: name to sha256 of what else belongs to the model (``hoseg.grade.closeup.FILE``)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    description: str = ""
    created: str = ""
    license: str = "Apache-2.0"
    structures: tuple[str, ...] = STRUCTURES
    spacing_mm: Annotated[float, Field(ge=0.1, le=4.0)]
    normalisation: str = NORMALISATION
    pad_multiple: Annotated[int, Field(ge=1, le=256)] = 32
    architecture: str
    options: dict[str, Any] = Field(default_factory=dict)
    thresholds: tuple[Probability, ...] = (0.5, 0.5, 0.5, 0.5)
    temperatures: tuple[Positive, ...] = (1.0, 1.0, 1.0, 1.0)
    peaks: tuple[Probability | None, ...] | None = None
    second_look: Probability | None = 0.25
    classes: dict[str, Any] | None = None
    parameters: int = 0
    recipe: dict[str, Any] = Field(default_factory=dict)
    commit: str = ""
    data: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)
    notes: dict[str, str] = Field(default_factory=dict)
    sha256: Sha256
    files: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")], Sha256] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _fits_this_version(self) -> ModelCard:
        if self.structures != STRUCTURES:
            raise ValueError(f"structures must be {list(STRUCTURES)} in this order")
        if self.normalisation != NORMALISATION:
            raise ValueError(f"normalisation must be {NORMALISATION!r} for this version")
        for name in ("thresholds", "temperatures"):
            if len(getattr(self, name)) != len(STRUCTURES):
                raise ValueError(f"{name} must have {len(STRUCTURES)} values, one a structure")
        if self.peaks is not None:
            self._check_peaks(self.peaks)
        return self

    def _check_peaks(self, peaks: tuple[float | None, ...]) -> None:
        if len(peaks) != len(STRUCTURES):
            raise ValueError(f"peaks must have {len(STRUCTURES)} values, numbers or null")
        for name, peak, threshold in zip(STRUCTURES, peaks, self.thresholds, strict=True):
            if peak is not None and peak < threshold:
                raise ValueError(f"the peak of {name} must be at least its threshold, {threshold}")

    @property
    def peaked(self) -> tuple[int, ...]:
        """Channels with a peak, whose probability the network answers on a fine scale too."""
        return tuple(c for c, peak in enumerate(self.peaks or ()) if peak is not None)

    @property
    def label(self) -> str:
        """``name@first twelve digits of the fingerprint``: what results cite."""
        return f"{self.name}@{self.fingerprint[:12]}"

    @property
    def fingerprint(self) -> str:
        """Hash of everything in the model that decides a result: two that differ here may differ.

        The weights, the other files, thresholds and class probabilities, but not words and
        metrics.
        """
        deciding = json.dumps(self.model_dump(mode="json", exclude=_WORDS), sort_keys=True)
        return hashlib.sha256(deciding.encode()).hexdigest()


def read_card(path: Path) -> ModelCard:
    """Read and check ``card.json``; ModelError names the key and the value that do not fit."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror}). A model is a folder with "
            "weights.safetensors and card.json."
        ) from error
    try:
        return ModelCard.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise ModelError(f"{path}: not JSON ({error}). Copy the model folder again.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "card"
        raise ModelError(
            f"{path}: {key} = {repr(first.get('input'))[:80]}: {first['msg']}. "
            "Use a model made for this version of hoseg."
        ) from error
