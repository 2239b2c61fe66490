"""The sheet that confounders are drawn on: three layers, and places beside a hip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hoseg.simulate.body.frame import BodyFrame
from hoseg.simulate.film.drawing import add_fill, add_lines


class Sheet:
    """The three layers being drawn, and what their painters need to know."""

    def __init__(
        self,
        frame: BodyFrame,
        shape: tuple[int, int],
        rng: np.random.Generator,
        bladder_mm: NDArray[np.float32] | None = None,
    ) -> None:
        self.frame = frame
        self.shape = shape
        self.rng = rng
        self.calcium = np.zeros(shape, np.float32)
        self.metal = np.zeros(shape, np.float32)
        self.bladder_mm = np.zeros(shape, np.float32) if bladder_mm is None else bladder_mm
        self.cement = np.zeros(shape, np.float32)
        self.sign = -1.0 if rng.random() < 0.5 else 1.0

    def at(self, lateral: float, foot: float) -> NDArray[np.float64]:
        """A place beside the chosen hip, in body mm."""
        return np.array([self.sign * (self.frame.half_distance_mm + lateral), foot])

    def uniform(self, low: float, high: float) -> float:
        """A random number from ``low`` to ``high``."""
        return float(self.rng.uniform(low, high))

    def px(self, length_mm: float) -> float:
        """Millimetres as pixels."""
        return length_mm / self.frame.spacing_mm

    def fill(
        self,
        layer: NDArray[np.float32],
        outlines_mm: list[NDArray[np.float64]],
        edge_mm: float,
        value: float,
    ) -> None:
        """Add filled outlines (body mm) of height ``value`` to a layer."""
        polygons = [self.frame.to_px(outline) for outline in outlines_mm]
        add_fill(layer, polygons, self.px(edge_mm), value)

    def line(
        self,
        layer: NDArray[np.float32],
        lines_mm: list[NDArray[np.float64]],
        width_mm: float,
        value: float,
    ) -> None:
        """Add lines (body mm) of height ``value`` to a layer."""
        lines = [self.frame.to_px(line) for line in lines_mm]
        add_lines(layer, lines, self.px(width_mm), value)


def circle(centre: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """(24, 2) closed circle."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return centre + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
