"""How dense an ossification is, beside soft tissue (0) and the femoral cortex (1)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.grade.bones import Bones, sample, within
from hoseg.grade.hips import Hip
from hoseg.grade.ossification import Ossification

HAZY_BELOW = 0.4
"""Below this share of the way from soft tissue to cortex an ossification is a cloud."""
EXTENSIVE_MM = 30.0
"""A mature ossification of this length is extensive."""


def cortex_level(image: NDArray[np.generic], bones: Bones, hip: Hip) -> float:
    """Grey level of the femoral cortex: the upper quartile of the rim of the femur.

    Parameters
    ----------
    image
        (H, W) grey levels, bright = dense.
    bones, hip
        The hip; metal is left out.
    """
    edge = np.concatenate([piece.points_px for piece in hip.outlines])
    edge = edge[bones.in_field(edge, 4.0)]
    rim = edge[(sample(bones.implant, edge) == 0) & (sample(bones.pelvis, edge) == 0)]
    if len(rim) < 20:
        return float("nan")
    # The cortex lies 1-4 mm inside the edge: the brightest of three depths towards the inside.
    index = np.rint(rim).astype(int)
    reach = max(1, round(3.0 / bones.mean_mm))
    best = np.full(len(index), -np.inf)
    for shift in ((0, reach), (0, -reach), (reach, 0), (-reach, 0)):
        moved = index + shift
        inside = within(moved, bones.shape) & (sample(bones.femur, moved) > 0)
        inside &= sample(bones.implant, moved) == 0
        best[inside] = np.maximum(best[inside], image[tuple(moved[inside].T)].astype(float))
    best = best[np.isfinite(best)]
    return float(np.percentile(best, 75)) if len(best) >= 20 else float("nan")


def relative_density(
    image: NDArray[np.generic], item: Ossification, bones: Bones, cortex: float
) -> float | None:
    """Mean density of an ossification off the bones; None where it can't be told.

    Soft tissue is the lower quartile of a ring 2-6 mm outside the ossification.
    """
    points_px = item.pixels_mm / bones.mm
    free = ~item.over_pelvis & ~item.over_femur & (sample(bones.implant, points_px) == 0)
    if free.sum() < 5 or not np.isfinite(cortex):
        return None
    inside = _levels(image, points_px[free])
    centre = item.outline_px.mean(axis=0)
    outward = (item.outline_px - centre) * bones.mm
    outward /= np.maximum(np.hypot(*outward.T), 1e-6)[:, None]
    ring = np.concatenate([item.outline_px + outward * far / bones.mm for far in (2.0, 4.0, 6.0)])
    hull = cv2.convexHull(item.outline_px.astype(np.float32))
    ring = ring[bones.in_field(ring)]
    covered = sample(bones.pelvis, ring) | sample(bones.femur, ring) | sample(bones.implant, ring)
    ring = ring[covered == 0]
    outside = [cv2.pointPolygonTest(hull, (float(r), float(c)), False) < 0 for r, c in ring[::8]]
    ring = ring[::8][np.array(outside, bool)] if len(ring) else ring
    if len(ring) < 5:
        return None
    soft = float(np.percentile(_levels(image, ring), 25))
    if cortex - soft <= 1e-9 * max(abs(cortex), 1.0):
        return None
    return float(np.clip((inside.mean() - soft) / (cortex - soft), 0.0, 2.0))


def maturity(density: float | None, length_mm: float) -> str | None:
    """hazy, mature_discrete or mature_extensive."""
    if density is None:
        return None
    if density < HAZY_BELOW:
        return "hazy"
    return "mature_extensive" if length_mm >= EXTENSIVE_MM else "mature_discrete"


def _levels(image: NDArray[np.generic], points_px: NDArray[np.float64]) -> NDArray[np.float64]:
    index = np.rint(points_px).astype(int)
    index = index[within(index, image.shape)]
    return np.asarray(image[index[:, 0], index[:, 1]].astype(float))
