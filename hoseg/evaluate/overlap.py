"""How well two masks of one structure agree: Dice, surface Dice (NSD) and HD95.

Rules for empty masks, the same in every figure hoseg reports:

=============  ==============  =====================================================
truth          prediction      Dice, NSD, HD95
=============  ==============  =====================================================
present        present         as defined below
present        empty           0, 0, and the diagonal of the image (mm)
empty          anything        undefined (None): overlap with nothing says nothing.
                               What was painted is reported as a false area instead.
=============  ==============  =====================================================

A surface is the set of mask pixels with a 4-neighbour outside the mask or the image, as in
MONAI; distances are between pixel centres in mm. Sources: Metrics Reloaded
(doi 10.1038/s41592-023-02151-z); NSD: Nikolov et al. (doi 10.2196/26151).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoseg.errors import SettingError

TOLERANCE_MM = 2.0
"""NSD tolerance: about the contour repeatability of a reader on a hip radiograph."""


@dataclass(frozen=True)
class Overlap:
    """Agreement of one structure on one film; None where the rules leave it undefined.

    name: structure, or a part of one ("ossification_off_bone")
    truth_mm2, predicted_mm2: areas inside the scored region
    dice: in [0, 1]
    nsd: surface Dice at ``TOLERANCE_MM``, in [0, 1]
    hd95_mm: larger of the two directed 95th percentile surface distances
    """

    name: str
    truth_mm2: float
    predicted_mm2: float
    dice: float | None
    nsd: float | None = None
    hd95_mm: float | None = None


def overlap(
    name: str,
    truth: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    spacing_mm: tuple[float, float],
    *,
    surfaces: bool = True,
) -> Overlap:
    """Compare two masks of one structure.

    Parameters
    ----------
    name : label carried into the result
    truth, predicted : (H, W) bool
    spacing_mm : (row, column) spacing (mm)
    surfaces : also compute NSD and HD95 (not meaningful for parts cut out of a structure)

    Raises
    ------
    SettingError
        When the masks differ in shape.
    """
    if truth.shape != predicted.shape:
        raise SettingError("predicted mask shape", predicted.shape, f"{truth.shape}, the truth's")
    pixel_mm2 = spacing_mm[0] * spacing_mm[1]
    in_truth, in_predicted = int(truth.sum()), int(predicted.sum())
    areas = (in_truth * pixel_mm2, in_predicted * pixel_mm2)
    if in_truth == 0:
        return Overlap(name, *areas, dice=None)
    dice = 2 * int((truth & predicted).sum()) / (in_truth + in_predicted)
    if not surfaces:
        return Overlap(name, *areas, dice=dice)
    if in_predicted == 0:
        diagonal = np.hypot(truth.shape[0] * spacing_mm[0], truth.shape[1] * spacing_mm[1])
        return Overlap(name, *areas, dice=dice, nsd=0.0, hd95_mm=float(diagonal))
    to_predicted, to_truth = surface_distances_mm(truth, predicted, spacing_mm)
    reach = TOLERANCE_MM + 1e-6  # exactly 2 mm counts, whatever the rounding (5 x 0.4 mm)
    close = int((to_predicted <= reach).sum() + (to_truth <= reach).sum())
    return Overlap(
        name,
        *areas,
        dice=dice,
        nsd=close / (len(to_predicted) + len(to_truth)),
        hd95_mm=float(max(np.percentile(to_predicted, 95), np.percentile(to_truth, 95))),
    )


def surface_distances_mm(
    a: NDArray[np.bool_], b: NDArray[np.bool_], spacing_mm: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances from each surface pixel of ``a`` to the surface of ``b``, and back (mm).

    Both masks, (H, W) bool, must hold at least one pixel. A k-d tree over surface pixels is
    exact for unequal row and column spacing and many times faster than a distance transform
    of the whole film.
    """
    points_a = np.argwhere(surface(a)) * np.asarray(spacing_mm)
    points_b = np.argwhere(surface(b)) * np.asarray(spacing_mm)
    to_b, _ = cKDTree(points_b).query(points_a)
    to_a, _ = cKDTree(points_a).query(points_b)
    return np.asarray(to_b), np.asarray(to_a)


def surface(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of ``mask`` (H, W) with a 4-neighbour outside the mask or the image."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    inner = cv2.erode(
        mask.astype(np.uint8), cross, borderType=cv2.BORDER_CONSTANT, borderValue=0
    ).astype(bool)
    return mask & ~inner
