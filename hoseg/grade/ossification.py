"""Ossifications of an image: components, their sizes, and what each lies over."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoseg.grade.bones import Bones, sample, tree
from hoseg.grade.outlines import thin, trace_outlines
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

    @cached_property
    def middle_mm(self) -> NDArray[np.float64]:
        """(2,) mean of its pixels (mm)."""
        return np.asarray(self.pixels_mm.mean(axis=0))

    @cached_property
    def shares_over(self) -> tuple[float, float]:
        """Share of it that lies over the pelvis and over the femur."""
        count = max(len(self.pixels_mm), 1)
        return (
            int(np.count_nonzero(self.over_pelvis)) / count,
            int(np.count_nonzero(self.over_femur)) / count,
        )

    @cached_property
    def surface(self) -> NDArray[np.float64]:
        """(N, 2) points of the outline in mm, thinned: what distances are measured from."""
        return thin(self.outline_mm)

    @cached_property
    def surface_tree(self) -> cKDTree:
        """The same, for distances to it."""
        return tree(self.surface)


@dataclass(frozen=True)
class Placement:
    """Where a mask's pixels lie on the original image: ``origin_px + step_px * (i, j)``."""

    origin_px: tuple[float, float] = (0.0, 0.0)
    step_px: tuple[float, float] = (1.0, 1.0)

    def moved(self, row: int, column: int) -> Placement:
        """The same for the part of the mask that begins at a pixel."""
        origin = (
            self.origin_px[0] + self.step_px[0] * row,
            self.origin_px[1] + self.step_px[1] * column,
        )
        return Placement(origin, self.step_px)


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
    column, row, width, height = cv2.boundingRect(mask) if mask.size else (0, 0, 0, 0)
    if width == 0:
        return [], []
    step = np.array(placement.step_px)
    origin = np.array(placement.moved(row, column).origin_px)
    mm = bones.mm * step
    crop = _without_hairs(mask[row : row + height, column : column + width], mm)
    pieces = sorted(_pieces(crop), key=lambda piece: -piece.area)[:MAX_COMPONENTS]
    floor = max(settings.floor_mm2 / float(mm.prod()), 1.0)
    found = [_ossification(piece, bones, origin, step) for piece in pieces if piece.area >= floor]
    specks = [
        Speck(piece.area, piece.box(origin, step), origin + step * piece.centroid)
        for piece in pieces
        if piece.area < floor
    ][:20]
    return found, specks


@dataclass(frozen=True, eq=False)
class _Piece:
    """One connected component.

    mask: (h, w) uint8, 1 inside, with a free rim of one pixel, so that outlines close
    corner: (row, column) at which the mask begins
    """

    mask: NDArray[np.uint8]
    corner: tuple[int, int]
    area: int

    @property
    def centroid(self) -> NDArray[np.float64]:
        """(row, column) of its middle."""
        return np.asarray(np.argwhere(self.mask).mean(axis=0) + self.corner, float)

    def box(
        self, origin: NDArray[np.float64], step: NDArray[np.float64]
    ) -> tuple[int, int, int, int]:
        """(row, column, row, column) on the original image."""
        top_left = np.array(self.corner) + 1
        bottom_right = top_left + self.mask.shape - 2
        first = np.floor(origin + step * (top_left - 0.5) + 0.5).astype(int)
        last = np.ceil(origin + step * (bottom_right - 0.5) + 0.5).astype(int)
        return int(first[0]), int(first[1]), int(last[0]), int(last[1])


def _pieces(crop: NDArray[np.uint8]) -> list[_Piece]:
    """8-connected components of a mask, by rows.

    Following outlines finds them ten times as fast as labelling all pixels: only a box that
    others reach into is labelled.
    """
    chains, tree = cv2.findContours(crop, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if not chains:
        return []
    starts = sorted(
        (int(chain[0, 0, 1]), int(chain[0, 0, 0]), cv2.boundingRect(chain))
        for chain, (_, _, _, parent) in zip(chains, tree[0], strict=True)
        if parent < 0  # not a hole
    )
    boxes = np.array([box for _, _, box in starts])
    first = boxes[:, 1::-1]
    stop = first + boxes[:, :1:-1]
    pieces = []
    for (row, column, _), corner, end in zip(starts, first, stop, strict=True):
        (top, left), (bottom, right) = corner.tolist(), end.tolist()
        own = np.zeros((bottom - top + 2, right - left + 2), np.uint8)
        own[1:-1, 1:-1] = crop[top:bottom, left:right]
        if np.count_nonzero(((first < end) & (stop > corner)).all(axis=1)) > 1:
            labels = np.asarray(cv2.connectedComponents(own, connectivity=8)[1])
            own = (labels == labels[row - top + 1, column - left + 1]).view(np.uint8)
        pieces.append(_Piece(own, (top - 1, left - 1), int(np.count_nonzero(own))))
    return pieces


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
    piece: _Piece, bones: Bones, origin: NDArray[np.float64], step: NDArray[np.float64]
) -> Ossification:
    corner = np.array(piece.corner)
    mean_mm = float(np.sqrt((bones.mm * step).prod()))
    outline = max(trace_outlines(piece.mask, mean_mm), key=lambda edge: edge.area_px)
    outline_px = origin + step * (outline.points_px + corner)
    outline_mm = outline_px * bones.mm
    stride = max(1, int(np.sqrt(piece.area / SAMPLES)))
    pixels = np.argwhere(piece.mask[1::stride, 1::stride]) * stride + 1
    pixels_px = origin + step * (pixels + corner)
    return Ossification(
        outline_px=outline_px,
        outline_mm=outline_mm,
        pixels_mm=pixels_px * bones.mm,
        area_px=round(piece.area * float(step.prod())),
        area_mm2=piece.area * float((bones.mm * step).prod()),
        length_mm=longest_axis(outline_mm),
        bbox_px=piece.box(origin, step),
        over_pelvis=sample(bones.pelvis, pixels_px) > 0,
        over_femur=sample(bones.femur, pixels_px) > 0,
    )


def longest_axis(points: NDArray[np.float64]) -> float:
    """Largest distance between two of (N, 2) points."""
    hull = cv2.convexHull(points.astype(np.float32))[:, 0].astype(float)
    if len(hull) > 400:
        hull = hull[:: len(hull) // 400 + 1]
    square = sum(np.subtract.outer(along, along) ** 2 for along in hull.T)
    return float(np.sqrt(np.max(square)))
