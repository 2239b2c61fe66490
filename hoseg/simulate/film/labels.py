"""What a reader can see: of ossification by its contrast, of metal and bone by what is left."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.imaging.burnt_out import plain_black
from hoseg.simulate.film.physics import Signal, gaussian

SMOOTHING_MM = 0.5
"""Contrast and noise are compared after a blur of this standard deviation."""

CONTRAST_FLOOR = 0.02
"""Least visible change of the natural logarithm of the signal (2 %), noise or no noise."""

NOISE_FACTOR = 1.5
"""Least contrast as a multiple of the standard deviation of the smoothed noise."""

TEXTURE_FACTOR = 0.4
"""Least contrast as a multiple of the local standard deviation of the anatomy behind it."""

REACH_MM = 16.0
"""Nothing farther from ossification than this has a say: four standard deviations of a blur."""

SMALLEST_MM2 = 2.0
"""Visible specks below this area carry no label."""

SMALLEST_IMPLANT_MM2 = 15.0
"""Pieces of metal below this area (clips, slivers at the edge of the field) are left open."""

OUTLINE_MM = 1.0
"""An outline shows when grey values change within this distance of it ..."""

OUTLINE_STEP = 0.01
"""... by this share of the range of the film."""

LEAST_OUTLINE = 0.65
"""Metal that shows less than this share of its outline is left open."""

BLOWN_OUT_MM = 10.0
"""So is what is as white as that metal, up to this distance from it."""

BURNT_OUT_STEP = 0.002
"""Film within this share of its range of its blackest grey is plain black ..."""

BURNT_OUT_MM = 1.5
"""... where a disc of this radius fits into it ..."""

SMALLEST_BURNT_OUT_MM2 = 100.0
"""... and it is part of a region of at least this area that reaches the edge of the field."""


def visible_ossification(
    ossification: NDArray[np.bool_], signal: Signal, spacing_mm: float
) -> NDArray[np.bool_]:
    """Part of ``ossification`` (H, W) whose contrast stands out of noise and anatomy.

    The contrast is the change of the logarithm of the noiseless signal caused by ossification,
    so what metal, scatter or overexposure hides counts as hidden.
    """
    if not ossification.any():
        return ossification.copy()
    box = _surrounding(ossification, REACH_MM / spacing_mm)
    part = ossification[box]
    sigma = SMOOTHING_MM / spacing_mm
    background = np.log(signal.without_ho[box])
    noiseless = signal.noiseless[box]
    contrast = gaussian(background - np.log(noiseless), sigma)
    averaging = min(1.0, 1 / (2 * np.sqrt(np.pi) * max(sigma, 1e-6)))
    noise = np.float32(averaging) * signal.noise_sd[box] / noiseless
    fine = gaussian(background, sigma)
    rough = fine - gaussian(background, 4.0 / spacing_mm)
    texture = np.sqrt(gaussian(rough * rough, 4.0 / spacing_mm))
    needed = np.maximum(NOISE_FACTOR * noise, TEXTURE_FACTOR * texture)
    seen = np.zeros_like(ossification)
    seen[box] = _tidy(part & (contrast > np.maximum(needed, CONTRAST_FLOOR)), part, spacing_mm)
    return seen


def small_metal(implant: NDArray[np.bool_], spacing_mm: float) -> NDArray[np.bool_]:
    """Pieces of an implant mask (H, W) too small to tell an implant from a surgical clip."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(implant.astype(np.uint8), connectivity=8)
    small = stats[:, cv2.CC_STAT_AREA] * spacing_mm**2 < SMALLEST_IMPLANT_MM2
    small[0] = False
    return np.asarray(small[labels])


def hidden_metal(
    implant: NDArray[np.bool_],
    pixels: NDArray[np.uint16],
    exposed: NDArray[np.bool_],
    bits: int,
    spacing_mm: float,
) -> NDArray[np.bool_]:
    """Pieces of an implant mask whose outline overexposure swallows, and the white round them.

    implant, exposed: (H, W) metal, and the exposed field
    pixels: (H, W) the film in [0, 2**bits - 1], before anything is burned into it
    """
    hidden = np.zeros_like(implant)
    if not implant.any():
        return hidden
    box = _surrounding(implant, (BLOWN_OUT_MM + OUTLINE_MM) / spacing_mm)
    metal, film = implant[box].astype(np.uint8), pixels[box]
    near = _disc(OUTLINE_MM / spacing_mm)
    step = OUTLINE_STEP * (2**bits - 1)
    flat = cv2.dilate(film, near) - cv2.erode(film, near) < step
    inner = cv2.erode(metal, _disc(1), borderType=cv2.BORDER_REPLICATE) > 0
    inside = cv2.erode(exposed[box].astype(np.uint8), near) > 0  # the field's edge is no outline
    outline = (metal > 0) & ~inner & inside
    count, labels = cv2.connectedComponents(metal, connectivity=8)
    whole = np.bincount(labels[outline], minlength=count)
    swallowed = np.bincount(labels[outline & flat], minlength=count)
    out = (whole > 0) & (swallowed > (1 - LEAST_OUTLINE) * whole)
    out[0] = False
    pieces = out[labels]
    if not pieces.any():
        return hidden
    round_them = cv2.dilate(pieces.astype(np.uint8), _disc(BLOWN_OUT_MM / spacing_mm)) > 0
    alike = np.abs(film - np.median(film[pieces])) < step
    hidden[box] = pieces | (round_them & flat & alike & (metal == 0))
    return hidden


def burnt_out(
    pixels: NDArray[np.uint16],
    exposed: NDArray[np.bool_],
    bits: int,
    spacing_mm: float,
    *,
    dark_bone: bool,
) -> NDArray[np.bool_]:
    """Where a film is plain black from the edge of its field inwards: nothing is seen there.

    pixels, exposed: (H, W) the film in [0, 2**bits - 1] before anything is burned into it, and the
        exposed field
    dark_bone: what burns out is white
    """
    top = 2**bits - 1
    density = top - pixels if dark_bone else pixels
    disc_px = len(_disc(BURNT_OUT_MM / spacing_mm))
    least_px = SMALLEST_BURNT_OUT_MM2 / spacing_mm**2
    rim = np.ones((3, 3), np.uint8)
    return plain_black(density, exposed, BURNT_OUT_STEP * top, disc_px, least_px, rim)


def _disc(radius_px: float) -> NDArray[np.uint8]:
    size = 2 * max(1, round(radius_px)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def _surrounding(mask: NDArray[np.bool_], margin_px: float) -> tuple[slice, slice]:
    """Rows and columns of what is set in a mask, with a margin."""
    found = []
    for axis in (1, 0):
        where = np.flatnonzero(mask.any(axis=axis))
        found.append(slice(max(0, int(where[0] - margin_px)), int(where[-1] + margin_px) + 2))
    return found[0], found[1]


def _tidy(
    seen: NDArray[np.bool_], ossification: NDArray[np.bool_], spacing_mm: float
) -> NDArray[np.bool_]:
    """Close pinholes inside the lesion and drop specks."""
    closed = cv2.morphologyEx(seen.astype(np.uint8), cv2.MORPH_CLOSE, _disc(0.6 / spacing_mm))
    inside = np.where(ossification, closed, 0).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] * spacing_mm**2 >= SMALLEST_MM2
    large[0] = False
    return np.asarray(large[labels])
