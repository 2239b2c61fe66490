"""Ossification lesion by lesion: which true ones were found, which found ones are false.

A lesion is an 8-connected component of at least ``SIZE_FLOOR_MM2``.

- A TRUE lesion (of the visible truth) is *found* when predicted ossification covers at least
  ``HIT_FRACTION`` of its area.
- A PREDICTED lesion is *right* when at least ``HIT_FRACTION`` of its area lies on true
  ossification, visible or not: painting what is really there, though hardly visible, is no
  false alarm; missing it is no miss.

One prediction may find several lesions and several may find one, because superimposition
merges and splits components. Sensitivity counts true lesions, precision counts predicted
ones, F1 is their harmonic mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.grade.chances import SUSPECT_MM2

SIZE_FLOOR_MM2 = SUSPECT_MM2
"""0.25 cm2, what suspicion asks for: twice the least that grading counts (``floor_mm2``)."""
HIT_FRACTION = 0.2
"""Share of a lesion that must be covered. Low, because the edge of immature bone is a matter
of opinion; well above what an accidental touch reaches."""
OVER_BONE_FRACTION = 0.5
"""A lesion is "over bone" when at least this share of it lies on pelvis or femur."""


@dataclass(frozen=True)
class Lesion:
    """One component of the truth or of the prediction.

    origin: whose component it is
    area_mm2: its area
    over_bone: whether most of it lies over pelvis or femur (of the truth)
    matched: found (truth) or right (predicted)
    centre_px: (row, column) centroid
    """

    origin: Literal["truth", "predicted"]
    area_mm2: float
    over_bone: bool
    matched: bool
    centre_px: tuple[float, float]


def lesions(
    visible: NDArray[np.bool_],
    hidden: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    bone: NDArray[np.bool_],
    pixel_mm2: float,
) -> tuple[Lesion, ...]:
    """All lesions of the truth and of the prediction, matched by the rules above.

    Parameters
    ----------
    visible, hidden : (H, W) bool, true ossification that can, and that cannot, be seen
    predicted : (H, W) bool, predicted ossification
    bone : (H, W) bool, true pelvis or femur
    pixel_mm2 : area of a pixel (mm2)
    """
    found = _components("truth", visible, visible & predicted, bone, pixel_mm2)
    right = _components("predicted", predicted, predicted & (visible | hidden), bone, pixel_mm2)
    return (*found, *right)


def _components(
    origin: Literal["truth", "predicted"],
    mask: NDArray[np.bool_],
    hit: NDArray[np.bool_],
    bone: NDArray[np.bool_],
    pixel_mm2: float,
) -> list[Lesion]:
    """Components of ``mask`` above the floor; ``hit`` is its part that the other side covers."""
    count, labels, stats, centres = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8
    )
    on_bone = np.bincount(labels[mask & bone], minlength=count)
    on_hit = np.bincount(labels[hit], minlength=count)
    found = []
    for label in range(1, count):
        pixels = int(stats[label, cv2.CC_STAT_AREA])
        if pixels * pixel_mm2 >= SIZE_FLOOR_MM2:
            column, row = centres[label]
            found.append(
                Lesion(
                    origin,
                    area_mm2=pixels * pixel_mm2,
                    over_bone=bool(on_bone[label] >= OVER_BONE_FRACTION * pixels),
                    matched=bool(on_hit[label] >= HIT_FRACTION * pixels),
                    centre_px=(float(row), float(column)),
                )
            )
    return found
