"""A small picture of one hip, and a small network that looks at it.

A dozen measurements (``hoseg.grade.chances``) do not tell a bridge from ossification that merely
lies in front of the joint; density, texture and outlines about the hip tell a little more. A model
folder may bring a convolutional network for that (``closeup.onnx``, made by
``hoseg.train.closeup``). It runs in OpenCV, so that the processes that grade need no other runtime.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import ModelError
from hoseg.grade.finding import HipFinding
from hoseg.grade.grading import Probabilities
from hoseg.radiograph import Orientation

FILE = "closeup.onnx"
"""Its name in a model folder."""
SIZE_PX = 128
STEP_MM = 1.4
"""A close-up shows 18 cm: the hip from the iliac spine to the proximal shaft."""
PLANES = 5
"""Grey levels, and the probability of each structure."""
LEVELS = 32
"""Steps of a grey level in a close-up for one unit of ``Prepared.pixels``; 128 is its zero."""
ODDS = 4
"""Log odds of class >= 1, >= 2, >= 3 and >= 4."""


@dataclass(frozen=True, eq=False)
class Film:
    """A film on the network's grid, and what the network made of it.

    levels: (h, w) float32, normalised, bright = dense (``Prepared.pixels``)
    probabilities: on the same grid
    orientation: of the patient
    """

    levels: NDArray[np.float32]
    probabilities: Probabilities
    orientation: Orientation = field(default_factory=Orientation)


def close_up(finding: HipFinding, film: Film) -> NDArray[np.uint8] | None:
    """(PLANES, SIZE_PX, SIZE_PX) uint8 about the femoral head; None when no head was found.

    Lateral is to the right and the feet are below, on either side of the patient.
    """
    head = finding.landmarks.head_px
    if head is None:
        return None
    grid = film.probabilities.grid
    # Of the close-up's (column, row), the film's; both counted at pixel centres.
    steps = [STEP_MM / mm for mm in grid.spacing_mm][::-1]
    if finding.side != film.orientation.columns:
        steps[0] = -steps[0]
    if not film.orientation.rows_to_feet:
        steps[1] = -steps[1]
    centre = [(head[k] - grid.origin_px[k]) / grid.step_px[k] for k in (1, 0)]
    matrix = np.array(
        [
            [steps[0], 0, centre[0] - steps[0] * (SIZE_PX - 1) / 2],
            [0, steps[1], centre[1] - steps[1] * (SIZE_PX - 1) / 2],
        ]
    )
    grey = np.clip(film.levels * np.float32(LEVELS) + np.float32(128), 0, 255).astype(np.uint8)
    blur = [0.45 * abs(step) if abs(step) > 1.2 else 0.0 for step in steps]
    shown = np.empty((PLANES, SIZE_PX, SIZE_PX), np.uint8)
    for out, plane in zip(shown, (grey, *film.probabilities.values), strict=True):
        part, moved = _part(plane, matrix)
        if all(blur):
            part = np.asarray(cv2.GaussianBlur(part, (0, 0), sigmaX=blur[0], sigmaY=blur[1]))
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(part, moved, (SIZE_PX, SIZE_PX), out, how)
    return shown


def _part(
    plane: NDArray[np.uint8], matrix: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """What a close-up needs of a plane, with a margin for the blur, and the matrix into it."""
    ends = np.sort(matrix @ np.array([[0, SIZE_PX], [0, SIZE_PX], [1, 1]]), axis=1)
    size = np.array(plane.shape)[::-1]
    low = np.clip(np.floor(ends[:, 0]) - 16, 0, size - 1).astype(int)
    high = np.clip(np.ceil(ends[:, 1]) + 16, low + 1, size).astype(int)
    moved = matrix.copy()
    moved[:, 2] -= low
    return plane[low[1] : high[1], low[0] : high[0]], moved


class CloseUpNetwork:
    """Looks at close-ups. Threads may share one; it can be sent to another process.

    onnx: contents of ``closeup.onnx``
    where: the file, for messages

    Raises ModelError when that is no network of this kind.
    """

    def __init__(self, onnx: bytes, where: str = FILE) -> None:
        self._onnx, self._where, self._lock = onnx, where, Lock()
        try:
            self._network = cv2.dnn.readNetFromONNX(np.frombuffer(onnx, np.uint8))
            found = self.log_odds(np.zeros((1, PLANES, SIZE_PX, SIZE_PX), np.uint8))
        except cv2.error as error:
            raise ModelError(f"{where}: cannot be read ({error.err})") from error
        if found.shape != (1, ODDS):
            raise ModelError(f"{where}: answers {found.shape[1:]} numbers, not {ODDS}")

    def __reduce__(self) -> tuple[type[CloseUpNetwork], tuple[bytes, str]]:
        return (CloseUpNetwork, (self._onnx, self._where))

    def log_odds(self, close_ups: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """(n, ODDS) of n close-ups; each depends on its own alone."""
        answers = []
        for shown in close_ups:
            with self._lock:
                self._network.setInput(network_input(shown[None]))
                answers.append(self._network.forward()[0].astype(np.float64))
        return np.array(answers).reshape(len(answers), -1)


def network_input(close_ups: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, PLANES, SIZE_PX, SIZE_PX) float32, as the network takes close-ups."""
    values = close_ups.astype(np.float32)
    values[:, 0] = (values[:, 0] - 128) / LEVELS
    values[:, 1:] = values[:, 1:] / np.float32(127.5) - 1
    return values
