"""Outlines of structures in whole pixels, traced once for every picture that shows them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.radiograph import MaskLayers, Structure, split_layers

Contour = NDArray[np.int32]
"""(N, 1, 2) (column, row) of the border pixels of a piece or a hole, straight runs shortened."""

Contours = dict[Structure, Sequence[Contour]]


def trace_contours(masks: NDArray[np.uint8], layers: MaskLayers | None = None) -> Contours:
    """Closed outlines of every structure and of its holes.

    masks: (H, W) uint8, bits of ``Structure``
    layers: ``split_layers(masks)`` when they are at hand already
    """
    contours: Contours = {}
    for structure, layer in (split_layers(masks) if layers is None else layers).items():
        lines, _ = cv2.findContours(
            layer.mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=layer.corner[::-1]
        )
        contours[structure] = [np.asarray(line, np.int32) for line in lines]
    return contours
