"""Ossifications of an image: components, their sizes, and what each lies over."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.grade.bones import Bones, sample
from hoseg.grade.outlines import trace
from hoseg.grade.settings import GradeSettings

OPENING_MM = 0.4
"""Hairs of a mask thinner than twice this are not bone."""
MAX_COMPONENTS = 40
"""The largest so many are graded; a mask with more is noise."""
SAMPLES = 4000
"""Pixels of a component that are looked at for its site."""


@dataclass(frozen=True, eq=False)
class Ossification:
    """One connected ossification on the original image.

    outline_px: (N, 2) sub-pixel (row, column)
    outline_mm: the same in mm
    pixels_mm: (M, 2) positions of its pixels, thinned
    over_pelvis, over_femur: (M,) which of these pixels lie over the bone
    """

    outline_px: NDArray[np.float64]
    outline_mm: NDArray[np.float64]
    pixels_mm: NDArray[np.float64]
    area_px: int
    area_mm2: float
    length_mm: float
    bbox_px: tuple[int, int, int, int]
    over_pelvis: NDArray[np.bool_]
    over_femur: NDArray[np.bool_]


@dataclass(frozen=True)
class Placement:
    """Where a mask's pixels lie on the original image: ``origin_px + step_px * (i, j)``."""

    origin_px: tuple[float, float] = (0.0, 0.0)
    step_px: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Speck:
    """An ossification below the size floor."""

    area_px: int
    bbox_px: tuple[int, int, int, int]
    centroid_px: NDArray[np.float64]


def find_ossifications(
    mask: NDArray[np.uint8],
    bones: Bones,
    settings: GradeSettings,
    placement: Placement = Placement(),
) -> tuple[list[Ossification], list[Speck]]:
    """Connected ossifications at or over the size floor, and the specks below it.

    Parameters
    ----------
    mask
        (h, w) uint8, non-zero where ossified, on any grid over the original image.
    bones
        The image's bones, on the original grid.
    settings
        Size floor.
    placement
        The mask's grid on the original image.
    """
    column, row, width, height = cv2.boundingRect(mask)
    if width == 0:
        return [], []
    step = np.array(placement.step_px)
    origin = np.array(placement.origin_px) + step * (row, column)
    mm = bones.mm * step
    crop = _without_hairs(mask[row : row + height, column : column + width], mm)
    count, labels, stats, centroids = cv2.connectedComponentsWithStats(crop, connectivity=8)
    floor_px = settings.floor_mm2 / float(mm.prod())
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    order = np.argsort(-areas, kind="stable")[:MAX_COMPONENTS]
    kept = [int(i) for i in order if areas[i] >= max(floor_px, 1.0)]
    specks = [
        Speck(int(areas[i]), _box(stats[i], origin, step), origin + step * centroids[i][::-1])
        for i in order
        if 0 < areas[i] < floor_px
    ][:20]
    found = [_ossification(labels, i, stats[i], bones, (origin, step)) for i in kept if i < count]
    return found, specks


def _without_hairs(crop: NDArray[np.uint8], mm: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Open with a disc of ``OPENING_MM``; coarse masks are left as they are."""
    radius = np.floor(OPENING_MM / mm).astype(int)
    if radius.min() < 1:
        return np.ascontiguousarray(crop != 0).astype(np.uint8)
    size = (2 * int(radius[1]) + 1, 2 * int(radius[0]) + 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size)
    # The image border must not erode: an ossification that the film cuts stays whole.
    border = int(radius.max())
    padded = cv2.copyMakeBorder(crop, *(border,) * 4, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, kernel)
    inner = opened[border:-border, border:-border]
    return np.ascontiguousarray(inner != 0).astype(np.uint8)


def _ossification(
    labels: NDArray[np.int32] | cv2.typing.MatLike,
    index: int,
    stats: NDArray[np.int32],
    bones: Bones,
    grid: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> Ossification:
    origin, step = grid
    left, top, width, height = (int(value) for value in stats[:4])
    own = np.zeros((height + 2, width + 2), np.uint8)  # a free rim, so that outlines close
    own[1:-1, 1:-1] = labels[top : top + height, left : left + width] == index
    corner = np.array([top - 1, left - 1])
    mean_mm = float(np.sqrt((bones.mm * step).prod()))
    outline = max(trace(own, mean_mm), key=lambda piece: piece.area_px)
    outline_px = origin + step * (outline.points_px + corner)
    outline_mm = outline_px * bones.mm
    area = int(stats[cv2.CC_STAT_AREA])
    stride = max(1, int(np.sqrt(area / SAMPLES)))
    pixels = np.argwhere(own[1::stride, 1::stride]) * stride + 1
    pixels_px = origin + step * (pixels + corner)
    return Ossification(
        outline_px=outline_px,
        outline_mm=outline_mm,
        pixels_mm=pixels_px * bones.mm,
        area_px=round(area * float(step.prod())),
        area_mm2=area * float((bones.mm * step).prod()),
        length_mm=longest_axis(outline_mm),
        bbox_px=_box(stats, origin, step),
        over_pelvis=sample(bones.pelvis, pixels_px) > 0,
        over_femur=sample(bones.femur, pixels_px) > 0,
    )


def longest_axis(points: NDArray[np.float64]) -> float:
    """Largest distance between two of (N, 2) points."""
    hull = cv2.convexHull(points.astype(np.float32))[:, 0].astype(float)
    if len(hull) > 400:
        hull = hull[:: len(hull) // 400 + 1]
    delta = hull[:, None] - hull[None]
    return float(np.sqrt((delta**2).sum(axis=2).max()))


def _box(
    stats: NDArray[np.int32], origin: NDArray[np.float64], step: NDArray[np.float64]
) -> tuple[int, int, int, int]:
    """(row, column, row, column) on the original image."""
    left, top, width, height = (int(value) for value in stats[:4])
    first = np.floor(origin + step * (np.array([top, left]) - 0.5) + 0.5).astype(int)
    last = np.ceil(origin + step * (np.array([top + height, left + width]) - 0.5) + 0.5).astype(int)
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])
