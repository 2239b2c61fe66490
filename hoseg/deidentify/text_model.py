"""How probable it is that something was written at each pixel: a small convolutional network.

The weights (``text.onnx``) are fitted by ``scripts/fit_burned_in.py``. What tells ink from anatomy
is local: edges sharper than a detector can draw, insides without noise, strokes of one width. The
network therefore sees contrast as a multiple of the noise of the place, and which pixels are
exactly alike, and it need not know where on the film it is.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CHANNELS = 4
STRIDE = 2  # a probability stands for this many pixels each way
TILE_PX = 768
MARGIN_PX = 128  # around a tile, so that what lies across its edge is seen whole
_MULTIPLE_PX = 16
_NOISE_BLOCK_PX = 32
_SURROUNDINGS_PX = 65
_LEAST_NOISE = 1 / 1024  # of the range of grey levels

Float = NDArray[np.float32]


def text_probability(grey: NDArray[np.generic]) -> Float:
    """Probability, 0 to 1, that something was written at each pixel of a picture (H, W)."""
    values = np.asarray(grey, np.float32)
    low, high = float(values.min()), float(values.max())
    out = np.zeros(values.shape, np.float32)
    if high <= low:
        return out
    inputs = text_features(values, low, high)
    for row in range(0, values.shape[0], TILE_PX):
        for column in range(0, values.shape[1], TILE_PX):
            out[row : row + TILE_PX, column : column + TILE_PX] = _of_tile(inputs, row, column)
    return out


def text_features(values: Float, low: float, high: float) -> Float:
    """What the network sees of a picture, (4, H, W), with the range of grey levels of its film.

    Contrast to the surroundings in noises (compressed), grey level, how many of the four
    neighbours are exactly alike, and the noise itself.
    """
    span = high - low
    noise = np.maximum(_noise(values), _LEAST_NOISE * span)
    size = (_SURROUNDINGS_PX, _SURROUNDINGS_PX)
    contrast = np.arcsinh((values - cv2.blur(values, size)) / (4 * noise)) / 4
    alike = np.zeros(values.shape, np.float32)
    down, right = values[1:] == values[:-1], values[:, 1:] == values[:, :-1]
    alike[1:] += down
    alike[:-1] += down
    alike[:, 1:] += right
    alike[:, :-1] += right
    level = (values - low) / span - 0.5
    return np.stack([contrast, level, alike / 4, np.log(noise / span) / 8 + 0.5]).astype(np.float32)


def _of_tile(inputs: Float, row: int, column: int) -> Float:
    """Probabilities of the tile that begins at a row and a column."""
    height, width = (
        min(TILE_PX, n - at) for n, at in zip(inputs.shape[1:], (row, column), strict=True)
    )
    top, left = max(row - MARGIN_PX, 0), max(column - MARGIN_PX, 0)
    part = inputs[:, top : row + TILE_PX + MARGIN_PX, left : column + TILE_PX + MARGIN_PX]
    down, across = (-n % _MULTIPLE_PX for n in part.shape[1:])
    padded = np.pad(part, ((0, 0), (0, down), (0, across)), "edge")
    logits = np.asarray(_session().run(None, {"film": padded[None]})[0])
    size = (padded.shape[2], padded.shape[1])
    large = cv2.resize(logits[0, 0], size, interpolation=cv2.INTER_LINEAR)
    seen = large[row - top : row - top + height, column - left : column - left + width]
    return np.asarray(1 / (1 + np.exp(-seen)), np.float32)


def _noise(values: Float) -> Float:
    """(H, W) standard deviation of the noise around each pixel."""
    rough = np.abs(values - cv2.medianBlur(values, 3))
    size = _NOISE_BLOCK_PX
    rows, columns = (-(-n // size) for n in values.shape)
    padding = ((0, rows * size - values.shape[0]), (0, columns * size - values.shape[1]))
    tiles = np.pad(rough, padding, "symmetric").reshape(rows, size, columns, size)
    noise = 1.9 * np.median(tiles, axis=(1, 3)).astype(np.float32)
    # Where quiet meets noisy, it is noisy.
    noise = np.asarray(cv2.dilate(noise, np.ones((3, 3), np.uint8)), np.float32)
    large = cv2.resize(noise, values.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32)


@cache
def _session() -> InferenceSession:
    from hoseg.onnx_session import open_session

    name = "text.onnx"
    return open_session((files("hoseg.deidentify") / name).read_bytes(), name, threads=0)
