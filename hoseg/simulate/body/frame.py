"""Where the patient lies on the film: millimetres of the body and pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class BodyFrame:
    """Where the patient lies on the film.

    origin_px: (x, y) of the midpoint of the femoral heads, in pixels
    left: unit vector (x, y) in the image towards the patient's left
    feet: unit vector (x, y) in the image towards the feet
    half_distance_mm: half the distance between the femoral heads (mm)
    thighs: unit vectors (left, feet) along the right and the left femoral shaft
    spacing_mm: pixel spacing at the hip plane (mm)
    """

    origin_px: tuple[float, float]
    left: tuple[float, float]
    feet: tuple[float, float]
    half_distance_mm: float
    thighs: tuple[tuple[float, float], tuple[float, float]]
    spacing_mm: float

    def coordinates(
        self, shape: tuple[int, int], step: int = 1
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(towards left, towards feet) in mm of every ``step``-th pixel, two (h, w) maps."""
        offset = (step - 1) / 2
        columns = np.arange(0, shape[1], step) + offset - self.origin_px[0]
        rows = np.arange(0, shape[0], step) + offset - self.origin_px[1]
        across, down = (
            np.add.outer(rows * axis[1], columns * axis[0]) * self.spacing_mm
            for axis in (self.left, self.feet)
        )
        return across.astype(np.float32), down.astype(np.float32)

    def to_px(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) points (left, feet) in mm to (N, 2) pixels (x, y)."""
        axes = np.array([self.left, self.feet])
        return np.asarray(self.origin_px) + (np.asarray(points_mm) @ axes) / self.spacing_mm
