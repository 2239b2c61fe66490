"""How probable it is that a row of strokes is text: a logistic regression.

The weights (``text_rows.json``) were fitted to rows found on simulated and real films with and
without planted text by ``scripts/fit_burned_in.py``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from hoseg.dicom.text_rows import FEATURES

_FURTHEST = 4.0  # standard deviations; beyond, all is alike

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Model:
    """chosen (F,): positions in ``FEATURES``; weights: of ``expand``."""

    chosen: NDArray[np.int64]
    mean: Numbers
    deviation: Numbers
    intercept: float
    weights: Numbers


def text_probability(features: Numbers) -> float:
    """Probability, 0 to 1, that a row with these ``FEATURES`` is text."""
    model = _model()
    normal = (features[model.chosen] - model.mean) / model.deviation
    score = float(expand(normal) @ model.weights) + model.intercept
    return float(1 / (1 + np.exp(-np.clip(score, -50, 50))))


def expand(normal: Numbers) -> Numbers:
    """Features (..., F) in standard deviations, followed by the products of any two."""
    bounded = np.clip(normal, -_FURTHEST, _FURTHEST)
    first, second = np.triu_indices(bounded.shape[-1])
    return np.concatenate([bounded, bounded[..., first] * bounded[..., second]], axis=-1)


@cache
def _model() -> _Model:
    found = json.loads((files("hoseg.dicom") / "text_rows.json").read_text(encoding="ascii"))
    return _Model(
        np.array([FEATURES.index(name) for name in found["features"]]),
        np.array(found["mean"]),
        np.array(found["deviation"]),
        float(found["intercept"]),
        np.array(found["weights"]),
    )
