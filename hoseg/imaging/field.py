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

from hoseg.imaging.resample import Window
from hoseg.radiograph import Grid, Note

THUMBNAIL_PX = 400
"""Long side of the small picture on which the field is looked for."""

_FLAT = 0.012  # share of the grey range within which a painted border stays
_SMALLEST_SHARE = 0.05  # a field smaller than this is a mistake
_EVEN = 0.002  # share of the grey range within which a grey border stays
_COMMON_SHARE = 0.15  # share of the image's edge that is painted in one grey
_PART_SHARE = 0.15  # parts of the field below this share of the largest are markers
_FEW_CORNERS = 4  # of a field that is a shape of its own
_FULL_SHARE = 0.96  # a hull that fills this share of its rectangle or circle is that shape
_TILTS = np.tan(np.radians(np.arange(-9, 9.1, 0.5)))
_TILT_STEP = float(np.tan(np.radians(2.0)))
_DENSE = 0.72  # grey level, as a share of the range, that the border above or below has
_SCATTER_SHARE = 0.85  # share of the rows in which the level never rises on the way to the edge
_STEP = 0.03  # fall across a collimator edge, as a share of the range
_STEP_SHARE = 0.75  # share of the line's length with such a fall
_LEAST_OPEN_SHARE = 0.3  # share of the rows that must reach the field
_DEEPEST_CUT = 0.45  # share of the image that one side's border may take

Mask = NDArray[np.bool_]
Picture = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ExposedField:
    """Where the film was exposed.

    thumbnail: (h, w) bool, True inside, covering the whole image evenly
    original_shape: (H, W) of the image
    window: smallest window of original pixels that covers the field
    notes: what was found
    """

    thumbnail: Mask
    original_shape: tuple[int, int]
    window: Window
    notes: tuple[Note, ...] = ()

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
    low = float(picture[inside].min(initial=np.inf))
    high = float(picture[inside].max(initial=-np.inf))
    if not high > low:
        return inside
    margin, even = _FLAT * (high - low), _EVEN * (high - low)
    flats = [picture <= low + margin, picture >= high - margin]
    flats += [np.abs(picture - grey) <= even for grey in _common_greys(picture, even)]
    for flat in flats:
        if (flat & inside).any():
            inside &= ~_touching_edge(flat | ~inside)
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
    field = painted & _collimated(picture if dense_is_high else -picture, painted)
    if field.mean() < _SMALLEST_SHARE:
        field = painted
    notes: tuple[Note, ...] = ()
    if (left_out := 1 - field.mean()) > 0.005:
        text = f"{left_out:.0%} of the picture lies outside the exposed field and is ignored."
        notes = (Note("field_cropped", text),)
    return ExposedField(field, original_shape, _window(field, original_shape), notes)


def _touching_edge(mask: Mask) -> Mask:
    """Keep the parts of a mask that touch the edge of the image and are more than a speck."""
    if not any(edge.any() for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1])):
        return np.zeros(mask.shape, bool)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=4)
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    keep = np.zeros(len(stats), bool)
    keep[edge] = stats[edge, cv2.CC_STAT_AREA] >= 0.002 * mask.size
    keep[0] = False
    return np.asarray(keep[labels])


def _completed(inside: Mask) -> Mask:
    """Return every large part as a convex shape, text and markers in the border left aside."""
    if inside.all():
        return inside
    opened = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if count < 2:
        return inside
    areas = stats[1:, cv2.CC_STAT_AREA]
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


def _collimated(dense: Picture, painted: Mask) -> Mask:
    """Cut dense-looking borders off all four sides by straight lines."""
    low, high = np.quantile(dense[::2, ::2], (0.005, 0.995))
    field = np.ones(dense.shape, bool)
    if not high > low:
        return field
    level = np.clip((dense - low) / (high - low), 0, 1).astype(np.float32)
    level[~painted] = 1.0  # painted borders count as border for the lines beside them
    half = (max(1, round(level.shape[1] / 2)), max(1, round(level.shape[0] / 2)))
    level = cv2.resize(cv2.blur(level, (3, 3)), half, interpolation=cv2.INTER_AREA)
    for turns in range(4):
        line = _find_left_edge(np.ascontiguousarray(np.rot90(level, turns)))
        if line is None:
            continue
        upright: Mask = np.rot90(field, turns)  # a view: writing to it writes to the field
        rows = np.arange(upright.shape[0])[:, None]
        columns = np.arange(upright.shape[1])[None, :]
        middle = (upright.shape[0] - 1) / 2
        upright &= columns > 2 * line[0] + 0.5 + line[1] * (rows - middle)
    return field


def _find_left_edge(level: Picture) -> tuple[float, float] | None:
    """Find the edge of a border on the left side.

    Under the collimator only scatter arrives: from outside the level never rises on the way to the
    edge, and there it falls in most rows at once. Anatomy does neither.

    Returns (column at half height, tilt as columns a row) in pixels of ``level``, or None.
    """
    h, w = level.shape
    # Rows that are dense from side to side are the border above or below.
    rows = level.min(axis=1) < _DENSE
    if w < 16 or np.count_nonzero(rows) < _LEAST_OPEN_SHARE * h:
        return None
    n = int(_DEEPEST_CUT * w)
    near = np.ascontiguousarray(level[:, : n + 3].T)  # numpy is at its best down the rows
    step = near[:-3] - near[3:]
    rise = np.maximum.accumulate(near - np.minimum.accumulate(near, axis=0), axis=0)[1:-2]
    evidence = np.empty((h, n, 3), np.uint8)
    evidence[..., 0] = np.where(step > _STEP, 255, 0).T
    evidence[..., 1] = np.where(rise <= _STEP, 255, 0).T
    evidence[..., 2] = (np.clip(step, 0, 1) * 255).T
    # In the first pass, steps a little off a line count.
    wide = cv2.dilate(evidence, np.ones((1, 5), np.uint8)).astype(np.uint8)
    # A line needs both in so many rows.
    both = ((wide[..., 0] > 0) & (wide[..., 1] > 0)).any(axis=1)
    if np.count_nonzero(both & rows) < (_STEP_SHARE + _SCATTER_SHARE - 1) * np.count_nonzero(rows):
        return None
    coarse = max((*_fall_across(wide, rows, tilt), tilt) for tilt in _TILTS[::6])
    if coarse[0] <= 0:
        return None
    near = _TILTS[np.abs(_TILTS - coarse[2]) < _TILT_STEP]
    fall, column, tilt = max((*_fall_across(evidence, rows, tilt), tilt) for tilt in near)
    return (float(column), float(tilt)) if fall > 0 else None


def _fall_across(evidence: NDArray[np.uint8], rows: Mask, tilt: float) -> tuple[float, int]:
    """Return the mean fall across the best line of this tilt and its column; 0 without a line.

    The evidence is sheared so that the line stands upright.

    evidence: (h, n, 3), 255 where the level falls by a step, 255 where it has not risen on the way
        from the left, and the size of the step
    rows: (h,) bool, the rows that count
    """
    h, n, _ = evidence.shape
    shear = np.array([[1, -tilt, tilt * (h - 1) / 2], [0, 1, 0]])
    upright = cv2.warpAffine(
        evidence, shear, (n, h), flags=cv2.INTER_NEAREST, borderValue=(0, 255, 0)
    )
    share = upright[rows].mean(axis=0) / 255
    fits = (share[:, 0] >= _STEP_SHARE) & (share[:, 1] >= _SCATTER_SHARE)
    fall = np.where(fits, share[:, 2], 0)
    best = int(np.argmax(fall))
    return float(fall[best]), best + 2


def _window(field: Mask, original_shape: tuple[int, int]) -> Window:
    """Return the smallest window of whole original pixels that covers the field."""
    edges = []
    for axis, n in ((1, original_shape[0]), (0, original_shape[1])):
        hit = np.flatnonzero(field.any(axis=axis))
        scale = n / field.shape[1 - axis]
        edges.append((floor(hit[0] * scale), min(n, ceil((hit[-1] + 1) * scale))))
    (top, bottom), (left, right) = edges
    return Window(top, left, bottom, right)
