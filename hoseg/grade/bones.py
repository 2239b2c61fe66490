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
class Layer:
    """One structure on the part of the image where it is.

    mask: (h, w) uint8, non-zero inside
    corner: (row, column) of the image at which the mask begins
    """

    mask: NDArray[np.uint8]
    corner: tuple[int, int] = (0, 0)


@dataclass(frozen=True, eq=False)
class Bones:
    """What one image shows besides ossification.

    mm: (2,) row and column spacing; nominal when not calibrated
    shape: (rows, columns) of the image
    pelvis, femur, implant: cleaned
    field: exposed field, or None for the whole image
    """

    mm: NDArray[np.float64]
    calibrated: bool
    shape: tuple[int, int]
    pelvis: Layer
    femur: Layer
    implant: Layer
    pelvis_outlines: tuple[Outline, ...]
    femur_outlines: tuple[Outline, ...]
    implant_outlines: tuple[Outline, ...]
    field: Layer | None
    overview: Overview

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


def sample(layer: Layer, points_px: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Values of a layer at the pixels nearest to (N, 2) points; 0 outside it."""
    index = np.rint(points_px).astype(np.intp) - layer.corner
    rows, columns = index[:, 0], index[:, 1]
    height, width = layer.mask.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    if inside.all():
        return np.asarray(layer.mask[rows, columns], np.uint8)
    values = np.zeros(len(index), np.uint8)
    values[inside] = layer.mask[rows[inside], columns[inside]]
    return values


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


def layers(masks: NDArray[np.uint8]) -> dict[Structure, Layer]:
    """Each structure of a mask image, on the box that holds it; an empty one on one pixel."""
    rows, columns = np.bitwise_or.reduce(masks, axis=1), np.bitwise_or.reduce(masks, axis=0)
    found = {}
    for structure in Structure:
        bit = np.uint8(structure)
        row, column = np.flatnonzero(rows & bit), np.flatnonzero(columns & bit)
        if not len(row):
            found[structure] = Layer(np.zeros((1, 1), np.uint8))
            continue
        corner = (int(row[0]), int(column[0]))
        window = masks[corner[0] : int(row[-1]) + 1, corner[1] : int(column[-1]) + 1]
        found[structure] = Layer(np.asarray(np.bitwise_and(window, bit)), corner)
    return found


def prepare(
    masks: NDArray[np.uint8],
    spacing_mm: tuple[float, float] | None,
    field: NDArray[np.bool_] | None,
    found: dict[Structure, Layer] | None = None,
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
    found
        The structures of the mask image, where they are at hand.
    """
    found = layers(masks) if found is None else found
    visible = None
    if field is not None and not field.all():
        visible = _visible(field)
    mm = np.array(spacing_mm if spacing_mm is not None else _nominal_mm(masks))
    pixel_mm2, mean_mm = float(mm.prod()), float(np.sqrt(mm.prod()))
    pelvic, femoral, metal = (
        found[Structure.PELVIS],
        found[Structure.FEMUR],
        found[Structure.IMPLANT],
    )
    pelvis = _large(
        trace(
            pelvic.mask,
            mean_mm,
            corner=pelvic.corner,
            min_area_px=50 / pixel_mm2,
            min_hole_px=MIN_HOLE_MM2 / pixel_mm2,
        ),
        pixel_mm2,
    )
    femur = _large(
        trace(femoral.mask, mean_mm, corner=femoral.corner, min_area_px=50 / pixel_mm2), pixel_mm2
    )
    if visible is not None:
        pelvis, femur = _exposed(pelvis, visible), _exposed(femur, visible)
    floor_px = MIN_IMPLANT_MM2 / pixel_mm2
    implant = trace(metal.mask, mean_mm, corner=metal.corner, min_area_px=floor_px)
    cleaned = (
        Layer(fill(pelvis, pelvic.mask.shape, pelvic.corner), pelvic.corner),
        Layer(fill(femur, femoral.mask.shape, femoral.corner), femoral.corner),
        metal,
    )
    shape = (int(masks.shape[0]), int(masks.shape[1]))
    return Bones(
        mm=mm,
        calibrated=spacing_mm is not None,
        shape=shape,
        pelvis=cleaned[0],
        femur=cleaned[1],
        implant=cleaned[2],
        pelvis_outlines=tuple(pelvis),
        femur_outlines=tuple(femur),
        implant_outlines=tuple(implant),
        field=visible,
        overview=_overview(cleaned, shape, mm),
    )


def _visible(field: NDArray[np.bool_]) -> Layer:
    """The exposed field without its holes, two pixels off its edge.

    A field has no holes: they are metal or gas taken for a border. At its edge the border of the
    field looks like the edge of a bone.
    """
    chains, _ = cv2.findContours(field.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    whole = cv2.fillPoly(np.zeros(field.shape, np.uint8), chains, 1)
    return Layer(np.asarray(cv2.erode(whole, np.ones((5, 5), np.uint8)), np.uint8))


def _exposed(outlines: list[Outline], visible: Layer) -> list[Outline]:
    """Drop pieces that lie outside the exposed field: nothing is seen there."""
    return [
        outline
        for outline in outlines
        if outline.hole
        or 2 * np.count_nonzero(sample(visible, outline.points_px)) > len(outline.points_px)
    ]


def _large(outlines: list[Outline], pixel_mm2: float) -> list[Outline]:
    """Drop specks: small, and small beside the largest piece."""
    largest = max((outline.area_px for outline in outlines), default=0.0)
    floor = min(MIN_BONE_MM2 / pixel_mm2, MIN_BONE_SHARE * largest)
    return [outline for outline in outlines if outline.hole or outline.area_px >= floor]


def _overview(
    cleaned: tuple[Layer, Layer, Layer], shape: tuple[int, int], mm: NDArray[np.float64]
) -> Overview:
    rows, columns = np.array(shape) * mm
    step = float(max(rows, columns, OVERVIEW_PX * mm.max() / 4)) / OVERVIEW_PX
    size = (max(1, round(rows / step)), max(1, round(columns / step)))
    small = [_shrink(layer, shape, size) for layer in cleaned]
    return Overview(small[0], small[1], small[2], step)


def _shrink(layer: Layer, shape: tuple[int, int], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Every so-many-th pixel of the whole image, 0/1."""
    picked, places = [], []
    for axis in (0, 1):
        index = np.arange(size[axis]) * shape[axis] // size[axis] - layer.corner[axis]
        inside = (index >= 0) & (index < layer.mask.shape[axis])
        picked.append(index[inside])
        places.append(np.flatnonzero(inside))
    small = np.zeros(size, np.uint8)
    small[np.ix_(*places)] = layer.mask[np.ix_(*picked)] > 0
    return small


def inscribed_radius(mask: NDArray[np.uint8]) -> float:
    """Radius of the largest disc inside a mask, in pixels; the image border does not count."""
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return float(cv2.distanceTransform(padded, cv2.DIST_L2, 5).max())


def _nominal_mm(masks: NDArray[np.uint8]) -> tuple[float, float]:
    """A yardstick without calibration: the femur's largest inscribed disc is 48 mm across."""
    shrink = max(1, int(np.ceil(max(masks.shape) / OVERVIEW_PX)))
    femur = np.bitwise_and(masks[::shrink, ::shrink], np.uint8(Structure.FEMUR))
    radius_px = inscribed_radius(femur) * shrink
    nominal = NOMINAL_RADIUS_MM / radius_px if radius_px > 0 else 1.0
    return nominal, nominal
