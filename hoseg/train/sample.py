"""One training sample on its way from a source to the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SACRUM_BIT = 16
"""Bit of the sacrum and spine in training targets; never written to files."""

ALL_BITS = 31


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """An image with its labels at the working spacing, before augmentation.

    pixels: (H, W) real numbers, bright = dense
    targets: (H, W) uint8, bits of ``Structure`` and ``SACRUM_BIT``
    ignore: (H, W) uint8, the same bits where nothing is known and the loss is not taken
    field: (H, W) bool, exposed field
    focus: (row, column) that the crop should contain, or None for anywhere
    """

    pixels: NDArray[np.generic]
    targets: NDArray[np.uint8]
    ignore: NDArray[np.uint8]
    field: NDArray[np.bool_]
    focus: tuple[float, float] | None = None
