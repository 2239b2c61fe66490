"""What a geometry leaves for the film: path lengths, masks and the frame of the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoseg.simulate.soft_tissue import BodyFrame


@dataclass(frozen=True, eq=False)
class Layers:
    """One projected geometry, ready to be rendered any number of times.

    lengths_mm: (len(Material), H, W) float16 or float32 path lengths; soft, fat, air are empty
    masks: (H, W) uint8, bits of ``Structure`` from the ray lengths
    sacrum: (H, W) bool, sacrum and spine
    frame: where the body lies, and the pixel spacing at the plane of the hip
    """

    lengths_mm: NDArray[np.floating]
    masks: NDArray[np.uint8]
    sacrum: NDArray[np.bool_]
    frame: BodyFrame

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return (int(self.masks.shape[0]), int(self.masks.shape[1]))
