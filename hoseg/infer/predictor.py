"""Prepared films in, masks and probabilities out, on the fastest runtime that can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from hoseg.errors import SettingError
from hoseg.infer.engine import joint_label
from hoseg.infer.options import Options as Options
from hoseg.infer.selection import Choice as Choice
from hoseg.infer.selection import choose
from hoseg.radiograph import Prepared, Segmentation
from hoseg.segment.weights import Model, load_model

ModelLike = str | Path | Model | None


class Segmenter(Protocol):
    """What segments films: a ``Predictor``, or what stands for one."""

    @property
    def label(self) -> str:
        """Return "name@fingerprint-prefix" of the model."""
        ...

    @property
    def spacing_mm(self) -> float:
        """Return the pixel spacing films must be prepared at."""
        ...

    def predict(self, films: Sequence[Prepared]) -> list[Segmentation]:
        """Segment prepared films."""
        ...


class Predictor:
    """A model, or an ensemble of models, ready on one device.

    Parameters
    ----------
    model: a name on the search path, a folder, a loaded ``Model``, or None for the default; a
        list of these is an ensemble, whose probabilities are averaged
    device: "auto", "cpu", "cuda" or "cuda:N". "cuda" never falls back to another device.
    runtime: "torch", "onnx" or "openvino"; None = the fastest that passes its parity gate
    options: precision, test-time augmentation, tiles, threads

    Attributes
    ----------
    choice: which runtime was taken, why, and what happened to the others (for ``run.json``)
    engine: runs the networks
    label: "name@fingerprint-prefix" of the model, joined by "+" for an ensemble
    spacing_mm: the pixel spacing films must be prepared at

    Raises
    ------
    ModelError: a model is missing, changed, or does not fit this version
    DeviceError: what was asked for cannot be used here; says what was tried and what to do
    SettingError: an unknown device or runtime; models of an ensemble with different spacings
    """

    def __init__(
        self,
        model: ModelLike | Sequence[ModelLike] = None,
        device: str = "auto",
        runtime: str | None = None,
        options: Options | None = None,
    ) -> None:
        self.models = _load(model)
        self.options = options or Options()
        self.label = joint_label(self.models)
        self.spacing_mm = self.models[0].card.spacing_mm
        self.choice, self.engine = choose(self.models, device, runtime, self.options)

    def predict(self, films: Sequence[Prepared]) -> list[Segmentation]:
        """Predict several films; each answer depends on its film alone.

        films: each (h, w) at ``spacing_mm``, from ``hoseg.imaging.prepare.prepare``
        """
        return list(self.predict_stream(films))

    def predict_stream(self, films: Iterable[Prepared]) -> Iterator[Segmentation]:
        """Predict films as they come, in order, reading only a few ahead.

        This may be called from several threads at once.
        """
        return self.engine.segment(films)


def open_chosen(
    model: ModelLike | Sequence[ModelLike],
    choice: Choice,
    number: int,
    options: Options | None = None,
) -> Predictor:
    """Open in a worker process what another process chose and sent through its parity gate.

    Every worker has a network of its own, on a CPU as on a card, and takes one film at a time.

    number: of the worker, from 0; where ``choice`` says "cuda", workers take the cards in turn

    Raises
    ------
    DeviceError: the card cannot be used
    """
    device = choice.device
    if device == "cuda":
        from hoseg.infer.runtimes.torch_cuda import nth_card

        device = nth_card(device, number)
    options = replace(options or Options(), precision=choice.precision, films=1, gate=False)
    return Predictor(model, device, choice.runtime, options)


def _load(model: ModelLike | Sequence[ModelLike]) -> tuple[Model, ...]:
    """Load each model of an ensemble and check that they go together."""
    several = model if isinstance(model, Sequence) and not isinstance(model, str) else [model]
    models = tuple(m if isinstance(m, Model) else load_model(m) for m in several)
    if not models:
        raise SettingError("model", [], "at least one model")
    spacings = {m.card.spacing_mm for m in models}
    if len(spacings) > 1:
        raise SettingError("model", sorted(spacings), "models of one spacing_mm in an ensemble")
    return models
