"""The exposed field: what the beam reached, without collimator borders, shutters and padding.

Found on a thumbnail, in two steps. Borders that a vendor painted (one grey level, round or rotated)
are the flat regions that touch the edge of the image, at an extreme of the grey scale or in a grey
that much of the edge shares; each part they leave is closed to a rectangle or a circle, since
fields are and patients are not. Borders that the collimator left (with nothing but scatter in them)
are cut off by straight, possibly tilted lines along which the picture steps outwards to dense.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.imaging.blades import inside_blades
from hoseg.imaging.burnt_out import Outlines, find_burnt_out
from hoseg.imaging.parts import edge_of, labelled, parts_from
from hoseg.imaging.resample import GridWindow
from hoseg.radiograph import Grid, Note

THUMBNAIL_PX = 400
"""Long side of the small picture on which the field is looked for."""

_FLAT = 0.012  # share of the grey range within which a painted border stays
_SMALLEST_SHARE = 0.05  # a field smaller than this is a mistake
_EVEN = 0.002  # share of the grey range within which a grey border stays
_COMMON_SHARE = 0.15  # share of the image's edge that is painted in one grey
_BORDER_SHARE = 0.002  # painted borders below this share of the picture are specks
_PART_SHARE = 0.15  # parts of the field below this share of the largest are markers
_FEW_CORNERS = 4  # of a field that is a shape of its own
_FULL_SHARE = 0.96  # a hull that fills this share of its rectangle or circle is that shape

Mask = NDArray[np.bool_]
Picture = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ExposedField:
    """Where the film was exposed.

    thumbnail: (h, w) bool, True inside, covering the whole image evenly
    original_shape: (H, W) of the image
    window: smallest window of original pixels that covers the field
    notes: what was found
    burnt_out: outlines of what is plain black in it, in original pixels
    """

    thumbnail: Mask
    original_shape: tuple[int, int]
    window: GridWindow
    notes: tuple[Note, ...] = ()
    burnt_out: Outlines = ()

    @property
    def share(self) -> float:
        """Exposed part of the image, 0 to 1."""
        return float(self.thumbnail.mean())

    def on_grid(self, grid: Grid) -> Mask:
        """Return the field (h, w) bool on a resampled grid of the same image."""
        if self.thumbnail.all():
            return np.ones(grid.shape, bool)
        h, w = grid.shape
        rows, columns = (
            n / m for n, m in zip(self.thumbnail.shape, self.original_shape, strict=True)
        )
        # Grid pixel (i, j) -> thumbnail pixel, both counted at pixel centres.
        matrix = np.array(
            [
                [columns * grid.step_px[1], 0, (grid.origin_px[1] + 0.5) * columns - 0.5],
                [0, rows * grid.step_px[0], (grid.origin_px[0] + 0.5) * rows - 0.5],
            ]
        )
        soft = cv2.warpAffine(
            self.thumbnail.astype(np.uint8) * 255,
            matrix,
            (w, h),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(soft > 127)


def make_thumbnail(pixels: NDArray[np.generic]) -> Picture:
    """Shrink an image (H, W) evenly to at most ``THUMBNAIL_PX``, as float32."""
    skip = max(1, max(pixels.shape) // (3 * THUMBNAIL_PX))
    few = np.ascontiguousarray(pixels[::skip, ::skip])
    if few.dtype not in (np.uint8, np.uint16, np.int16, np.float32):
        few = few.astype(np.float32)
    shape = _thumbnail_shape(pixels.shape)
    small = cv2.resize(few, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.nan_to_num(small, copy=False, posinf=0.0, neginf=0.0)


def shrink_mask(mask: Mask) -> Mask:
    """Shrink a mask (H, W) to the thumbnail; a pixel stays True when all of it is."""
    shape = _thumbnail_shape(mask.shape)
    small = cv2.resize(mask.view(np.uint8) * 255, shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small > 250)


def _thumbnail_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    scale = min(1.0, THUMBNAIL_PX / max(shape))
    return (max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale)))


def find_painted(picture: Picture, valid: Mask | None = None) -> Mask:
    """Return the field left by painted borders, padding and shutters.

    Saturated air looks like a painted border, and nothing tells them apart where they meet. So
    each part of the field is completed to the rectangle or the circle around it: what is painted
    holds nothing to be mistaken for bone, but bone that is cut off is lost.

    Parameters
    ----------
    picture: (h, w) float32 thumbnail
    valid: (h, w) bool or None

    Returns
    -------
    (h, w) bool, one or a few convex parts; everywhere when no border is found
    """
    inside = np.ones(picture.shape, bool) if valid is None else valid.copy()
    seen = picture if valid is None else picture[inside]
    low, high = float(seen.min(initial=np.inf)), float(seen.max(initial=-np.inf))
    if not high > low:
        return inside
    margin, even = _FLAT * (high - low), _EVEN * (high - low)
    flats = [picture <= low + margin, picture >= high - margin]
    flats += [np.abs(picture - grey) <= even for grey in _common_greys(picture, even)]
    edge, least_px = edge_of(picture.shape), _BORDER_SHARE * picture.size
    for flat in flats:
        if (flat & inside).any():
            inside &= ~parts_from(flat | ~inside, edge, least_px)
    field = _completed(inside)
    if valid is not None:
        field &= valid
    return field if field.mean() >= _SMALLEST_SHARE else np.ones(picture.shape, bool)


def _common_greys(picture: Picture, even: float) -> list[float]:
    """Return grey levels that much of the image's edge shares: borders painted in grey."""
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    levels, counts = np.unique(np.round(edge / even), return_counts=True)
    return [float(n * even) for n in levels[counts >= _COMMON_SHARE * edge.size]]


def find_field(
    picture: Picture, painted: Mask, original_shape: tuple[int, int], *, dense_is_high: bool
) -> ExposedField:
    """Find the exposed field.

    Parameters
    ----------
    picture: (h, w) float32 thumbnail of the image
    painted: (h, w) bool from ``find_painted``
    original_shape: (H, W) of the image
    dense_is_high: larger values are denser; unexposed borders look dense
    """
    field = painted & inside_blades(picture if dense_is_high else -picture, painted)
    if field.mean() < _SMALLEST_SHARE:
        field = painted
    notes: tuple[Note, ...] = ()
    if (left_out := 1 - field.mean()) > 0.005:
        text = f"{left_out:.0%} of the picture lies outside the exposed field and is ignored."
        notes = (Note("field_cropped", text),)
    burnt_out = find_burnt_out(picture, field, original_shape, dense_is_high=dense_is_high)
    return ExposedField(field, original_shape, _window(field, original_shape), notes, burnt_out)


def _completed(inside: Mask) -> Mask:
    """Return every large part as a convex shape, text and markers in the border left aside."""
    if inside.all():
        return inside
    opened = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    labels, areas = labelled(np.asarray(opened, np.uint8))
    if not len(areas):
        return inside
    field = np.zeros(inside.shape, bool)
    for label in 1 + np.flatnonzero(areas >= _PART_SHARE * areas.max()):
        contours, _ = cv2.findContours(
            (labels == label).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        hull = np.asarray(cv2.convexHull(np.concatenate(contours)), np.int32)
        field |= _filled_around(hull, inside.shape)
    return field


def _filled_around(hull: NDArray[np.int32], shape: tuple[int, ...]) -> Mask:
    """Return the rectangle or the circle around a hull, whichever is smaller on the image.

    A hull that all but fills it, or has few corners itself, is the field as it stands.
    """
    own, box, disc = (np.zeros(shape, np.uint8) for _ in range(3))
    cv2.fillConvexPoly(own, hull, (1,))
    corners = np.round(cv2.boxPoints(cv2.minAreaRect(hull))).astype(np.int32)
    cv2.fillConvexPoly(box, corners, (1,))
    (x, y), radius = cv2.minEnclosingCircle(hull)
    cv2.circle(disc, (round(x), round(y)), round(radius), (1,), cv2.FILLED)
    smaller = min(box, disc, key=np.count_nonzero)
    few = len(cv2.approxPolyDP(hull, 0.01 * cv2.arcLength(hull, True), True)) <= _FEW_CORNERS
    if few or np.count_nonzero(own) >= _FULL_SHARE * np.count_nonzero(smaller):
        return own.astype(bool)
    return (own | smaller).astype(bool)


def _window(field: Mask, original_shape: tuple[int, int]) -> GridWindow:
    """Return the smallest window of whole original pixels that covers the field."""
    edges = []
    for axis, n in ((1, original_shape[0]), (0, original_shape[1])):
        hit = np.flatnonzero(field.any(axis=axis))
        scale = n / field.shape[1 - axis]
        edges.append((floor(hit[0] * scale), min(n, ceil((hit[-1] + 1) * scale))))
    (top, bottom), (left, right) = edges
    return GridWindow(top, left, bottom, right)
