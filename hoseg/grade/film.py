"""A film on the network's grid, and what the network made of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hoseg.radiograph import Grid, Orientation


@dataclass(frozen=True, eq=False)
class Probabilities:
    """What the network gave.

    values: (4, h, w) uint8, probability x 255, in bit order
    grid: where they lie on the original image
    """

    values: NDArray[np.uint8]
    grid: Grid


@dataclass(frozen=True, eq=False)
class Film:
    """A film on the network's grid.

    levels: (h, w) float32, normalised, bright = dense (``Prepared.pixels``)
    probabilities: on the same grid
    orientation: of the patient
    """

    levels: NDArray[np.float32]
    probabilities: Probabilities
    orientation: Orientation = field(default_factory=Orientation)
