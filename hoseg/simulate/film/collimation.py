"""The exposed field: collimator blades before the detector, shutters painted afterwards."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError
from hoseg.simulate.film.physics import gaussian

SHAPES = ("open", "rectangle", "rotated", "circle", "irregular", "multiple")
_RADIOGRAPHY = (0.42, 0.3, 0.14, 0.04, 0.06, 0.04)
_FLUOROSCOPY = (0.05, 0.0, 0.05, 0.85, 0.05, 0.0)


@dataclass(frozen=True, eq=False)
class Collimation:
    """An exposed field and what is shown outside it.

    shape: one of ``SHAPES``
    polygons: (N, 2) corners (column, row) of each part, in fractions of width and height
    circle: (column, row, radius) in fractions of the width, for "circle"
    leak: signal under the blades relative to the field; physical blades let a little through
    penumbra_mm: blur of the edge at the hip plane (mm)
    shutter: grey of a shutter painted afterwards in [0, 1], or None when blades alone are seen
    """

    shape: str = "open"
    polygons: tuple[NDArray[np.float64], ...] = ()
    circle: tuple[float, float, float] = (0.5, 0.5, 0.5)
    leak: float = 0.02
    penumbra_mm: float = 0.8
    shutter: float | None = None

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise SettingError("collimation", self.shape, "one of " + ", ".join(SHAPES))


def sample_collimation(
    rng: np.random.Generator, shape: str | None = None, fluoroscopy: bool = False
) -> Collimation:
    """Draw a field. ``shape`` fixes its kind."""
    if shape is None:
        odds = _FLUOROSCOPY if fluoroscopy else _RADIOGRAPHY
        shape = str(rng.choice(SHAPES, p=odds))
    shutter = None
    if rng.random() < 0.65:
        shutter = float(rng.choice([0.0, 1.0, rng.uniform(0.05, 0.95)], p=[0.72, 0.18, 0.1]))
    return Collimation(
        shape,
        _polygons(shape, rng),
        (rng.uniform(0.44, 0.56), rng.uniform(0.44, 0.56), rng.uniform(0.4, 0.58)),
        leak=float(np.exp(rng.uniform(np.log(0.001), np.log(0.03)))),
        penumbra_mm=float(rng.uniform(0.2, 2.0)),
        shutter=shutter,
    )


def _polygons(shape: str, rng: np.random.Generator) -> tuple[NDArray[np.float64], ...]:
    if shape in ("open", "circle"):
        return ()
    if shape == "multiple":
        cut = rng.uniform(0.35, 0.65)
        gap = rng.uniform(0.005, 0.03)
        tall = rng.random() < 0.5
        parts = [(0.0, 0.0, cut - gap, 1.0), (cut + gap, 0.0, 1.0, 1.0)]
        return tuple(_corners(*(p if tall else (p[1], p[0], p[3], p[2]))) for p in parts)
    inset = rng.uniform(0.0, 0.2, 4) * (rng.random(4) < 0.7)
    box = _corners(inset[0], inset[1], 1 - inset[2], 1 - inset[3])
    if shape == "rotated":
        angle = rng.uniform(-0.3, 0.3)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        box = (box - 0.5) @ turn.T + 0.5
    if shape == "irregular":
        box = box + rng.uniform(-0.09, 0.09, box.shape)
    return (box,)


def _corners(left: float, top: float, right: float, bottom: float) -> NDArray[np.float64]:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def field_mask(collimation: Collimation, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) bool, True where the film was exposed. Never less than a tenth of the film."""
    height, width = shape
    if collimation.shape == "open":
        return np.ones(shape, bool)
    canvas = np.zeros(shape, np.uint8)
    if collimation.shape == "circle":
        x, y, radius = collimation.circle
        centre = (round(x * width), round(y * height))
        cv2.circle(canvas, centre, round(radius * min(height, width)), 1, cv2.FILLED)
    for polygon in collimation.polygons:
        corners = np.round(polygon * [width, height]).astype(np.int32)
        cv2.fillPoly(canvas, [corners], 1)
    field = canvas > 0
    return field if field.mean() > 0.1 else np.ones(shape, bool)


def blades(
    signal: NDArray[np.float32],
    field: NDArray[np.bool_],
    collimation: Collimation,
    spacing_mm: float,
) -> NDArray[np.float32]:
    """Darken the primary signal outside the field, with a penumbra and the blades' leak."""
    if field.all():
        return signal
    edge = gaussian(field.astype(np.float32), collimation.penumbra_mm / spacing_mm)
    through = np.float32(collimation.leak) + np.float32(1 - collimation.leak) * edge
    return signal * through


def shutter(
    pixels: NDArray[np.uint16], field: NDArray[np.bool_], collimation: Collimation, bits: int
) -> NDArray[np.uint16]:
    """Paint outside the field, as software shutters do."""
    if collimation.shutter is None or field.all():
        return pixels
    grey = np.uint16(round(collimation.shutter * (2**bits - 1)))
    return np.where(field, pixels, grey)
