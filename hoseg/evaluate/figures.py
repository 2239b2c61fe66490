"""Every figure of a report: measures over three tables (films, hips, lesions) and their strata.

A measure names its rows and the statistic over any part of them. ``summarise`` takes every measure
of a table over all its rows and over every stratum, each with its interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hoseg.evaluate import statistics as stats
from hoseg.evaluate.bootstrap import Estimate, Events, Resamples, Statistic, estimate
from hoseg.evaluate.case import BINS, CLASSES, CaseScore, HipScore
from hoseg.evaluate.lesions import SIZE_FLOOR_MM2, Lesion
from hoseg.radiograph import STRUCTURES
from hoseg.words import BROOKER

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]
ALL = "all"
"""The stratum of all rows."""
DATA_SET = "data set"
"""Begins the strata of data sets that are judged together."""
SEVERE = 3
"""Brooker III and IV are severe."""
LARGE_MM2 = 100.0
"""1 cm2: from here on the Dice of a structure, or of the ossification of a hip, says something."""
SIZES = ("no HO", "HO < 1 cm2", "HO 1-5 cm2", "HO >= 5 cm2")
FALSE_KINDS = (
    "false_off_bone_per_image",
    "false_over_bone_per_image",
    "false_under_1cm2_per_image",
    "false_1_to_5cm2_per_image",
    "false_from_5cm2_per_image",
)
_SIZE_LIMITS_MM2 = (np.nextafter(0, 1), LARGE_MM2, 500.0)


@dataclass(frozen=True)
class Measure:
    """A figure over some rows of a table.

    name: key in ``metrics.json``, e.g. "pelvis.dice_mean"
    rows: (m,) rows of the table where it is defined
    statistic: some of these rows to a statistic of their weights
    unit: "", "mm", "mm2" or "per image"
    events: what a row counts, where the statistic is the mean of that
    """

    name: str
    rows: Rows
    statistic: Callable[[Rows], Statistic]
    unit: str = ""
    events: Events = ""


@dataclass(frozen=True)
class Table:
    """Rows of one kind, the patient of each, and the ways to subset them.

    patient: (n,) index into the patients of the whole data set
    strata: (name, (n,) bool), without the stratum of all rows
    """

    patient: Rows
    strata: tuple[tuple[str, Mask], ...]
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class Figure:
    """One figure in one stratum ("all", "class: II", "view: ap_hip", ...)."""

    name: str
    stratum: str
    estimate: Estimate
    unit: str = ""


MakeTable = Callable[[Sequence[CaseScore], Callable[[CaseScore], int]], Table]
"""Judged films, and the index of each one's patient, to a table."""


def summarise(
    cases: Sequence[CaseScore],
    rng: np.random.Generator,
    *,
    repeats: int = 1000,
    more: Sequence[MakeTable] = (),
) -> tuple[Figure, ...]:
    """Every figure over all rows and in every stratum that holds some of them.

    Parameters
    ----------
    cases : judged films; those with an error are left out
    rng : draws the patients
    repeats : bootstrap resamples
    more : tables beside those of films, hips and lesions
    """
    judged = [case for case in cases if not case.error]
    names = sorted({case.patient for case in judged})
    index = {name: i for i, name in enumerate(names)}
    resamples = Resamples.draw(len(names), repeats, rng)
    figures: list[Figure] = []
    for make in (film_table, hip_table, lesion_table, *more):
        figures += table_figures(make(judged, lambda case: index[case.patient]), resamples)
    return tuple(figures)


def table_figures(table: Table, resamples: Resamples) -> list[Figure]:
    """Every measure of a table, over all its rows and in every stratum."""
    figures = []
    for measure in table.measures:
        if not len(measure.rows):
            continue
        everything = np.ones(len(table.patient), bool)
        for stratum, here in ((ALL, everything), *table.strata):
            rows = measure.rows[here[measure.rows]]
            if len(rows):
                patient = table.patient[rows]
                found = estimate(measure.statistic(rows), patient, resamples, measure.events)
                figures.append(Figure(measure.name, stratum, found, measure.unit))
    return figures


def lookup(figures: Sequence[Figure], name: str, stratum: str = ALL) -> Figure | None:
    """One figure by name and stratum, or None when nothing defines it."""
    return next((f for f in figures if f.name == name and f.stratum == stratum), None)


def hip_pairs(cases: Sequence[CaseScore]) -> list[tuple[CaseScore, HipScore]]:
    """Every true hip with its film."""
    return [(case, hip) for case in cases for hip in case.hips]


def lesion_pairs(cases: Sequence[CaseScore]) -> list[tuple[CaseScore, Lesion, HipScore | None]]:
    """Every lesion with its film and its hip."""
    return [
        (case, lesion, case.hips[i] if i >= 0 else None)
        for case in cases
        for lesion, i in zip(case.lesions, case.lesion_hips, strict=True)
    ]


def film_table(cases: Sequence[CaseScore], patient_of: Callable[[CaseScore], int]) -> Table:
    """Structures, false components, detection and pixel calibration, film by film."""
    measures: list[Measure] = []
    for name in (*STRUCTURES, "ossification_off_bone", "ossification_over_bone"):
        measures += overlap_measures(cases, name)
    masked = [case.overlap("ossification") is not None for case in cases]
    without = [_true_ho(case) == 0 for case in cases]
    false = [len(case.false_lesions) for case in cases]
    measures += [
        over("ho.false_per_image", masked, partial(mean_of, false), "per image"),
        over("ho.false_per_image_without_ho", without, partial(mean_of, false), "per image"),
        *_false_by_kind(cases, masked),
        over("ho.films_without_ho_kept_clean", without, partial(mean_of, np.equal(false, 0))),
    ]
    outside = [case.outside_mm2 for case in cases]
    measures.append(defined("outside_field.area_mean", outside, mean_of, "mm2"))
    clean = [None if mm2 is None else float(mm2 < SIZE_FLOOR_MM2) for mm2 in outside]
    measures.append(defined("outside_field.films_kept_clean", clean, mean_of))
    label = [film_has_ho(case) for case in cases]
    score = [case.ho_score for case in cases]
    measures.append(auc_measure("ho.auc_image", score, label))
    for i, name in enumerate(STRUCTURES):
        measures.append(pixel_ece(cases, i, name))
    strata = [
        *split_by_name(DATA_SET, [case.dataset for case in cases]),
        *split("class", [_worst(case) for case in cases], BROOKER),
        *split("implant", [int(case.implant) for case in cases], ("no", "yes")),
        *split_by_name("view", [case.view.value for case in cases]),
        *_sizes([_true_ho(case) for case in cases]),
        *split_by_name("maturity", [_maturity(case) for case in cases]),
    ]
    return Table(_patients(cases, patient_of), tuple(strata), tuple(measures))


def hip_table(cases: Sequence[CaseScore], patient_of: Callable[[CaseScore], int]) -> Table:
    """Classes, probabilities, gaps, abstention and HO Dice, hip by hip."""
    pairs = hip_pairs(cases)
    hips = [hip for _, hip in pairs]
    truth = np.array([-1 if h.truth is None else h.truth for h in hips], int)
    masks = np.array([-1 if h.truth_masks is None else h.truth_masks for h in hips], int)
    found = np.array([-1 if h.predicted is None else h.predicted for h in hips], int)
    every = np.array([-1 if h.every_contact is None else h.every_contact for h in hips], int)
    gaps = [h.predicted_gap_mm for h in hips]
    worse, best = severity(hips), severity_of_true_masks(hips)
    measures = [
        *class_measures("class", truth, found),
        *class_measures("class_likeliest", truth, likeliest(hips)),
        *class_measures("class_from_true_masks", masks, found),
        *class_measures("class_every_contact", truth, every),
        *class_measures("class_every_contact_from_true_masks", masks, every),
        *class_measures("construction_against_true_masks", truth, masks),
        severe_auc("class", worse, truth, np.isfinite(worse)),
        severe_auc("class_from_true_masks", worse, masks, np.isfinite(worse)),
        severe_auc("construction_against_true_masks", best, truth, np.isfinite(best)),
        *probability_measures(hips, truth, found),
        *gap_measures("gap", [h.true_gap_mm for h in hips], gaps),
        *gap_measures("gap_from_true_masks", [h.true_masks_gap_mm for h in hips], gaps),
    ]
    dice = [h.ho_dice for h in hips]
    large = [(h.true_ho_mm2 or 0) >= LARGE_MM2 for h in hips]
    label = [hip_has_ho(h) for h in hips]
    measures += [
        over("ho.dice_median_hips_1cm2", large, partial(median_of, dice)),
        over("ho.dice_mean_hips_1cm2", large, partial(mean_of, dice)),
        auc_measure("ho.auc_hip", [h.ho_score for h in hips], label),
        over("class.abstained", truth >= 0, partial(mean_of, found < 0)),
    ]
    strata = [
        *split_by_name(DATA_SET, [case.dataset for case, _ in pairs]),
        *split("class", truth.tolist(), BROOKER),
        *split("implant", [int(case.implant) for case, _ in pairs], ("no", "yes")),
        *split_by_name("view", [case.view.value for case, _ in pairs]),
        *_sizes([h.true_ho_mm2 for h in hips]),
        *split_by_name("maturity", [h.maturity for h in hips]),
    ]
    return Table(_patients([c for c, _ in pairs], patient_of), tuple(strata), tuple(measures))


def lesion_table(cases: Sequence[CaseScore], patient_of: Callable[[CaseScore], int]) -> Table:
    """Sensitivity, precision and F1 of ossification, lesion by lesion."""
    rows = lesion_pairs(cases)
    true = np.array([x.origin == "truth" for _, x, _ in rows], bool)
    hit = np.array([x.matched for _, x, _ in rows], bool)

    def f1(r: Rows) -> Statistic:
        return partial(stats.f1, true[r], ~true[r], hit[r])

    measures = (
        over("ho.lesion_sensitivity", true, partial(mean_of, hit)),
        over("ho.lesion_precision", ~true, partial(mean_of, hit)),
        over("ho.lesion_f1", np.ones(len(rows), bool), f1),
    )
    limits = [x.area_mm2 for _, x, _ in rows]
    strata = [
        *split_by_name(DATA_SET, [case.dataset for case, *_ in rows]),
        *split("place", [int(x.over_bone) for _, x, _ in rows], ("off bone", "over bone")),
        *_sizes(limits),
        *split(
            "class", [-1 if h is None or h.truth is None else h.truth for *_, h in rows], BROOKER
        ),
        *split("implant", [int(case.implant) for case, *_ in rows], ("no", "yes")),
        *split_by_name("view", [case.view.value for case, *_ in rows]),
        *split_by_name("maturity", [h.maturity if h else "" for *_, h in rows]),
    ]
    return Table(_patients([c for c, *_ in rows], patient_of), tuple(strata), measures)


def film_has_ho(case: CaseScore) -> bool | None:
    """Label of detection: a visible lesion above the floor, or any class above 0.

    None (left out) when what is visible stays below the floor, or nothing is known.
    """
    if case.overlap("ossification") is None:
        known = [hip.truth for hip in case.hips if hip.truth is not None]
        return max(known) > 0 if known else None
    if any(x.origin == "truth" for x in case.lesions):
        return True
    return False if _true_ho(case) == 0 else None


def hip_has_ho(hip: HipScore) -> bool | None:
    """The same for a hip; by area, because a lesion may lie on the border between two hips."""
    if hip.true_ho_mm2 is None:
        return None if hip.truth is None else hip.truth > 0
    if hip.true_ho_mm2 >= SIZE_FLOOR_MM2:
        return True
    return False if hip.true_ho_mm2 == 0 else None


def _false_by_kind(cases: Sequence[CaseScore], masked: Sequence[bool]) -> list[Measure]:
    """False lesions a film, off and over bone, and by size of the false lesion."""
    counts = np.zeros((len(FALSE_KINDS), len(cases)))
    for i, case in enumerate(cases):
        for lesion in case.false_lesions:
            counts[int(lesion.over_bone), i] += 1
            counts[1 + _size(lesion.area_mm2), i] += 1
    return [
        over(f"ho.{kind}", masked, partial(mean_of, row), "per image")
        for kind, row in zip(FALSE_KINDS, counts, strict=True)
    ]


def _size(area_mm2: float | None) -> int:
    """Index into ``SIZES``; -1 when not known."""
    return -1 if area_mm2 is None else int(np.digitize(area_mm2, _SIZE_LIMITS_MM2))


def _patients(cases: Iterable[CaseScore], patient_of: Callable[[CaseScore], int]) -> Rows:
    return np.array([patient_of(case) for case in cases], np.intp)


def split(key: str, values: Sequence[int], names: Sequence[str]) -> list[tuple[str, Mask]]:
    """Strata "key: name" of rows whose value is the index of the name."""
    array = np.asarray(values, int)
    return [(f"{key}: {name}", array == i) for i, name in enumerate(names)]


def split_by_name(key: str, values: Sequence[str]) -> list[tuple[str, Mask]]:
    """Strata "key: value" of every value that occurs, less what is not known."""
    array = np.asarray(values, object)
    return [(f"{key}: {n}", array == n) for n in sorted(set(values) - {"", "unknown"})]


def _sizes(areas: Sequence[float | None]) -> list[tuple[str, Mask]]:
    return split("size", [_size(area) for area in areas], SIZES)


def _true_ho(case: CaseScore) -> float | None:
    row = case.overlap("ossification")
    return None if row is None else row.truth_mm2


def _worst(case: CaseScore) -> int:
    return max((hip.truth for hip in case.hips if hip.truth is not None), default=-1)


def _maturity(case: CaseScore) -> str:
    order = ("", "hazy", "mature_discrete", "mature_extensive")
    return max((hip.maturity for hip in case.hips), key=order.index, default="")


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


def class_probabilities(hips: Sequence[HipScore]) -> NDArray[np.float64]:
    """Class probabilities (n, 5) that sum to one; nan where a hip has none."""
    none = (np.nan,) * CLASSES
    p = np.array([h.probabilities or none for h in hips], float).reshape(-1, CLASSES)
    total = p.sum(axis=1, keepdims=True)
    return np.divide(p, total, out=np.full(p.shape, np.nan), where=total > 0)


def likeliest(hips: Sequence[HipScore]) -> Rows:
    """(n,) the class of the highest probability of hips that were graded; -1 of others."""
    p = class_probabilities(hips)
    known = np.isfinite(p).all(axis=1) & np.array([h.predicted is not None for h in hips], bool)
    return np.where(known, np.nan_to_num(p).argmax(axis=1), -1)


def confidence(hips: Sequence[HipScore]) -> NDArray[np.float64]:
    """(n,) the probability given to the class that was reported; nan without either."""
    p = class_probabilities(hips)
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
    p = class_probabilities(hips)
    return np.asarray(p[:, SEVERE:].sum(axis=1) + 1e-4 * (p @ np.arange(CLASSES)))


def severity_of_true_masks(hips: Sequence[HipScore]) -> NDArray[np.float64]:
    """The class read from the true masks; within a class, the narrower gap counts as worse."""
    gaps = [np.inf if h.true_masks_gap_mm is None else h.true_masks_gap_mm for h in hips]
    classes = [np.nan if h.truth_masks is None else float(h.truth_masks) for h in hips]
    return np.asarray(classes) + 1 / (2 + np.asarray(gaps))


def probability_measures(hips: Sequence[HipScore], truth: Rows, found: Rows) -> list[Measure]:
    """Calibration and risk-coverage of the class probabilities."""
    p = class_probabilities(hips)
    known = (truth >= 0) & np.isfinite(p).all(axis=1)
    safe = np.nan_to_num(p)
    severe, is_severe = safe[:, SEVERE:].sum(axis=1), truth >= SEVERE
    brier = ((safe - np.eye(CLASSES)[np.maximum(truth, 0)]) ** 2).sum(axis=1)
    top, right = safe.max(axis=1), safe.argmax(axis=1) == truth
    sure = confidence(hips)
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
