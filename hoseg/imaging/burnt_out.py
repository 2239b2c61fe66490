"""Where a film shows nothing: overexposed to plain black, or painted so, from its edge inwards.

Bone that lies there is not seen, and a network that knows pelves by heart must not draw it: the
edge of a structure is its outermost *visible* edge. Gas in the bowel, which may be as black, does
not reach the edge of the field; bone before and behind it is a matter of the network.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.imaging.parts import edge_of, parts_from

Outlines = tuple[NDArray[np.int32], ...]
"""(N, 2) corners (column, row) of each outline, in original pixels; a hole is an outline too."""

_STEP = 0.002  # share of the grey range within which film is as black as its blackest
_DISC_PX = 5  # diameter of the disc that fits in, in pixels of the thumbnail
_RIM = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)).astype(np.uint8)
_LEAST_SHARE = 0.001  # of the picture; about 1 cm2 of a pelvis
_SMOOTH_PX = 0.8  # an outline may stray so far from the pixels of the thumbnail


def find_burnt_out(
    picture: NDArray[np.float32],
    field: NDArray[np.bool_],
    original_shape: tuple[int, int],
    *,
    dense_is_high: bool,
) -> Outlines:
    """Find plain black regions within the field that reach its edge or that of the image.

    Parameters
    ----------
    picture: (h, w) thumbnail
    field: (h, w) bool, exposed
    original_shape: (H, W) of the image
    dense_is_high: larger values are denser, so that the smallest are black
    """
    range_ = float(picture.max()) - float(picture.min())
    if not range_ > 0:
        return ()
    density = picture if dense_is_high else -picture
    least_px = _LEAST_SHARE * picture.size
    return _outlines(
        plain_black(density, field, _STEP * range_, _DISC_PX, least_px, _RIM), original_shape
    )


def plain_black(
    density: NDArray[np.generic],
    field: NDArray[np.bool_],
    step: float,
    disc_px: int,
    least_px: float,
    rim: NDArray[np.uint8],
) -> NDArray[np.bool_]:
    """Regions (h, w) of the field as black as its blackest that reach its edge or the picture's.

    density: (h, w) larger is denser
    field: (h, w) exposed
    step: by so much a pixel may be denser than the least dense one
    disc_px: a disc of this diameter fits into every region; odd
    least_px: their least area
    rim: structuring element; what it touches of the outside reaches the field's edge
    """
    if not field.any():
        return np.zeros(field.shape, bool)
    black = field & (density <= density[field].min() + step)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (disc_px, disc_px))
    flat = cv2.morphologyEx(black.astype(np.uint8), cv2.MORPH_OPEN, disc)
    if not flat.any():
        return np.zeros(field.shape, bool)
    beside = cv2.dilate((~field).astype(np.uint8), rim) > 0
    return parts_from(flat > 0, beside | edge_of(flat.shape), least_px)


def _outlines(regions: NDArray[np.bool_], original_shape: tuple[int, int]) -> Outlines:
    """Outlines of regions of the thumbnail, in original pixels."""
    padded = np.pad(regions.astype(np.uint8), 1, mode="edge")  # what reaches an edge goes past it
    found, _ = cv2.findContours(padded, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    scale = np.array([o / n for o, n in zip(original_shape, regions.shape, strict=True)])[::-1]
    smooth = (cv2.approxPolyDP(outline, _SMOOTH_PX, True)[:, 0] for outline in found)
    return tuple(
        np.rint((corners - 0.5) * scale - 0.5).astype(np.int32)
        for corners in smooth
        if len(corners) > 2
    )


def erase(
    planes: NDArray[np.uint8],
    outlines: Outlines,
    origin_px: tuple[float, float] = (0.0, 0.0),
    step_px: tuple[float, float] = (1.0, 1.0),
) -> None:
    """Set everything within outlines to 0, in place.

    planes: (h, w) or (n, h, w) uint8
    origin_px, step_px: (row, column) of the first pixel, and between pixels, in original pixels
    """
    if not outlines:
        return
    origin, step = np.array(origin_px)[::-1], np.array(step_px)[::-1]
    local = [np.rint((outline - origin) / step).astype(np.int32) for outline in outlines]
    for plane in planes if planes.ndim == 3 else (planes,):
        cv2.fillPoly(plane, local, (0,))
