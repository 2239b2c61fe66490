"""Figures over rows: structures, classes, probabilities, gaps.

A measure names its rows and the statistic over any part of them (a stratum).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hoseg.evaluate import statistics as stats
from hoseg.evaluate.bootstrap import Statistic
from hoseg.evaluate.case import BINS, CLASSES, CaseScore, HipScore
from hoseg.evaluate.lesions import SIZE_FLOOR_MM2
from hoseg.radiograph import STRUCTURES

Rows = NDArray[np.intp]
SEVERE = 3
"""Brooker III and IV are severe."""
LARGE_MM2 = 100.0
"""1 cm2: from here on the Dice of a structure, or of the ossification of a hip, says something."""


@dataclass(frozen=True)
class Measure:
    """A figure over some rows of a table.

    name: key in ``metrics.json``, e.g. "pelvis.dice_mean"
    rows: (m,) rows of the table where it is defined
    statistic: some of these rows to a statistic of their weights
    unit: "", "mm", "mm2" or "per image"
    """

    name: str
    rows: Rows
    statistic: Callable[[Rows], Statistic]
    unit: str = ""


def overlap_measures(cases: Sequence[CaseScore], name: str) -> list[Measure]:
    """Dice, NSD, HD95 of one structure, and what was painted where it is absent."""
    found = [case.overlap(name) for case in cases]
    dice = [None if o is None else o.dice for o in found]
    measures = [
        defined(f"{name}.dice_mean", dice, mean_of),
        defined(f"{name}.dice_median", dice, median_of),
    ]
    if name in STRUCTURES:
        large = [o is not None and o.truth_mm2 >= LARGE_MM2 for o in found]
        measures.append(over(f"{name}.dice_mean_1cm2", large, partial(mean_of, dice)))
        absent = [o is not None and o.truth_mm2 == 0 for o in found]
        painted = [0.0 if o is None else o.predicted_mm2 for o in found]
        marked = np.greater_equal(painted, SIZE_FLOOR_MM2)
        measures += [
            defined(f"{name}.nsd_mean", [None if o is None else o.nsd for o in found], mean_of),
            defined(
                f"{name}.hd95_median",
                [None if o is None else o.hd95_mm for o in found],
                median_of,
                "mm",
            ),
            over(f"{name}.false_area_mean", absent, partial(mean_of, painted), "mm2"),
            over(f"{name}.falsely_shown", absent, partial(mean_of, marked)),
        ]
    return measures


def class_measures(name: str, truth: Rows, found: Rows) -> list[Measure]:
    """Agreement of classes 0-4; -1 where a class is missing."""
    both = (truth >= 0) & (found >= 0)

    severe = (truth >= SEVERE), (found >= SEVERE)

    def severe_kappa(r: Rows) -> Statistic:
        if len(np.unique(severe[0][r])) < 2:
            return _undefined
        return lambda w: stats.kappa(stats.confusion(severe[0][r], severe[1][r], 2, w), 0)

    def kappa(power: int, r: Rows) -> Statistic:
        if len(np.unique(truth[r])) < 2:  # 0 by definition, whatever the prediction
            return _undefined
        return lambda w: stats.kappa(stats.confusion(truth[r], found[r], CLASSES, w), power)

    return [
        over(f"{name}.kappa_quadratic", both, partial(kappa, 2)),
        over(f"{name}.kappa_plain", both, partial(kappa, 0)),
        over(f"{name}.severe_kappa", both, severe_kappa),
        over(f"{name}.severe_agreement", both, partial(mean_of, severe[0] == severe[1])),
        over(f"{name}.exact", both, partial(mean_of, truth == found)),
        over(f"{name}.within_one", both, partial(mean_of, np.abs(truth - found) <= 1)),
        over(
            f"{name}.severe_sensitivity",
            both & (truth >= SEVERE),
            partial(mean_of, found >= SEVERE),
        ),
        over(
            f"{name}.severe_specificity",
            both & (truth < SEVERE),
            partial(mean_of, found < SEVERE),
        ),
    ]


def chances(hips: Sequence[HipScore]) -> NDArray[np.float64]:
    """Class probabilities (n, 5) that sum to one; nan where a hip has none."""
    none = (np.nan,) * CLASSES
    p = np.array([h.probabilities or none for h in hips], float).reshape(-1, CLASSES)
    total = p.sum(axis=1, keepdims=True)
    return np.divide(p, total, out=np.full(p.shape, np.nan), where=total > 0)


def likeliest(hips: Sequence[HipScore]) -> Rows:
    """(n,) the class of the highest probability of hips that were graded; -1 of others."""
    p = chances(hips)
    known = np.isfinite(p).all(axis=1) & np.array([h.predicted is not None for h in hips], bool)
    return np.where(known, np.nan_to_num(p).argmax(axis=1), -1)


def assurance(hips: Sequence[HipScore]) -> NDArray[np.float64]:
    """(n,) the probability given to the class that was reported; nan without either."""
    p = chances(hips)
    found = np.array([-1 if h.predicted is None else h.predicted for h in hips], int)
    given = p[np.arange(len(p)), np.maximum(found, 0)]
    return np.where(found >= 0, given, np.nan)


def severe_auc(
    name: str, severe: NDArray[np.float64], truth: Rows, known: NDArray[np.bool_]
) -> Measure:
    """Severe-or-not AUC of a score over the hips that are ``known`` and have a true class."""
    rows = known & (truth >= 0)
    labels = [bool(t >= SEVERE) if k else None for t, k in zip(truth, rows, strict=True)]
    return auc_measure(f"{name}.severe_auc", np.nan_to_num(severe).tolist(), labels)


def severity(hips: Sequence[HipScore]) -> NDArray[np.float64]:
    """P(III or IV) of each hip; ties, such as 0, are broken by the expected class.

    Probabilities are shares of a limited number of draws: those that never came to III still
    differ in how near they came.
    """
    p = chances(hips)
    return np.asarray(p[:, SEVERE:].sum(axis=1) + 1e-4 * (p @ np.arange(CLASSES)))


def severity_of_true_masks(hips: Sequence[HipScore]) -> NDArray[np.float64]:
    """The class read from the true masks; within a class, the narrower gap counts as worse."""
    gaps = [np.inf if h.true_masks_gap_mm is None else h.true_masks_gap_mm for h in hips]
    classes = [np.nan if h.truth_masks is None else float(h.truth_masks) for h in hips]
    return np.asarray(classes) + 1 / (2 + np.asarray(gaps))


def probability_measures(hips: Sequence[HipScore], truth: Rows, found: Rows) -> list[Measure]:
    """Calibration and risk-coverage of the class probabilities."""
    p = chances(hips)
    known = (truth >= 0) & np.isfinite(p).all(axis=1)
    safe = np.nan_to_num(p)
    severe, is_severe = safe[:, SEVERE:].sum(axis=1), truth >= SEVERE
    brier = ((safe - np.eye(CLASSES)[np.maximum(truth, 0)]) ** 2).sum(axis=1)
    top, right = safe.max(axis=1), safe.argmax(axis=1) == truth
    sure = assurance(hips)
    graded = known & (found >= 0)

    def ece(probability: ArrayLike, outcome: ArrayLike, r: Rows) -> Statistic:
        sums = stats.calibration_sums(np.asarray(probability)[r], np.asarray(outcome)[r], BINS)
        return partial(stats.calibration_error, sums)

    def risk(r: Rows) -> Statistic:
        return partial(stats.risk_area, sure[r], (truth != found)[r])

    return [
        over("class.brier", known, partial(mean_of, brier)),
        over("class.ece", known, partial(ece, top, right)),
        over("severe.brier", known, partial(mean_of, (severe - is_severe) ** 2)),
        over("severe.ece", known, partial(ece, severe, is_severe)),
        over("class.risk_coverage_area", graded, risk),
    ]


def gap_measures(
    name: str, truth: Sequence[float | None], found: Sequence[float | None]
) -> list[Measure]:
    """Bland-Altman of a gap where both sides have one: found less true (mm).

    Bias, 95 % limits of agreement (bias -/+ 1.96 SD) and median absolute error.
    """
    pairs = list(zip(truth, found, strict=True))
    both = [None not in pair for pair in pairs]
    error = np.array([(f or 0.0) - (t or 0.0) for t, f in pairs], float)

    def limit(sign: float, r: Rows) -> Statistic:
        values = error[r]
        return lambda w: stats.mean(values, w) + sign * 1.96 * stats.deviation(values, w)

    return [
        over(f"{name}.bias", both, partial(mean_of, error), "mm"),
        over(f"{name}.limit_low", both, partial(limit, -1.0), "mm"),
        over(f"{name}.limit_high", both, partial(limit, 1.0), "mm"),
        over(f"{name}.absolute_error_median", both, partial(median_of, np.abs(error)), "mm"),
    ]


def pixel_ece(cases: Sequence[CaseScore], index: int, name: str) -> Measure:
    """Expected calibration error of the pixel probabilities of one structure."""
    empty = np.zeros((BINS, 3))
    sums = np.array(
        [
            np.stack([c.pixels, c.probability, c.outcome], axis=-1)
            if (c := case.calibration[index] if case.calibration else None)
            else empty
            for case in cases
        ],
        float,
    ).reshape(-1, BINS, 3)
    return over(
        f"{name}.pixel_ece",
        [bool(case.calibration) for case in cases],
        lambda r: partial(stats.calibration_error, sums[r]),
    )


def _undefined(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full(len(weights), np.nan)


def mean_of(values: Sequence[float | None] | NDArray, r: Rows) -> Statistic:
    """Mean of the chosen rows."""
    return partial(stats.mean, np.asarray(values, float)[r])


def median_of(values: Sequence[float | None] | NDArray, r: Rows) -> Statistic:
    """Median of the chosen rows."""
    return partial(stats.median, np.asarray(values, float)[r])


def over(
    name: str, rows: ArrayLike, statistic: Callable[[Rows], Statistic], unit: str = ""
) -> Measure:
    """Make a measure over the rows where ``rows`` is true."""
    return Measure(name, np.flatnonzero(np.asarray(rows, bool)), statistic, unit)


def defined(
    name: str,
    values: Sequence[float | None],
    statistic: Callable[[Sequence[float | None], Rows], Statistic],
    unit: str = "",
) -> Measure:
    """A measure over the rows where the value is defined."""
    return over(name, [v is not None for v in values], partial(statistic, values), unit)


def auc_measure(
    name: str, scores: Sequence[float | None], labels: Sequence[bool | None]
) -> Measure:
    """Area under the ROC curve over the rows that have a score and a label."""
    rows = [s is not None and y is not None for s, y in zip(scores, labels, strict=True)]
    s, y = np.array([v or 0.0 for v in scores]), np.array([bool(v) for v in labels])
    return over(name, rows, lambda r: partial(stats.auc, s[r], y[r]))
