"""Judge one film: masks and grades against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import InputError
from hoseg.evaluate.case import BINS, Calibration, CaseScore, HipScore, TrueHip, Truth
from hoseg.evaluate.lesions import SIZE_FLOOR_MM2, Lesion, lesions
from hoseg.evaluate.overlap import Overlap, overlap
from hoseg.grade import HipFinding
from hoseg.radiograph import STRUCTURES, Grid, Segmentation, Side, Structure

MaskArray = NDArray[np.bool_]
_BONE = Structure.PELVIS | Structure.FEMUR


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says about one film; ``hips`` empty when it refused the film.

    refused: reason code when the film was skipped or abstained on as a whole
    """

    segmentation: Segmentation | None
    hips: tuple[HipFinding, ...] = ()
    refused: str = ""


def judge(truth: Truth, prediction: Prediction, spacing_mm: tuple[float, float]) -> CaseScore:
    """Score one film.

    Parameters
    ----------
    truth : what is known
    prediction : what the model said, on the same pixel grid
    spacing_mm : (row, column) spacing of that grid (mm)

    Raises
    ------
    InputError
        ``mask_shape`` when the true masks are not of the film's size.
    """
    found = prediction.segmentation
    base = CaseScore(truth.case, truth.patient, truth.view)
    hips = tuple(
        _grades(hip, finding, prediction.refused)
        for hip, finding in zip(truth.hips, match(truth.hips, prediction.hips), strict=True)
    )
    if found is None:
        return replace(base, hips=hips)
    score = suspicion(found.probabilities[3], found.grid)
    if truth.masks is None:
        shown = bool(np.any(found.masks & Structure.IMPLANT))
        regions = [_territory(truth.hips, i, found.grid, None) for i in range(len(hips))]
        scores = [suspicion(found.probabilities[3], found.grid, r) for r in regions]
        hips = tuple(replace(h, ho_score=s) for h, s in zip(hips, scores, strict=True))
        return replace(base, hips=hips, ho_score=score, implant=shown)
    if truth.masks.shape != found.masks.shape:
        raise InputError(
            truth.case,
            f"masks are {truth.masks.shape} (rows, columns) but the film is "
            f"{found.masks.shape}; draw the masks on the film itself, or resample them to it",
            code="mask_shape",
        )
    return replace(
        _areas(base, truth.masks, truth, found, spacing_mm),
        hips=tuple(
            _hip_area(hip, i, truth, found, spacing_mm[0] * spacing_mm[1])
            for i, hip in enumerate(hips)
        ),
        ho_score=score,
    )


def _areas(
    base: CaseScore,
    masks: NDArray[np.uint8],
    truth: Truth,
    found: Segmentation,
    spacing_mm: tuple[float, float],
) -> CaseScore:
    """Everything that compares whole masks."""
    ignore = np.zeros_like(masks) if truth.ignore is None else truth.ignore
    rows: list[Overlap] = []
    for bit, name in zip(Structure, STRUCTURES, strict=True):
        scored = (ignore & bit) == 0
        true, painted = ((masks & bit) > 0) & scored, ((found.masks & bit) > 0) & scored
        rows.append(overlap(name, true, painted, spacing_mm))
    bone = (masks & _BONE) > 0
    for name, part in (("ossification_off_bone", ~bone), ("ossification_over_bone", bone)):
        rows.append(overlap(name, true & part, painted & part, spacing_mm, surfaces=False))
    hidden = (ignore & Structure.OSSIFICATION) > 0
    ossified = (found.masks & Structure.OSSIFICATION) > 0
    pieces = lesions(true, hidden, ossified, bone, spacing_mm[0] * spacing_mm[1])
    return replace(
        base,
        overlaps=tuple(rows),
        lesions=pieces,
        lesion_hips=tuple(_nearest(truth.hips, piece) for piece in pieces),
        calibration=_calibration(masks, ignore, found),
        implant=bool(np.any(masks & Structure.IMPLANT)),
    )


def match(true: Sequence[TrueHip], found: Sequence[HipFinding]) -> tuple[HipFinding | None, ...]:
    """The finding of each true hip: by side, else by the nearest femoral head, else alone.

    A finding is used once. A single finding on a film with a single hip is that hip whatever
    its side (a wrong side marker is not a wrong class).
    """
    if len(true) == 1 and len(found) == 1:
        return (found[0],)
    left = list(found)
    pairs: list[HipFinding | None] = []
    for hip in true:
        same = [f for f in left if f.side == hip.side and hip.side is not Side.UNKNOWN]
        pick = same[0] if same else _closest(hip, left)
        if pick is not None:
            left = [f for f in left if f is not pick]
        pairs.append(pick)
    return tuple(pairs)


def _closest(hip: TrueHip, found: list[HipFinding]) -> HipFinding | None:
    """Nearest finding of unknown side, when both know where the femoral head is."""
    near = [
        (float(np.hypot(*np.subtract(f.landmarks.head_px, hip.centre_px))), i)
        for i, f in enumerate(found)
        if hip.centre_px and f.landmarks.head_px and Side.UNKNOWN in (f.side, hip.side)
    ]
    return found[min(near)[1]] if near else None


def _grades(hip: TrueHip, found: HipFinding | None, refused: str) -> HipScore:
    """Class, probabilities and gap of one hip."""
    base = HipScore(
        hip.side, hip.brooker, hip.brooker_masks, true_gap_mm=hip.gap_mm, maturity=hip.maturity
    )
    if found is None:
        return replace(base, abstained=refused or "hip_not_found")
    verdict = found.verdict("brooker")
    chances = None
    if verdict is not None and verdict.probabilities:
        chances = tuple(float(p) for _, p in verdict.probabilities)
    grade = found.brooker
    return replace(
        base,
        predicted=grade,
        abstained=found.abstained or ("undecided" if grade is None else None),
        probabilities=chances,
        predicted_gap_mm=found.gap_mm,
    )


def _hip_area(
    hip: HipScore, index: int, truth: Truth, found: Segmentation, pixel_mm2: float
) -> HipScore:
    """Ossification in the part of the film that is nearest to this hip."""
    if truth.masks is None:
        return hip
    bit = Structure.OSSIFICATION
    here = _territory(truth.hips, index, None, truth.masks.shape)
    if truth.ignore is not None:
        here = here & ((truth.ignore & bit) == 0)
    true, painted = ((truth.masks & bit) > 0) & here, ((found.masks & bit) > 0) & here
    row = overlap("ossification", true, painted, (pixel_mm2**0.5,) * 2, surfaces=False)
    on_grid = _territory(truth.hips, index, found.grid, None)
    return replace(
        hip,
        true_ho_mm2=row.truth_mm2,
        predicted_ho_mm2=row.predicted_mm2,
        ho_dice=row.dice,
        ho_score=suspicion(found.probabilities[3], found.grid, on_grid),
    )


def _territory(
    hips: Sequence[TrueHip], index: int, grid: Grid | None, shape: tuple[int, ...] | None
) -> MaskArray:
    """Pixels nearer to the head of hip ``index`` than to any other; all when there is one."""
    rows, columns = grid.shape if grid is not None else shape or (0, 0)
    centres = [hip.centre_px for hip in hips]
    known = [c for c in centres if c is not None]
    if len(known) < 2 or len(known) < len(centres):
        return np.ones((rows, columns), bool)
    i, j = np.arange(rows, dtype=np.float32)[:, None], np.arange(columns, dtype=np.float32)[None]
    if grid is not None:
        i = grid.origin_px[0] + grid.step_px[0] * i
        j = grid.origin_px[1] + grid.step_px[1] * j
    distance = np.stack([(i - r) ** 2 + (j - c) ** 2 for r, c in known])
    return np.asarray(distance.argmin(axis=0) == index)


def _nearest(hips: Sequence[TrueHip], lesion: Lesion) -> int:
    """Index of the hip whose head is nearest to a lesion; -1 without hips."""
    if len(hips) < 2 or any(hip.centre_px is None for hip in hips):
        return len(hips) - 1 if len(hips) < 2 else -1
    away = [np.hypot(*np.subtract(hip.centre_px or (0, 0), lesion.centre_px)) for hip in hips]
    return int(np.argmin(away))


def suspicion(probability: NDArray[np.uint8], grid: Grid, here: MaskArray | None = None) -> float:
    """How suspect a film or a hip is of ossification, in [0, 1].

    The probability that its most suspect ``SIZE_FLOOR_MM2`` reach: the score that the ROC of
    detection uses, because a threshold on it asks for a lesion of the least size that counts.
    """
    values = probability if here is None else probability[here]
    floor = max(1, round(SIZE_FLOOR_MM2 / (grid.spacing_mm[0] * grid.spacing_mm[1])))
    if values.size < floor:
        return 0.0
    smoothed = np.partition(values.ravel(), values.size - floor)
    return float(smoothed[values.size - floor]) / 255


def _calibration(
    masks: NDArray[np.uint8], ignore: NDArray[np.uint8], found: Segmentation
) -> tuple[Calibration, ...]:
    """Reliability of every structure's probabilities, on the network's grid."""
    grid, rows = found.grid, []
    true, skipped = (_sample(plane, grid) for plane in (masks, ignore))
    place = np.minimum(np.arange(256) * BINS // 255, BINS - 1)
    for bit, name, p in zip(Structure, STRUCTURES, found.probabilities, strict=True):
        scored = (skipped & bit) == 0
        counts = np.bincount(p[scored], minlength=256).astype(np.float64)
        hits = np.bincount(p[scored & ((true & bit) > 0)], minlength=256).astype(np.float64)
        parts = (counts, counts * np.arange(256) / 255, hits)
        binned = (np.bincount(place, part, minlength=BINS) for part in parts)
        rows.append(Calibration(name, *(tuple(values.tolist()) for values in binned)))
    return tuple(rows)


def _sample(plane: NDArray[np.uint8], grid: Grid) -> NDArray[np.uint8]:
    """Original pixels (H, W) nearest to the centres of a resampled grid, zero outside."""
    affine = np.array(
        [[grid.step_px[1], 0, grid.origin_px[1]], [0, grid.step_px[0], grid.origin_px[0]]]
    )
    size = (grid.shape[1], grid.shape[0])
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(plane, affine, size, flags=flags), np.uint8)
