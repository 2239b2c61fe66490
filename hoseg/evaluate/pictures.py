"""A small picture of one judged film: the truth on the left, the prediction on the right."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.imaging.display import display
from hoseg.radiograph import Radiograph, Structure
from hoseg.report.overlay import COLOURS

HEIGHT_PX = 480
_WIDEST = 1.25  # width of one half over its height
_FILL = 0.35


def side_by_side(
    radiograph: Radiograph,
    truth: NDArray[np.uint8] | None,
    predicted: NDArray[np.uint8],
    height_px: int = HEIGHT_PX,
) -> bytes:
    """JPEG of the film twice, with the outlines of the truth and of the prediction.

    Parameters
    ----------
    radiograph : pixels (H, W)
    truth : (H, W) uint8 bits, or None when there are only grades (then the plain film)
    predicted : (H, W) uint8 bits
    height_px : of the picture, less for wide films
    """
    rows, columns = radiograph.shape
    scale = min(1.0, height_px / rows, _WIDEST * height_px / columns)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    small = display(_shrunk(radiograph, size))
    halves = [_outlined(small, masks) for masks in (truth, predicted)]
    gutter = np.full((size[1], 6, 3), 255, np.uint8)
    picture = np.hstack([halves[0], gutter, halves[1]])
    flags = [cv2.IMWRITE_JPEG_QUALITY, 82]
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), flags)
    return bytes(coded)


def _shrunk(radiograph: Radiograph, size: tuple[int, int]) -> Radiograph:
    """The film at ``size`` (width, height), before its window is applied: fast, and as good."""
    pixels = radiograph.pixels.astype(np.float32)
    pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.float32)
    valid = radiograph.valid
    if valid is not None:
        plane = cv2.resize(valid.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        valid = np.asarray(plane > 0)
    return replace(radiograph, pixels=pixels, valid=valid)


def _outlined(grey: NDArray[np.uint8], masks: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """RGB film with outlines; ossification is filled lightly as well."""
    picture = np.repeat(grey[:, :, None], 3, axis=2)
    if masks is None:
        return picture
    size = (grey.shape[1], grey.shape[0])
    for structure, colour in COLOURS.items():
        plane = ((masks & structure) > 0).astype(np.uint8) * 255
        here = cv2.resize(plane, size, interpolation=cv2.INTER_AREA) >= 100
        if not here.any():
            continue
        if structure is Structure.OSSIFICATION:
            tint = np.asarray(colour, np.float32)
            picture[here] = ((1 - _FILL) * picture[here] + _FILL * tint).astype(np.uint8)
        contours, _ = cv2.findContours(here.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, colour, 2, cv2.LINE_AA)
    return picture
