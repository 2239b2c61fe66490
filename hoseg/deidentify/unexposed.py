"""Pixels that the beam never reached: nothing there is the patient's, except what was written."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.imaging.prepare import locate
from hoseg.radiograph import Display, Grid, Radiograph

_SMALLEST_SHARE = 0.02  # of a film; what is written in so narrow a strip is found as text
_LARGEST_SHARE = 0.7  # a larger border is a mistake


def unexposed(pixels: NDArray[np.generic], *, inverted: bool) -> NDArray[np.bool_]:
    """Where the film lies outside its exposed field, (H, W).

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3)
        Stored values.
    inverted : bool
        Small values are shown bright (MONOCHROME1, or Presentation LUT Shape INVERSE).
    """
    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    rows, columns = grey.shape
    field, _, _ = locate(Radiograph(grey, "pixels", display=Display(inverted=inverted)))
    outside = ~field.on_grid(Grid((rows, columns), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0)))
    if not _SMALLEST_SHARE <= outside.mean() <= _LARGEST_SHARE:
        return np.zeros(grey.shape, bool)
    return outside


def fill_flat(pixels: NDArray[np.generic], where: NDArray[np.bool_]) -> NDArray[np.generic]:
    """Copy of the pixels in which every connected part of a mask has one grey level, its median.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3)
        Stored values.
    where : (H, W) bool
        What to fill.
    """
    out = pixels.copy()
    count, labels = cv2.connectedComponents(where.astype(np.uint8), connectivity=4)
    for part in range(1, count):
        inside = labels == part
        out[inside] = np.median(pixels[inside].astype(np.float64), axis=0).astype(pixels.dtype)
    return out
