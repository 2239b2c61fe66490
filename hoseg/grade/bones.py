"""From masks to clean bones: checks, specks and holes, outlines, and a small overview."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoseg.errors import SettingError
from hoseg.grade.exposure import Exposed, Visible, find_visible
from hoseg.grade.outlines import Outline, fill, thin, trace
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

_ROWS_AT_ONCE = 128


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
    visible: inside the exposed field, or None for the whole image
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
    visible: Visible | None
    overview: Overview
    _seen: dict[int, NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def mean_mm(self) -> float:
        """Geometric mean spacing (mm)."""
        return float(np.sqrt(self.mm.prod()))

    def in_field(self, points_px: NDArray[np.float64], margin_px: float = 1.5) -> NDArray[np.bool_]:
        """Which (N, 2) points lie inside the image and the exposed field, off their edges."""
        inside = within(points_px, self.shape, margin_px)
        if self.visible is not None:
            inside &= self.visible.at(points_px)
        return np.asarray(inside, bool)

    def seen(self, piece: Outline) -> NDArray[np.bool_]:
        """Which points of one of these outlines lie in the field: asked often, found once."""
        key = id(piece)
        if key not in self._seen:
            self._seen[key] = self.in_field(piece.points_px)
        return self._seen[key]

    def surface(self, pieces: tuple[Outline, ...]) -> NDArray[np.float64]:
        """Edges inside the field, thinned, (N, 2) in mm: the cut at its edge is no surface."""
        parts = [thin(piece.points_px[self.seen(piece)] * self.mm) for piece in pieces]
        return np.concatenate(parts) if parts else np.empty((0, 2))

    @cached_property
    def pelvis_surface(self) -> NDArray[np.float64]:
        """(N, 2) pelvic edges in mm."""
        return self.surface(self.pelvis_outlines)

    @cached_property
    def pelvis_tree(self) -> cKDTree:
        """Pelvic edges, for distances."""
        return tree(self.pelvis_surface)


def within(
    points_px: NDArray[np.float64], shape: tuple[int, ...], margin_px: float = 0.0
) -> NDArray[np.bool_]:
    """Which (N, 2) points lie at pixels of an image of a shape, a margin off its edges."""
    row, column = points_px.T
    bottom, right = shape[0] - 1 - margin_px, shape[1] - 1 - margin_px
    inside = (row >= margin_px) & (row <= bottom)
    return np.asarray(inside & (column >= margin_px) & (column <= right))


def tree(points: NDArray[np.float64]) -> cKDTree:
    """Points for distance queries; halved in space rather than in number, which is soon done."""
    return cKDTree(points, balanced_tree=False, compact_nodes=False)


def sample(layer: Layer, points_px: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Values of a layer at the pixels nearest to (N, 2) points; 0 outside it."""
    nearest = np.rint(points_px).astype(np.int32)
    rows, columns = (nearest[:, axis] - np.int32(layer.corner[axis]) for axis in (0, 1))
    height, width = layer.mask.shape
    # As numbers without a sign, places before the first are beyond the last.
    inside = (rows.view(np.uint32) < height) & (columns.view(np.uint32) < width)
    values = layer.mask.take(rows * np.int32(width) + columns, mode="clip")
    return np.asarray(values * inside, np.uint8)


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
    rows, columns = np.empty(masks.shape[0], np.uint8), np.zeros(masks.shape[1], np.uint8)
    for first in range(0, len(masks), _ROWS_AT_ONCE):  # what the cache holds is read once
        strip = masks[first : first + _ROWS_AT_ONCE]
        np.bitwise_or.reduce(strip, axis=1, out=rows[first : first + _ROWS_AT_ONCE])
        columns |= np.bitwise_or.reduce(strip, axis=0)
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
    exposed: Exposed | None,
    found: dict[Structure, Layer] | None = None,
) -> Bones:
    """Clean the bones of a mask image.

    Parameters
    ----------
    masks
        (H, W) uint8 in the bits of ``Structure``, checked.
    spacing_mm
        (row, column) spacing, or None: then the femur's own width is the yardstick.
    exposed
        The exposed field, or None.
    found
        The structures of the mask image, where they are at hand.
    """
    found = layers(masks) if found is None else found
    shape = (int(masks.shape[0]), int(masks.shape[1]))
    visible = None if exposed is None else find_visible(exposed, shape)
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
        visible=visible,
        overview=_overview(cleaned, shape, mm),
    )


def _exposed(outlines: list[Outline], visible: Visible) -> list[Outline]:
    """Drop pieces that lie outside the exposed field: nothing is seen there."""
    return [
        outline
        for outline in outlines
        if outline.hole
        or 2 * np.count_nonzero(visible.at(outline.points_px)) > len(outline.points_px)
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
    small[np.ix_(*places)] = layer.mask.take(picked[0], axis=0).take(picked[1], axis=1) > 0
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
