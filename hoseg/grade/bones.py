"""From masks to clean bones: checks, specks and holes, outlines, and a small overview."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoseg.errors import SettingError
from hoseg.grade.exposure import Visible
from hoseg.grade.outlines import Outline, fill, thin, trace_outlines
from hoseg.radiograph import Layer, MaskLayers, Structure

MIN_BONE_MM2 = 200.0
"""Pieces of bone below this are specks of a network, unless they are a good part of the bone."""
MIN_BONE_SHARE = 0.2
MIN_OUTLINE_MM2 = 50.0
"""Smaller pieces are not traced at all: whatever the rest of the bone, they are specks."""
MIN_HOLE_MM2 = 150.0
"""Holes of the pelvis below this are flaws of a mask; the obturator foramen has 1,000 mm^2."""
MIN_IMPLANT_MM2 = 10.0
OVERVIEW_PX = 400
"""Long side of the overview, on which coarse questions are answered."""
ADULT_HEAD_MM = 24.0
"""Radius of an adult's femoral head, and of the largest disc that fits into the proximal femur: the
yardstick without calibration, and where an implant replaced the head."""


@dataclass(frozen=True, eq=False)
class Overview:
    """The bones on a coarse square grid: pixel (i, j) lies at mm ``(i + 0.5, j + 0.5) * step``."""

    pelvis: NDArray[np.uint8]
    femur: NDArray[np.uint8]
    implant: NDArray[np.uint8]
    step_mm: float


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


def prepare_bones(
    layers: MaskLayers,
    shape: tuple[int, int],
    spacing_mm: tuple[float, float] | None,
    visible: Visible | None,
    aspect: float = 1.0,
) -> Bones:
    """Clean the bones of a mask image.

    Parameters
    ----------
    layers
        Its structures, from ``split_layers``.
    shape
        (rows, columns) of the image.
    spacing_mm
        (row, column) spacing, or None: then the femur's own width is the yardstick.
    visible
        The exposed field, or None for the whole image.
    aspect
        Row spacing over column spacing, where ``spacing_mm`` is None.
    """
    femoral = layers[Structure.FEMUR]
    mm = np.array(_nominal_mm(femoral, shape, aspect) if spacing_mm is None else spacing_mm)
    pixel_mm2 = float(mm.prod())
    pelvis = _outlines(layers[Structure.PELVIS], mm, MIN_OUTLINE_MM2, MIN_HOLE_MM2)
    femur = _outlines(femoral, mm, MIN_OUTLINE_MM2)
    pelvis, femur = _large(pelvis, pixel_mm2), _large(femur, pixel_mm2)
    if visible is not None:
        pelvis, femur = _exposed(pelvis, visible), _exposed(femur, visible)
    cleaned = (
        _filled(pelvis, layers[Structure.PELVIS]),
        _filled(femur, femoral),
        layers[Structure.IMPLANT],
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
        implant_outlines=tuple(_outlines(layers[Structure.IMPLANT], mm, MIN_IMPLANT_MM2)),
        visible=visible,
        overview=_overview(cleaned, shape, mm),
    )


def _outlines(
    layer: Layer, mm: NDArray[np.float64], least_mm2: float, least_hole_mm2: float = np.inf
) -> list[Outline]:
    pixel_mm2 = float(mm.prod())
    return trace_outlines(
        layer.mask,
        float(np.sqrt(pixel_mm2)),
        corner=layer.corner,
        min_area_px=least_mm2 / pixel_mm2,
        min_hole_px=least_hole_mm2 / pixel_mm2,
    )


def _filled(outlines: list[Outline], layer: Layer) -> Layer:
    return Layer(fill(outlines, layer.mask.shape, layer.corner), layer.corner)


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


def _nominal_mm(femur: Layer, shape: tuple[int, int], aspect: float) -> tuple[float, float]:
    """A yardstick without calibration: the femur's largest inscribed disc is an adult head's."""
    shrink = max(1, int(np.ceil(max(shape) / OVERVIEW_PX)))
    row, column = (-first % shrink for first in femur.corner)  # every so-many-th of the image
    few = np.ascontiguousarray(femur.mask[row::shrink, column::shrink])
    if few.size and aspect != 1:  # as it would be with square pixels
        size = (few.shape[1], max(1, round(few.shape[0] * aspect)))
        few = np.asarray(cv2.resize(few, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    radius_px = inscribed_radius(few) * shrink if few.size else 0.0
    nominal = ADULT_HEAD_MM / radius_px if radius_px > 0 else 1.0
    return nominal * aspect, nominal
