"""What the network's probabilities are worth: suspicion of ossification, and reliability."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.evaluate.case import BINS, Calibration
from hoseg.evaluate.lesions import SIZE_FLOOR_MM2
from hoseg.radiograph import STRUCTURES, Grid, Segmentation, Structure

_HO = STRUCTURES.index("ossification")


def suspicion(found: Segmentation, here: NDArray[np.bool_] | None = None) -> float:
    """How suspect a film, or a part of it, is of ossification, in [0, 1].

    The probability that its most suspect ``SIZE_FLOOR_MM2`` reach: the score behind the ROC of
    detection, because a threshold on it asks for as much ossification as counts as a lesion.

    here: (h, w) bool on the network's grid; None = the whole film
    """
    plane, grid = found.probabilities[_HO], found.grid
    values = plane.ravel() if here is None else plane[here]
    floor = max(1, round(SIZE_FLOOR_MM2 / (grid.spacing_mm[0] * grid.spacing_mm[1])))
    if values.size < floor:
        return 0.0
    place = values.size - floor
    return float(np.partition(values, place)[place]) / 255


def calibration(
    masks: NDArray[np.uint8], ignore: NDArray[np.uint8], found: Segmentation
) -> tuple[Calibration, ...]:
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
        rows.append(Calibration(name, *(tuple(values) for values in binned)))
    return tuple(rows)


def _sample(plane: NDArray[np.uint8], grid: Grid) -> NDArray[np.uint8]:
    """Original pixels (H, W) nearest to the centres of a resampled grid, zero outside."""
    affine = np.array(
        [[grid.step_px[1], 0, grid.origin_px[1]], [0, grid.step_px[0], grid.origin_px[0]]],
        np.float64,
    )
    size = (grid.shape[1], grid.shape[0])
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(plane, affine, size, flags=flags), np.uint8)
