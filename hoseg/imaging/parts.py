"""Connected parts of small masks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def parts_from(mask: Mask, seeds: Mask, least_px: float) -> Mask:
    """Keep the parts (h, w) of a mask that hold a seed and are large enough.

    Flooding from the seeds takes a tenth of the time that labelling all parts takes.

    mask, seeds: (h, w) bool; parts are 4-connected
    least_px: least area
    """
    # 1 = not looked at, 2 = kept.
    state = mask.astype(np.uint8)
    waiting = np.flatnonzero(mask & seeds)
    while len(waiting):
        row, column = divmod(int(waiting[0]), mask.shape[1])
        area = cv2.floodFill(state, None, (column, row), (2,))[0]
        if area < least_px:
            cv2.floodFill(state, None, (column, row), (0,))
        waiting = waiting[state.ravel()[waiting] == 1]
    return np.asarray(state == 2)


def labelled(mask: NDArray[np.uint8]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """The 4-connected parts of a mask (h, w) of 0 and 1 by number, 1 first, and their areas.

    Flooding tells soon that there is one part only, as there mostly is.
    """
    whole = np.count_nonzero(mask)
    if whole:
        row, column = divmod(int(np.argmax(mask)), mask.shape[1])
        if cv2.floodFill(mask.copy(), None, (column, row), (2,))[0] == whole:
            return mask, np.array([whole])
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    return np.asarray(labels, np.int32), np.asarray(stats[1:, cv2.CC_STAT_AREA], np.int32)


def edge_of(shape: tuple[int, ...]) -> Mask:
    """(h, w) bool, True in the first and last row and column."""
    edge = np.zeros(shape, bool)
    edge[[0, -1]] = edge[:, [0, -1]] = True
    return edge
