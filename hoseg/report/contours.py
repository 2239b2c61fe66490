"""Outlines of structures in whole pixels, traced once for every picture that shows them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.grade.bones import Layer, layers
from hoseg.radiograph import Structure

Contour = NDArray[np.int32]
"""(N, 1, 2) (column, row) of the border pixels of a piece or a hole, straight runs shortened."""

Contours = dict[Structure, Sequence[Contour]]


def trace(masks: NDArray[np.uint8], found: dict[Structure, Layer] | None = None) -> Contours:
    """Closed outlines of every structure and of its holes.

    masks: (H, W) uint8, bits of ``Structure``
    found: ``layers(masks)`` when they are at hand already: each structure where it occurs
    """
    contours: Contours = {}
    for structure, layer in (layers(masks) if found is None else found).items():
        lines, _ = cv2.findContours(
            layer.mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=layer.corner[::-1]
        )
        contours[structure] = [np.asarray(line, np.int32) for line in lines]
    return contours
