"""Three tables (films, hips, lesions), their strata, and the figures of each.

The summary is every measure of a table over all its rows and over every stratum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hoseg.evaluate import statistics as stats
from hoseg.evaluate.bootstrap import Statistic
from hoseg.evaluate.case import CaseScore, HipScore
from hoseg.evaluate.lesions import SIZE_FLOOR_MM2, Lesion
from hoseg.evaluate.measures import (
    LARGE_MM2,
    Measure,
    Rows,
    auc_measure,
    class_measures,
    defined,
    gap_measures,
    likeliest,
    mean_of,
    median_of,
    over,
    overlap_measures,
    pixel_ece,
    probability_measures,
    severe_auc,
    severity,
    severity_of_true_masks,
)
from hoseg.radiograph import STRUCTURES

Mask = NDArray[np.bool_]
ROMAN = ("0", "I", "II", "III", "IV")
DATA_SET = "data set"
"""Begins the strata of data sets that are judged together."""
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
class Table:
    """Rows of one kind, the patient of each, and the ways to subset them.

    patient: (n,) index into the patients of the whole data set
    strata: (name, (n,) bool), without the stratum of all rows
    """

    patient: Rows
    strata: tuple[tuple[str, Mask], ...]
    measures: tuple[Measure, ...]


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
        *_split_by_name(DATA_SET, [case.dataset for case in cases]),
        *_split("class", [_worst(case) for case in cases], ROMAN),
        *_split("implant", [int(case.implant) for case in cases], ("no", "yes")),
        *_split_by_name("view", [case.view.value for case in cases]),
        *_sizes([_true_ho(case) for case in cases]),
        *_split_by_name("maturity", [_maturity(case) for case in cases]),
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
        *_split_by_name(DATA_SET, [case.dataset for case, _ in pairs]),
        *_split("class", truth.tolist(), ROMAN),
        *_split("implant", [int(case.implant) for case, _ in pairs], ("no", "yes")),
        *_split_by_name("view", [case.view.value for case, _ in pairs]),
        *_sizes([h.true_ho_mm2 for h in hips]),
        *_split_by_name("maturity", [h.maturity for h in hips]),
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
        *_split_by_name(DATA_SET, [case.dataset for case, *_ in rows]),
        *_split("place", [int(x.over_bone) for _, x, _ in rows], ("off bone", "over bone")),
        *_sizes(limits),
        *_split(
            "class", [-1 if h is None or h.truth is None else h.truth for *_, h in rows], ROMAN
        ),
        *_split("implant", [int(case.implant) for case, *_ in rows], ("no", "yes")),
        *_split_by_name("view", [case.view.value for case, *_ in rows]),
        *_split_by_name("maturity", [h.maturity if h else "" for *_, h in rows]),
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


def _split(key: str, values: Sequence[int], names: Sequence[str]) -> list[tuple[str, Mask]]:
    array = np.asarray(values, int)
    return [(f"{key}: {name}", array == i) for i, name in enumerate(names)]


def _split_by_name(key: str, values: Sequence[str]) -> list[tuple[str, Mask]]:
    array = np.asarray(values, object)
    return [(f"{key}: {n}", array == n) for n in sorted(set(values) - {"", "unknown"})]


def _sizes(areas: Sequence[float | None]) -> list[tuple[str, Mask]]:
    return _split("size", [_size(area) for area in areas], SIZES)


def _true_ho(case: CaseScore) -> float | None:
    row = case.overlap("ossification")
    return None if row is None else row.truth_mm2


def _worst(case: CaseScore) -> int:
    return max((hip.truth for hip in case.hips if hip.truth is not None), default=-1)


def _maturity(case: CaseScore) -> str:
    order = ("", "hazy", "mature_discrete", "mature_extensive")
    return max((hip.maturity for hip in case.hips), key=order.index, default="")
