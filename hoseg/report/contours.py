"""Outlines of structures in whole pixels, traced once for every picture that shows them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.radiograph import Structure

Contour = NDArray[np.int32]
"""(N, 1, 2) (column, row) of the border pixels of a piece or a hole, straight runs shortened."""

Contours = dict[Structure, Sequence[Contour]]


def trace(masks: NDArray[np.uint8]) -> Contours:
    """Closed outlines of every structure and of its holes.

    masks: (H, W) uint8, bits of ``Structure``; each is searched only where it occurs
    """
    in_rows = np.bitwise_or.reduce(masks, axis=1)
    in_columns = np.bitwise_or.reduce(masks, axis=0)
    found: Contours = {}
    for structure in Structure:
        rows = np.flatnonzero(in_rows & np.uint8(structure))
        columns = np.flatnonzero(in_columns & np.uint8(structure))
        if not len(rows):
            found[structure] = ()
            continue
        (top, bottom), (left, right) = (
            (int(places[0]), int(places[-1]) + 1) for places in (rows, columns)
        )
        mask = masks[top:bottom, left:right] & np.uint8(structure)
        lines, _ = cv2.findContours(
            mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top)
        )
        found[structure] = [np.asarray(line, np.int32) for line in lines]
    return found
