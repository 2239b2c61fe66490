"""Fitting P(class) of a hip on films whose hips were built in space (``hoseg.grade.chances``)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from hoseg.errors import SettingError
from hoseg.grade.chances import CLASSES, MEASUREMENTS, ClassModel

PENALTY = 5.0
"""Ridge penalty of a standardised weight. Between 1 and 30 the log loss of 1,000 hips left out
changed by less than 2 %; its least lay about here."""
FEWEST_A_CLASS = 10
"""With fewer hips of a class its probability is not worth fitting."""

Values = NDArray[np.float64]


def fit_class_model(
    values: Values, classes: NDArray[np.intp], names: Sequence[str] = tuple(MEASUREMENTS)
) -> ClassModel:
    """Fit four ridge-penalised logistic regressions, P(class >= 1) ... P(class >= 4).

    Parameters
    ----------
    values : (n, F) measurements of hips
    classes : (n,) their true classes, 0-4
    names : of the F measurements

    Raises
    ------
    SettingError
        A class has too few hips.
    """
    counts = np.bincount(classes, minlength=CLASSES)
    if counts.min() < FEWEST_A_CLASS:
        allowed = f"at least {FEWEST_A_CLASS} graded hips of every class; give more films"
        raise SettingError("hips of each class", counts.tolist(), allowed)
    centre, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 1e-6, scale, 1.0)
    standard = np.hstack([(values - centre) / scale, np.ones((len(values), 1))])
    fitted = [_logistic(standard, (classes >= k).astype(float)) for k in range(1, CLASSES)]
    return ClassModel(
        measurements=tuple(names),
        centre=_rounded(centre),
        scale=_rounded(scale),
        weights=tuple(_rounded(row[:-1]) for row in fitted),
        bias=_rounded(np.array([row[-1] for row in fitted])),
        shares=_rounded(counts / counts.sum()),
        hips=len(classes),
    )


def held_out_probabilities(
    values: Values,
    classes: NDArray[np.intp],
    groups: NDArray[np.intp],
    names: Sequence[str] = tuple(MEASUREMENTS),
    folds: int = 5,
) -> Values:
    """P(class) (n, 5) of hips from models that have not seen their film.

    groups : (n,) number of the film, or patient, of each hip
    """
    chances = np.zeros((len(classes), CLASSES))
    for fold in range(folds):
        out = groups % folds == fold
        model = fit_class_model(values[~out], classes[~out], names)
        chances[out] = model.probabilities(values[out])
    return chances


def _logistic(standard: Values, outcome: Values) -> Values:
    """Weights (F + 1,) of a ridge logistic regression; the last, the bias, is free."""
    penalty = np.append(np.full(standard.shape[1] - 1, PENALTY), 1e-6)

    def loss(weights: Values) -> tuple[float, Values]:
        odds = standard @ weights
        value = np.logaddexp(0, odds).sum() - outcome @ odds + 0.5 * penalty @ weights**2
        return float(value), standard.T @ (expit(odds) - outcome) + penalty * weights

    start = np.zeros(standard.shape[1])
    return np.asarray(minimize(loss, start, jac=True, method="BFGS").x)


def _rounded(values: Values) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in values)
