"""Where the patient lies on the film: millimetres of the body and pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoseg.simulate.body.projector import Camera
from hoseg.simulate.body.skeleton import HipJoint


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


def body_frame(camera: Camera, hips: tuple[HipJoint, HipJoint]) -> BodyFrame:
    """Frame of the body on the pixels of ``camera``, from the landmarks of both hips."""
    heads = np.array([hip.head for hip in hips])
    distal = np.array([hip.head + 150 * hip.shaft for hip in hips])
    heads_px = camera.to_pixels(heads)[:, ::-1]
    distal_px = camera.to_pixels(distal)[:, ::-1]
    spacing_mm = camera.pixel_mm / camera.magnification(float(heads[:, 1].mean()))
    across = heads_px[1] - heads_px[0]
    distance_px = float(np.hypot(*across))
    left = across / max(distance_px, 1e-6)
    feet = np.array([-left[1], left[0]])
    thighs = []
    for axis in distal_px - heads_px:
        along = np.array([axis @ left, axis @ feet])
        unit = along / max(float(np.hypot(*along)), 1e-6)
        thighs.append((float(unit[0]), float(unit[1])))
    origin = heads_px.mean(axis=0)
    return BodyFrame(
        (float(origin[0]), float(origin[1])),
        (float(left[0]), float(left[1])),
        (float(feet[0]), float(feet[1])),
        0.5 * distance_px * spacing_mm,
        (thighs[0], thighs[1]),
        spacing_mm,
    )
