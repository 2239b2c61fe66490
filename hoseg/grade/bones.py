"""From masks to clean bones: checks, specks and holes, outlines, and a small overview."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError
from hoseg.grade.outlines import Outline, fill, trace
from hoseg.radiograph import Structure

MIN_BONE_MM2 = 200.0
"""Pieces of bone below this are specks of a network, unless they are a good part of the bone."""
MIN_BONE_SHARE = 0.2
MIN_HOLE_MM2 = 150.0
"""Holes of the pelvis below this are flaws of a mask; the obturator foramen has 1,000 mm^2."""
MIN_IMPLANT_MM2 = 10.0
OVERVIEW_PX = 400
"""Long side of the overview, on which coarse questions are answered."""
NOMINAL_RADIUS_MM = 24.0
"""Largest disc that fits into an adult proximal femur: the yardstick without calibration."""


@dataclass(frozen=True, eq=False)
class Overview:
    """The bones on a coarse square grid: pixel (i, j) lies at mm ``(i + 0.5, j + 0.5) * step``."""

    pelvis: NDArray[np.uint8]
    femur: NDArray[np.uint8]
    implant: NDArray[np.uint8]
    step_mm: float

    def points_mm(self, mask: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(N, 2) positions of the pixels of a mask on this grid, (row, column) in mm."""
        return np.asarray((np.argwhere(np.asarray(mask)) + 0.5) * self.step_mm, float)


@dataclass(frozen=True, eq=False)
class Bones:
    """What one image shows besides ossification.

    mm: (2,) row and column spacing; nominal when not calibrated
    pelvis, femur, implant: (H, W) uint8 0/1, cleaned
    field: (H, W) uint8 0/1 exposed field, or None for the whole image
    """

    mm: NDArray[np.float64]
    calibrated: bool
    pelvis: NDArray[np.uint8]
    femur: NDArray[np.uint8]
    implant: NDArray[np.uint8]
    pelvis_outlines: tuple[Outline, ...]
    femur_outlines: tuple[Outline, ...]
    implant_outlines: tuple[Outline, ...]
    field: NDArray[np.uint8] | None
    overview: Overview

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the image."""
        return (int(self.pelvis.shape[0]), int(self.pelvis.shape[1]))

    @property
    def mean_mm(self) -> float:
        """Geometric mean spacing (mm)."""
        return float(np.sqrt(self.mm.prod()))

    def in_field(self, points_px: NDArray[np.float64], margin_px: float = 1.5) -> NDArray[np.bool_]:
        """Which (N, 2) points lie inside the image and the exposed field, off their edges."""
        upper = np.array(self.shape) - 1 - margin_px
        inside = np.all((points_px >= margin_px) & (points_px <= upper), axis=1)
        if self.field is not None:
            inside &= sample(self.field, points_px) > 0
        return np.asarray(inside, bool)


def sample(mask: NDArray[np.uint8], points_px: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Values of a mask at the pixels nearest to (N, 2) points; 0 outside the image."""
    index = np.rint(points_px).astype(np.intp)
    inside = np.asarray(np.all((index >= 0) & (index < mask.shape), axis=1))
    index = np.where(inside[:, None], index, 0)
    return np.where(inside, mask[index[:, 0], index[:, 1]], 0).astype(np.uint8)


def check_masks(masks: NDArray[np.uint8], where: str = "") -> None:
    """Refuse what is not a mask image, saying what is wrong with it.

    Raises
    ------
    SettingError
        Wrong type, wrong shape, or bits that no structure has.
    """
    if not isinstance(masks, np.ndarray) or masks.dtype != np.uint8:
        kind = getattr(masks, "dtype", type(masks).__name__)
        raise SettingError("mask type", str(kind), "uint8, one byte a pixel", where=where)
    if masks.ndim != 2 or min(masks.shape) < 16 or max(masks.shape) > 32768:
        allowed = "(rows, columns), one channel, 16 to 32768 pixels each way"
        raise SettingError("mask shape", tuple(masks.shape), allowed, where=where)
    largest = int(masks.max())
    if largest > sum(Structure):
        allowed = "0 to 15: pelvis 1 + femur 2 + implant 4 + ossification 8"
        raise SettingError("mask pixel value", largest, allowed, where=where)


def bit(masks: NDArray[np.uint8], structure: Structure) -> NDArray[np.uint8]:
    """One structure of a mask image: non-zero where it is."""
    return np.asarray(np.bitwise_and(masks, np.uint8(structure)))


def prepare(
    masks: NDArray[np.uint8],
    spacing_mm: tuple[float, float] | None,
    field: NDArray[np.bool_] | None,
) -> Bones:
    """Clean the bones of a mask image.

    Parameters
    ----------
    masks
        (H, W) uint8 in the bits of ``Structure``, checked.
    spacing_mm
        (row, column) spacing, or None: then the femur's own width is the yardstick.
    field
        (H, W) bool exposed field, or None.
    """
    visible = None
    if field is not None and not field.all():
        # Two pixels off the edge, where the border of the field looks like the edge of a bone.
        visible = np.asarray(cv2.erode(field.astype(np.uint8), np.ones((5, 5), np.uint8)), np.uint8)
    mm = np.array(spacing_mm if spacing_mm is not None else _nominal_mm(masks))
    pixel_mm2, mean_mm = float(mm.prod()), float(np.sqrt(mm.prod()))
    pelvis = _large(
        trace(
            bit(masks, Structure.PELVIS),
            mean_mm,
            min_area_px=50 / pixel_mm2,
            min_hole_px=MIN_HOLE_MM2 / pixel_mm2,
        ),
        pixel_mm2,
    )
    femur = _large(
        trace(bit(masks, Structure.FEMUR), mean_mm, min_area_px=50 / pixel_mm2), pixel_mm2
    )
    implant = trace(bit(masks, Structure.IMPLANT), mean_mm, min_area_px=MIN_IMPLANT_MM2 / pixel_mm2)
    shape = (masks.shape[0], masks.shape[1])
    filled = (
        fill(pelvis, shape),
        fill(femur, shape),
        np.right_shift(bit(masks, Structure.IMPLANT), np.uint8(2)),
    )
    return Bones(
        mm=mm,
        calibrated=spacing_mm is not None,
        pelvis=filled[0],
        femur=filled[1],
        implant=filled[2],
        pelvis_outlines=tuple(pelvis),
        femur_outlines=tuple(femur),
        implant_outlines=tuple(implant),
        field=visible,
        overview=_overview(filled, mm),
    )


def _large(outlines: list[Outline], pixel_mm2: float) -> list[Outline]:
    """Drop specks: small, and small beside the largest piece."""
    largest = max((outline.area_px for outline in outlines), default=0.0)
    floor = min(MIN_BONE_MM2 / pixel_mm2, MIN_BONE_SHARE * largest)
    return [outline for outline in outlines if outline.hole or outline.area_px >= floor]


def _overview(
    filled: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]],
    mm: NDArray[np.float64],
) -> Overview:
    rows, columns = np.array(filled[0].shape) * mm
    step = float(max(rows, columns, OVERVIEW_PX * mm.max() / 4)) / OVERVIEW_PX
    size = (max(1, round(columns / step)), max(1, round(rows / step)))
    small = [
        np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        for mask in filled
    ]
    return Overview(small[0], small[1], small[2], step)


def inscribed_radius(mask: NDArray[np.uint8]) -> float:
    """Radius of the largest disc inside a mask, in pixels; the image border does not count."""
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return float(cv2.distanceTransform(padded, cv2.DIST_L2, 5).max())


def _nominal_mm(masks: NDArray[np.uint8]) -> tuple[float, float]:
    """A yardstick without calibration: the femur's largest inscribed disc is 48 mm across."""
    shrink = max(1, int(np.ceil(max(masks.shape) / OVERVIEW_PX)))
    femur = bit(np.ascontiguousarray(masks[::shrink, ::shrink]), Structure.FEMUR)
    radius_px = inscribed_radius(femur) * shrink
    nominal = NOMINAL_RADIUS_MM / radius_px if radius_px > 0 else 1.0
    return nominal, nominal
