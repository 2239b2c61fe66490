"""Stored values to grey levels, as a viewer would show them (DICOM PS3.3 C.11.2)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.radiograph import Display, Radiograph

MAX_USELESS_FRACTION = 0.98
"""A window that turns more than this share of the film black or white is not one to read by."""

MIN_SHOWN_RANGE = 0.02
"""Of the grey levels, what a film must use at least; one that lies within less is a flat grey."""

_HALF_A_LEVEL = 0.5 / 255
_OPENCV = int(cv2.__version__.partition(".")[0])
_ROWS_AT_ONCE = 16


def display(radiograph: Radiograph, levels: int = 256) -> NDArray[np.uint8]:
    """Grey levels of a radiograph in its own VOI window, dense structures bright.

    radiograph: pixels (H, W)
    levels: number of grey levels, 2 to 256

    Returns (H, W) uint8 in [0, levels). Without a window or LUT, or with one that shows
    almost nothing, the 0.5th to 99.5th percentiles of the valid pixels are spread over the levels.
    """
    pixels: NDArray[Any] = radiograph.pixels
    sample = sample_of(radiograph)
    curve = radiograph.display
    if shows_nothing(sample, curve):
        low, high = np.percentile(sample, (0.5, 99.5))
        curve = Display(
            window=((low + high) / 2, max(float(high - low), 1e-6)),
            function="LINEAR_EXACT",
            inverted=curve.inverted,
        )
    if np.issubdtype(pixels.dtype, np.integer) and pixels.dtype.itemsize <= 2:
        unsigned = np.dtype(f"u{pixels.dtype.itemsize}")
        every = np.arange(np.iinfo(unsigned).max + 1).astype(unsigned).view(pixels.dtype)
        return look_up(pixels.view(unsigned), _levels(every.astype(np.float32), curve, levels))
    return _levels(pixels.astype(np.float32), curve, levels)


def look_up(index: NDArray[Any], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Replace each value of an image by its entry in a table, at the speed of memory.

    index: (H, W) uint8 or uint16
    table: (256,) or (65536,) uint8, one entry for each value that ``index`` can hold
    """
    if index.dtype == np.uint8 or _OPENCV >= 5:  # before, its tables had 256 entries only
        return np.asarray(cv2.LUT(index, table), np.uint8)
    out = np.empty(index.shape, np.uint8)
    for top in range(0, len(index), _ROWS_AT_ONCE):  # numpy widens an index to 64 bits: in cache
        rows = slice(top, top + _ROWS_AT_ONCE)
        np.take(table, index[rows], out=out[rows], mode="clip")  # "raise" copies out
    return out


def sample_of(radiograph: Radiograph) -> NDArray[np.float32]:
    """About 100,000 valid pixels, enough for percentiles."""
    step = max(1, int(np.sqrt(radiograph.pixels.size / 100_000)))
    thin = radiograph.pixels[::step, ::step]
    if radiograph.valid is not None:
        inside = radiograph.valid[::step, ::step]
        thin = thin[inside] if inside.any() else thin
    return thin.astype(np.float32).ravel()


def shows_nothing(sample: NDArray[np.float32], curve: Display) -> bool:
    """Whether a window or LUT makes a film black, white or one grey; True when there is neither.

    sample: some of the film's valid pixels
    """
    if curve.lut is None and curve.window is None:
        return True
    grey = _fraction(sample, curve)
    if np.mean((grey < _HALF_A_LEVEL) | (grey > 1 - _HALF_A_LEVEL)) > MAX_USELESS_FRACTION:
        return True
    few = grey[:: max(1, grey.size // 6000)]  # as many tell, in a twentieth of the time
    low, high = np.percentile(few, (1, 99))
    return bool(high - low < MIN_SHOWN_RANGE)


def _levels(values: NDArray[np.float32], curve: Display, levels: int) -> NDArray[np.uint8]:
    grey = np.clip(_fraction(values, curve), 0, 1)
    if curve.inverted:
        grey = 1 - grey
    return (grey * (levels - 1) + 0.5).astype(np.uint8)


def _fraction(values: NDArray[np.float32], curve: Display) -> NDArray[np.float32]:
    """VOI output as a fraction of the output range; outside [0, 1] where it saturates."""
    if curve.lut is not None:
        index = np.clip(values - curve.lut_first, 0, len(curve.lut) - 1).astype(np.int64)
        return np.asarray(curve.lut[index], dtype=np.float32)
    if curve.window is None:
        raise ValueError("neither a window nor a LUT")  # display() has chosen one
    centre, width = curve.window
    if curve.function == "SIGMOID":
        steps = np.clip(-4 * (values - centre) / width, -80, 80)  # beyond: 0 or 1 in float32
        return 1 / (1 + np.exp(steps))
    if curve.function == "LINEAR_EXACT":
        return (values - centre) / width + np.float32(0.5)
    return (values - (centre - 0.5)) / max(width - 1, 1e-6) + np.float32(0.5)
