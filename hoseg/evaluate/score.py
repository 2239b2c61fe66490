"""Score one film: masks, probabilities and grades against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.datasets.labelled import LabelledImage
from hoseg.errors import InputError
from hoseg.evaluate.case import BINS, CaseScore, HipScore, ReliabilityCounts
from hoseg.evaluate.hips import TrueHip, match, true_hips
from hoseg.evaluate.lesions import Lesion, lesions
from hoseg.evaluate.overlap import Overlap, overlap
from hoseg.evaluate.read_films import read_film
from hoseg.grade import HipFinding
from hoseg.grade.chances import nearest_hip, suspicion
from hoseg.radiograph import STRUCTURES, Grid, Segmentation, Spacing, Structure

_BONE = Structure.PELVIS | Structure.FEMUR
_ALL = np.uint8(sum(Structure))


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says about one film.

    hips: findings; empty when the film was refused
    refused: reason code when the film was skipped or abstained on as a whole
    """

    segmentation: Segmentation
    hips: tuple[HipFinding, ...] = ()
    refused: str = ""


def score_case(
    truth: LabelledImage, prediction: Prediction, from_masks: Sequence[HipFinding] = ()
) -> CaseScore:
    """Score one film.

    Parameters
    ----------
    truth : the film and what is known of it: masks and grades, or grades alone
    prediction : what the model said, on the same pixel grid
    from_masks : what ``hoseg.grade`` reads from the TRUE masks, where there are any

    Raises
    ------
    InputError
        ``no_spacing`` when masks are to be judged in mm without a pixel spacing;
        ``duplicate_hip`` when the truth grades one hip twice.
    """
    _check_hips(truth)
    found = prediction.segmentation
    hips = true_hips(truth.hips, from_masks)
    pairs = zip(hips, match(hips, prediction.hips), strict=True)
    case = CaseScore(
        truth.case,
        truth.patient,
        truth.radiograph.view,
        implant=bool(np.any(found.masks & Structure.IMPLANT)),
        hips=tuple(_grades(hip, finding, prediction.refused) for hip, finding in pairs),
        ho_score=suspicion(found),
        dataset=truth.dataset,
    )
    if truth.reading is not None:
        read = read_film(truth, truth.reading, found, prediction.hips, prediction.refused)
        return replace(case, read=read, view=truth.reading.view or case.view)
    if truth.masks is not None:
        case = _areas(case, truth, truth.masks, found, hips)
    heads = [hip.centre_px for hip in hips]
    scores = [suspicion(found, heads, i) for i in range(len(hips))]
    scored = (replace(h, ho_score=s) for h, s in zip(case.hips, scores, strict=True))
    return replace(case, hips=tuple(scored))


def _areas(
    case: CaseScore,
    truth: LabelledImage,
    masks: NDArray[np.uint8],
    found: Segmentation,
    hips: Sequence[TrueHip],
) -> CaseScore:
    """Everything that compares masks."""
    spacing = truth.radiograph.spacing
    if spacing is None:
        raise InputError(
            truth.case,
            "has no pixel spacing, so areas and distances in mm cannot be judged; give the "
            "spacing in the data set or with --spacing-mm",
            code="no_spacing",
        )
    ignore = np.zeros_like(masks) if truth.ignore is None else truth.ignore
    rows: list[Overlap] = []
    for bit, name in zip(Structure, STRUCTURES, strict=True):
        scored = (ignore & bit) == 0
        true, painted = ((masks & bit) > 0) & scored, ((found.masks & bit) > 0) & scored
        rows.append(overlap(name, true, painted, spacing.mm))
    bone = (masks & _BONE) > 0  # true and painted are those of ossification, the last bit
    for name, part in (("ossification_off_bone", ~bone), ("ossification_over_bone", bone)):
        rows.append(overlap(name, true & part, painted & part, spacing.mm, surfaces=False))
    hidden = (ignore & Structure.OSSIFICATION) > 0
    ossified = (found.masks & Structure.OSSIFICATION) > 0
    pieces = lesions(true, hidden, ossified, bone, spacing.row_mm * spacing.column_mm)
    film = Grid(truth.radiograph.shape, (0.0, 0.0), (1.0, 1.0), spacing.mm)
    heads = [hip.centre_px for hip in hips]
    halves = [nearest_hip(heads, i, film) for i in range(len(hips))]
    ho = [
        overlap("ossification", true & here, painted & here, spacing.mm, surfaces=False)
        for here in halves
    ]
    beyond = outside(ignore)
    return replace(
        case,
        implant=bool(np.any(masks & Structure.IMPLANT)),
        outside_mm2=_painted_mm2(found.masks, beyond, spacing) if beyond.any() else None,
        overlaps=tuple(rows),
        lesions=pieces,
        lesion_hips=tuple(_hip_of(piece, halves) for piece in pieces),
        calibration=reliability(masks, ignore, found),
        hips=tuple(
            replace(h, true_ho_mm2=o.truth_mm2, predicted_ho_mm2=o.predicted_mm2, ho_dice=o.dice)
            for h, o in zip(case.hips, ho, strict=True)
        ),
    )


def reliability(
    masks: NDArray[np.uint8], ignore: NDArray[np.uint8], found: Segmentation
) -> tuple[ReliabilityCounts, ...]:
    """Reliability of every structure's probabilities, pixel by pixel of the network's grid.

    masks, ignore: (H, W) bits of the truth and of what is not scored, on the film
    """
    true, skipped = (_sample(plane, found.grid) for plane in (masks, ignore))
    levels = np.arange(256)
    place = np.minimum(levels * BINS // 255, BINS - 1)
    rows = []
    for bit, name, p in zip(Structure, STRUCTURES, found.probabilities, strict=True):
        scored = (skipped & bit) == 0
        counts = np.bincount(p[scored], minlength=256).astype(np.float64)
        hits = np.bincount(p[scored & ((true & bit) > 0)], minlength=256).astype(np.float64)
        parts = (counts, counts * levels / 255, hits)
        binned = (np.bincount(place, part, minlength=BINS).tolist() for part in parts)
        rows.append(ReliabilityCounts(name, *(tuple(values) for values in binned)))
    return tuple(rows)


def outside(ignore: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels (H, W) outside the exposed field: nothing is scored, from there to the film's edge."""
    unscored = ((ignore & _ALL) == _ALL).astype(np.uint8)
    _, labels = cv2.connectedComponents(unscored, connectivity=4)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.asarray(np.isin(labels, np.setdiff1d(edge, [0])))


def _painted_mm2(masks: NDArray[np.uint8], here: NDArray[np.bool_], spacing: Spacing) -> float:
    return float(np.count_nonzero(masks[here])) * spacing.row_mm * spacing.column_mm


def _check_hips(truth: LabelledImage) -> None:
    sides = [hip.side for hip in truth.hips]
    twice = sorted({side.value for side in sides if sides.count(side) > 1})
    if twice:
        raise InputError(
            truth.case,
            f"the hip of side {twice[0]!r} is graded {len(sides)} times; keep one grade a hip, "
            "and name the sides of two hips",
            code="duplicate_hip",
        )


def _grades(hip: TrueHip, found: HipFinding | None, refused: str) -> HipScore:
    """Class, probabilities and gap of one hip."""
    score = HipScore(
        hip.side,
        hip.brooker,
        hip.brooker_masks,
        true_gap_mm=hip.gap_mm or None,  # a bridge leaves no gap to measure
        true_masks_gap_mm=hip.gap_masks_mm or None,
        maturity=hip.maturity,
    )
    if found is None:
        return replace(score, abstained=refused or "hip_not_found")
    grade = None if found.abstained else found.brooker
    every = found.brooker_every_contact
    return replace(
        score,
        predicted=grade,
        every_contact=grade if every is None else every,
        abstained=found.abstained or ("undecided" if grade is None else None),
        probabilities=found.brooker_probabilities or None,
        predicted_gap_mm=found.gap_mm,
    )


def _hip_of(lesion: Lesion, halves: Sequence[NDArray[np.bool_]]) -> int:
    """Index of the hip in whose part of the film the lesion's centre lies; -1 without hips."""
    row, column = (round(value) for value in lesion.centre_px)
    return next((i for i, here in enumerate(halves) if here[row, column]), -1)


def _sample(plane: NDArray[np.uint8], grid: Grid) -> NDArray[np.uint8]:
    """Original pixels (H, W) nearest to the centres of a resampled grid, zero outside."""
    affine = np.array(
        [[grid.step_px[1], 0, grid.origin_px[1]], [0, grid.step_px[0], grid.origin_px[0]]],
        np.float64,
    )
    size = (grid.shape[1], grid.shape[0])
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(plane, affine, size, flags=flags), np.uint8)
