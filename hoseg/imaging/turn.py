"""Films that lie on their side or upside down: turned upright to be read, results turned back.

Masks, points and every DICOM object stay on the pixels as they are stored. Only the network and
the grading see the film with the patient's head up; left and right may still be exchanged there,
which ``Orientation.columns`` says and grading knows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hoseg.radiograph import Orientation, Radiograph, Spacing, Structure

Value = TypeVar("Value", bound=np.generic)
Point = tuple[float, float]
Box = tuple[float, float, float, float]

CLEARLY_UPRIGHT_DEG, POSSIBLY_UPRIGHT_DEG = 30.0, 60.0
"""From the pelvis to the femur is down, within such angles, on a film that stands upright.

Whole pelves among 54 real and simulated films lay within 13 degrees, AP films of one hip within
47. A frog-leg film, whose thighs may point anywhere, lies beyond; how sure the network is settles
it (``hoseg.infer.trial``).
"""


@dataclass(frozen=True)
class Turn:
    """Quarter turns that bring a stored picture upright.

    quarters: counterclockwise turns by 90 degrees, 0 to 3
    shape: (H, W) of the stored picture
    """

    quarters: int
    shape: tuple[int, int]

    @property
    def upright_shape(self) -> tuple[int, int]:
        """(rows, columns) of the upright picture."""
        return self.shape if self.quarters % 2 == 0 else (self.shape[1], self.shape[0])

    def then(self, quarters: int) -> Turn:
        """This turn, and some quarters more."""
        return replace(self, quarters=(self.quarters + quarters) % 4)

    def film(self, stored: Radiograph) -> Radiograph:
        """The stored film (H, W), upright."""
        if self.quarters == 0:
            return stored
        valid = None if stored.valid is None else self.picture(stored.valid)
        return replace(
            stored,
            pixels=self.picture(stored.pixels),
            valid=valid,
            spacing=_turned_spacing(stored.spacing, self.quarters),
            aspect=1 / stored.aspect if self.quarters % 2 else stored.aspect,
            orientation=stored.orientation.after_quarters(self.quarters),
        )

    def picture(self, stored: NDArray[Value]) -> NDArray[Value]:
        """A picture (H, W) on the stored pixels, upright."""
        return np.ascontiguousarray(np.rot90(stored, self.quarters))

    def picture_back(self, upright: NDArray[Value]) -> NDArray[Value]:
        """A picture (h, w) of the upright film, on the stored pixels (H, W)."""
        return np.ascontiguousarray(np.rot90(upright, -self.quarters))

    def point_back(self, point: Point) -> Point:
        """(row, column) of the upright film, on the stored one."""
        (row, column), (last_row, last_column) = point, (self.shape[0] - 1, self.shape[1] - 1)
        return {
            0: (row, column),
            1: (column, last_column - row),
            2: (last_row - row, last_column - column),
            3: (last_row - column, row),
        }[self.quarters]

    def vector_back(self, vector: Point) -> Point:
        """(row, column) direction on the upright film, on the stored one."""
        row, column = vector
        return {0: (row, column), 1: (column, -row), 2: (-row, -column), 3: (-column, row)}[
            self.quarters
        ]

    def box_back(self, box: Box) -> Box:
        """(row, column, row, column), first inclusive, second exclusive, on the stored film."""
        (a, b), (c, d) = self.point_back(box[:2]), self.point_back((box[2] - 1, box[3] - 1))
        return (min(a, c), min(b, d), max(a, c) + 1, max(b, d) + 1)


def turn_of(film: Radiograph) -> Turn:
    """The turn that brings the head up, as the film's orientation says."""
    orientation = film.orientation
    if orientation.transposed:
        return Turn(3 if orientation.rows_to_feet else 1, film.shape)
    return Turn(0 if orientation.rows_to_feet else 2, film.shape)


def possible_quarters(probabilities: NDArray[np.uint8]) -> list[int]:
    """Quarter turns counterclockwise that may bring a picture upright, likeliest first.

    The femora hang below the pelvis: the direction from the middle of the one to the middle of the
    other tells. [0] when it clearly points down, or when either bone was not found.

    probabilities: (4, h, w) uint8, probability x 255, square pixels
    """
    middles = []
    for structure in (Structure.PELVIS, Structure.FEMUR):
        rows, columns = np.nonzero(probabilities[structure.channel] >= 128)
        if not rows.size:
            return [0]
        middles.append(np.array([rows.mean(), columns.mean()]))
    down, right = middles[1] - middles[0]
    angle = float(np.degrees(np.arctan2(right, down)))  # 0 = down, 90 = to the right
    if abs(angle) <= CLEARLY_UPRIGHT_DEG:
        return [0]
    # A quarter counterclockwise brings what points to the right to the top: 90 degrees more.
    left_over = {q: abs((angle + 90 * q + 180) % 360 - 180) for q in range(4)}
    near = [q for q in range(4) if left_over[q] <= POSSIBLY_UPRIGHT_DEG]
    return sorted(near, key=left_over.__getitem__)


def stored_orientation(turn: Turn, source: str) -> Orientation:
    """Orientation of a stored film that shows a standard AP view once it is turned."""
    return Orientation(source=source).after_quarters(-turn.quarters)


def _turned_spacing(spacing: Spacing | None, quarters: int) -> Spacing | None:
    if spacing is None or quarters % 2 == 0:
        return spacing
    return replace(spacing, row_mm=spacing.column_mm, column_mm=spacing.row_mm)
