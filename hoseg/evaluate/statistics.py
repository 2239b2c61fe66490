"""Statistics of weighted rows: each takes weights (B, n) and returns (B,) values.

With all weights one they are the textbook statistics; with bootstrap counts they are those
of the resamples. n is at least 1. Undefined values (no weight, one class only) are nan.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def _divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    undefined = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator != 0)


def mean(values: ArrayLike, weights: FloatArray) -> FloatArray:
    """Weighted mean of values (n,)."""
    return _divide(weights @ np.asarray(values, np.float64), weights.sum(axis=1))


def share(part: ArrayLike, whole: ArrayLike, weights: FloatArray) -> FloatArray:
    """Ratio of two weighted sums, e.g. found lesions over all lesions."""
    top, bottom = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return _divide(weights @ top, weights @ bottom)


def median(values: ArrayLike, weights: FloatArray) -> FloatArray:
    """Weighted median of values (n,): the mean of the middle two where they tie.

    Equals ``numpy.median(numpy.repeat(values, counts))`` for whole-number weights.
    """
    data = np.asarray(values, np.float64)
    order = np.argsort(data, kind="stable")
    cumulated = np.cumsum(weights[:, order], axis=1)
    half = cumulated[:, -1:] / 2
    lower = np.argmax(cumulated >= half, axis=1)
    upper = np.argmax(cumulated > half, axis=1)
    middle = (data[order][lower] + data[order][upper]) / 2
    return np.where(cumulated[:, -1] > 0, middle, np.nan)


def deviation(values: ArrayLike, weights: FloatArray) -> FloatArray:
    """Standard deviation with Bessel's correction (frequency weights)."""
    data = np.asarray(values, np.float64)
    centre = mean(data, weights)
    squares = ((data[None, :] - centre[:, None]) ** 2 * weights).sum(axis=1)
    return np.sqrt(_divide(squares, np.maximum(weights.sum(axis=1) - 1, 0)))


def auc(scores: ArrayLike, positive: ArrayLike, weights: FloatArray) -> FloatArray:
    """Area under the ROC curve: P(score of a positive > of a negative), ties counted half."""
    data, truth = np.asarray(scores, np.float64), np.asarray(positive, bool)
    order = np.argsort(data, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(data[order]) > 0])
    w, t = weights[:, order], truth[order]
    positives = np.add.reduceat(w * t, starts, axis=1)
    negatives = np.add.reduceat(w * ~t, starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    return _divide((positives * below).sum(axis=1), positives.sum(axis=1) * negatives.sum(axis=1))


def confusion(
    truth: ArrayLike, predicted: ArrayLike, classes: int, weights: FloatArray
) -> FloatArray:
    """Confusion matrices (B, classes, classes): rows are the truth, columns the prediction."""
    cell = np.asarray(truth, np.intp) * classes + np.asarray(predicted, np.intp)
    one_hot = np.zeros((len(cell), classes * classes))
    one_hot[np.arange(len(cell)), cell] = 1
    return (weights @ one_hot).reshape(-1, classes, classes)


def kappa(matrices: FloatArray, power: int) -> FloatArray:
    """Cohen's kappa of confusion matrices (B, k, k).

    power: 0 plain (every disagreement counts the same), 2 quadratic (Cohen 1968).
    nan when chance alone explains everything (both raters used one and the same class).
    """
    k = matrices.shape[1]
    distance = np.abs(np.subtract.outer(np.arange(k), np.arange(k))).astype(np.float64)
    cost = (distance > 0).astype(np.float64) if power == 0 else distance**power
    total = matrices.sum(axis=(1, 2))
    chance = matrices.sum(axis=2)[:, :, None] * matrices.sum(axis=1)[:, None, :]
    observed = (matrices * cost).sum(axis=(1, 2)) * total
    return 1 - _divide(observed, (chance * cost).sum(axis=(1, 2)))


def within(
    truth: ArrayLike, predicted: ArrayLike, tolerance: int, weights: FloatArray
) -> FloatArray:
    """Share of rows whose classes differ by at most ``tolerance``."""
    apart = np.abs(np.asarray(truth, np.intp) - np.asarray(predicted, np.intp))
    return mean(apart <= tolerance, weights)


def f1(
    is_truth: ArrayLike, is_predicted: ArrayLike, matched: ArrayLike, weights: FloatArray
) -> FloatArray:
    """Harmonic mean of sensitivity and precision over rows that are lesions of either side.

    Undefined without a true lesion; 0 when there is one and nothing right was predicted.
    """
    hit = np.asarray(matched, bool)
    truth, predicted = np.asarray(is_truth, bool), np.asarray(is_predicted, bool)
    sensitivity = share(truth & hit, truth, weights)
    precision = share(predicted & hit, predicted, weights)
    score = _divide(2 * sensitivity * precision, sensitivity + precision)
    return np.where(np.isnan(sensitivity), np.nan, np.nan_to_num(score))


def calibration_error(sums: FloatArray, weights: FloatArray) -> FloatArray:
    """Expected calibration error from binned sums.

    Parameters
    ----------
    sums : (n, bins, 3): per row and bin, the count, the sum of probabilities, and the sum of
        outcomes (see ``calibration_sums``)
    """
    pooled = np.tensordot(weights, sums, axes=1)
    gap = np.abs(pooled[..., 1] - pooled[..., 2]).sum(axis=1)
    return _divide(gap, pooled[..., 0].sum(axis=1))


def calibration_sums(probabilities: ArrayLike, outcomes: ArrayLike, bins: int) -> FloatArray:
    """Binned sums (n, bins, 3) of n single probabilities in [0, 1] and their outcomes."""
    p, y = np.asarray(probabilities, np.float64), np.asarray(outcomes, np.float64)
    place = np.minimum((p * bins).astype(np.intp), bins - 1)
    sums = np.zeros((len(p), bins, 3))
    sums[np.arange(len(p)), place] = np.stack([np.ones_like(p), p, y], axis=-1)
    return sums


def risk_area(confidence: ArrayLike, wrong: ArrayLike, weights: FloatArray) -> FloatArray:
    """Area under the risk-coverage curve: mean error rate when only the surest are answered.

    Rows of equal confidence are answered together (their order carries no information).
    """
    coverage, risk = risk_coverage(confidence, wrong, weights)
    steps = np.diff(coverage, axis=1, prepend=0.0)
    return np.where(coverage[:, -1] > 0, np.nansum(steps * risk, axis=1), np.nan)


def risk_coverage(
    confidence: ArrayLike, wrong: ArrayLike, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Coverage and risk (B, levels) as the confidence asked for falls level by level."""
    sure, errors = np.asarray(confidence, np.float64), np.asarray(wrong, np.float64)
    order = np.argsort(-sure, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(sure[order]) != 0, True])
    answered = np.cumsum(weights[:, order], axis=1)
    failed = np.cumsum(weights[:, order] * errors[order], axis=1)
    return _divide(answered, answered[:, -1:])[:, ends], _divide(failed, answered)[:, ends]


def roc_curve(scores: ArrayLike, positive: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """False-positive and true-positive rates (levels + 1,) from (0, 0) to (1, 1)."""
    data, truth = np.asarray(scores, np.float64), np.asarray(positive, bool)
    order = np.argsort(-data, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(data[order]) != 0, True])
    hits, alarms = np.cumsum(truth[order])[ends], np.cumsum(~truth[order])[ends]
    return np.r_[0, alarms / max(alarms[-1], 1)], np.r_[0, hits / max(hits[-1], 1)]
