"""Strokes that could be letters."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

WIDEST = 25  # width by height of letters that touch

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layer:
    """One picture in which strokes are looked for; all arrays (H, W) float32.

    grey: brightness
    hat: height of strokes over their surroundings, 0 elsewhere
    edge: range of grey levels in 3 x 3 pixels, less what noise alone makes of it
    least: contrast that is no noise
    """

    grey: Float
    hat: Float
    edge: Float
    least: Float


@dataclass(frozen=True, eq=False)
class Glyphs:
    """Connected strokes, one entry each; all arrays (N,) unless said.

    x, y, width, height: bounding box in pixels
    contrast: height over the surroundings, the core of the strokes counting most
    value: grey level, likewise
    rough: spread of the grey levels in the core, as a share of the contrast
    sharpness: share of the contrast that its edges reach within two pixels
    noises: contrast as a multiple of what is no noise
    stroke: mean width in pixels
    length: of the strokes, in pixels
    labels: (H, W) number of the component of each pixel
    numbers: number of each glyph in ``labels``
    """

    x: Whole
    y: Whole
    width: Whole
    height: Whole
    contrast: Numbers
    value: Numbers
    rough: Numbers
    sharpness: Numbers
    noises: Numbers
    stroke: Numbers
    length: Numbers
    labels: NDArray[np.int32]
    numbers: Whole

    def turned(self) -> Glyphs:
        """The same with rows and columns exchanged."""
        return Glyphs(
            self.y, self.x, self.height, self.width, self.contrast, self.value, self.rough,
            self.sharpness, self.noises, self.stroke, self.length, self.labels.T, self.numbers,
        )  # fmt: skip


def find_glyphs(strong: Mask, layer: Layer, sizes: tuple[int, int]) -> Glyphs:
    """Connected parts of a mask whose size could be that of a letter.

    Parameters
    ----------
    strong : (H, W) bool
        Where there are strokes.
    layer : Layer
        What is measured on them.
    sizes : (int, int)
        Least and largest height of a letter in pixels.
    """
    binary = strong.view(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(binary, connectivity=8)
    sides = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    likely = (sides.max(axis=1) >= sizes[0]) & (sides.max(axis=1) <= WIDEST * sizes[1])
    likely &= (sides.min(axis=1) <= sizes[1]) & (stats[:, cv2.CC_STAT_AREA] >= 4)
    likely[0] = False
    keep = np.flatnonzero(likely)
    renumbered = np.zeros(count, np.int64)
    renumbered[keep] = np.arange(1, len(keep) + 1)
    inside = np.flatnonzero(strong & likely[labels])
    rim = strong & (cv2.erode(binary, np.ones((3, 3), np.uint8), borderValue=0) == 0)
    outline = np.flatnonzero(rim & likely[labels])
    owner, rim_owner = renumbered[labels.ravel()[inside]], renumbered[labels.ravel()[outline]]

    def total(weights: NDArray[np.floating] | None, of: Whole = owner) -> Numbers:
        return np.asarray(np.bincount(of, weights, len(keep) + 1)[1:], np.float64)

    hat, grey = (p.ravel()[inside].astype(np.float64) for p in (layer.hat, layer.grey))
    core = hat**2
    weight = np.maximum(total(core), 1e-9)
    contrast = np.maximum(total(core * hat) / weight, 1e-9)
    value = total(core * grey) / weight
    spread = np.sqrt(np.maximum(total(core * grey**2) / weight - value**2, 0))
    perimeter = np.maximum(total(None, rim_owner), 1)
    x, y, width, height = (stats[keep, k].astype(np.int64) for k in range(4))
    return Glyphs(
        x, y, width, height, contrast, value,
        spread / contrast,
        total(layer.edge.ravel()[outline], rim_owner) / perimeter / contrast,
        contrast / (total(layer.least.ravel()[inside]) / np.maximum(total(None), 1)),
        total(None) / np.maximum(perimeter / 2, 1),
        perimeter / 2,
        np.asarray(labels, np.int32), keep,
    )  # fmt: skip
