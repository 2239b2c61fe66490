"""Small pictures of one hip or one ossification, and the small networks that classify them.

Masks and a dozen measurements (``hoseg.grade.chances``) do not tell ossification that hangs on a
bone from ossification that merely lies before or behind it: on the film both touch. Density,
texture and outlines tell a little more. A model folder may hold convolutional networks for that,
made by ``hoseg.train.closeup_network`` from simulated ossifications, of which it is known what they
hang on. They run in ONNX Runtime, in a third of the time that OpenCV takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from hoseg.errors import ModelError
from hoseg.grade.contacts import Contacts
from hoseg.grade.finding import HipFinding, Point
from hoseg.grade.ossification import Ossification
from hoseg.imaging.reading import Reading
from hoseg.radiograph import STRUCTURES, Side

SIZE_PX = 128
LEVELS = 32
"""Steps of a grey level in a close-up for one unit of ``Prepared.pixels``; 128 is its zero."""


@dataclass(frozen=True)
class Kind:
    """What a network is shown, and what it answers.

    file: its name in a model folder
    step_mm: a pixel of its close-ups
    planes: grey levels, the probability of each structure, ...
    answers: log odds that it gives
    """

    file: str
    step_mm: float
    planes: int
    answers: int


HIP = Kind("closeup.onnx", 1.4, planes=5, answers=4)
"""18 cm about the head, from the iliac spine to the proximal shaft; asked for class >= 1 ... 4."""
ATTACHMENT = Kind("attachment.onnx", 1.0, planes=6, answers=2)
"""13 cm about one ossification, which is the sixth plane; asked whether it hangs on the pelvis, and
whether on the femur."""
SUBPIXEL_BITS = 4
"""Outlines are drawn to 1/16 pixel."""


def close_up_of_hip(finding: HipFinding, reading: Reading) -> NDArray[np.uint8] | None:
    """(5, SIZE_PX, SIZE_PX) uint8 about the femoral head; None when no head was found.

    Lateral is to the right and the feet are below, on either side of the patient.
    """
    head = finding.landmarks.head_px
    if head is None:
        return None
    return _planes(reading, _places(head, finding.side, reading, HIP))


def close_up_of_ossification(item: Ossification, side: Side, reading: Reading) -> NDArray[np.uint8]:
    """(6, SIZE_PX, SIZE_PX) uint8 about one ossification, turned as the hip is."""
    row0, column0, row1, column1 = item.bbox_px
    middle = ((row0 + row1 - 1) / 2, (column0 + column1 - 1) / 2)
    places = _places(middle, side, reading, ATTACHMENT)
    grid = reading.segmentation.grid
    on_grid = (item.outline_px - grid.origin_px) / grid.step_px
    outline = (on_grid[:, ::-1] - places[:, 2]) / places[[0, 1], [0, 1]]
    own = np.zeros((1, SIZE_PX, SIZE_PX), np.uint8)
    corners = np.round(outline * 2**SUBPIXEL_BITS).astype(np.int32)
    cv2.fillPoly(own[0], [corners], 255, shift=SUBPIXEL_BITS)
    return np.concatenate([_planes(reading, places), own])


def _places(middle_px: Point, side: Side, reading: Reading, kind: Kind) -> NDArray[np.float64]:
    """(2, 3) of the close-up's (column, row), the film's; both counted at pixel centres."""
    grid, orientation = reading.segmentation.grid, reading.radiograph.orientation
    across, down = (kind.step_mm / mm for mm in grid.spacing_mm[::-1])
    if side != orientation.columns:
        across = -across
    if not orientation.rows_to_feet:
        down = -down
    row, column = ((middle_px[k] - grid.origin_px[k]) / grid.step_px[k] for k in (0, 1))
    half = (SIZE_PX - 1) / 2
    return np.array([[across, 0, column - across * half], [0, down, row - down * half]])


def _planes(reading: Reading, places: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(5, SIZE_PX, SIZE_PX) grey levels and the probability of each structure."""
    steps = places[[0, 1], [0, 1]]
    # What a close-up needs of the film, with a margin for the blur, and the places in it.
    ends = np.sort(places @ np.array([[0, SIZE_PX], [0, SIZE_PX], [1, 1]]), axis=1)
    pixels, probabilities = reading.prepared.pixels, reading.segmentation.probabilities
    size = np.array(pixels.shape)[::-1]
    low = np.clip(np.floor(ends[:, 0]) - 16, 0, size - 1).astype(int)
    high = np.clip(np.ceil(ends[:, 1]) + 16, low + 1, size).astype(int)
    within = places.copy()
    within[:, 2] -= low
    part = np.s_[low[1] : high[1], low[0] : high[0]]
    grey = np.clip(pixels[part] * np.float32(LEVELS) + np.float32(128), 0, 255)
    blur = [0.45 * abs(step) if abs(step) > 1.2 else 0.0 for step in steps]
    shown = np.empty((1 + len(STRUCTURES), SIZE_PX, SIZE_PX), np.uint8)
    planes = (grey.astype(np.uint8), *(plane[part] for plane in probabilities))
    for out, plane in zip(shown, planes, strict=True):
        if not plane.any():
            out[:] = 0
            continue
        if all(blur):
            plane = np.asarray(cv2.GaussianBlur(plane, (0, 0), sigmaX=blur[0], sigmaY=blur[1]))
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(plane, within, (SIZE_PX, SIZE_PX), out, how)
    return shown


class ContactClassifier(Protocol):
    """Tells contacts by attachment from mere superimposition."""

    def superimposition(
        self, contacts: Contacts, side: Side, reading: Reading
    ) -> NDArray[np.float64]:
        """(n, 2) probability that contact with the pelvis, the femur is superimposition only.

        contacts: of one hip
        side: of the hip
        reading: of the film
        """
        ...


class CloseUpNetwork:
    """Classifies close-ups. Threads may share one; it can be sent to another process.

    kind: what it is shown and asked
    onnx: contents of the file
    where: the file, for messages

    Raises ModelError when that is no network of this kind.
    """

    def __init__(self, kind: Kind, onnx: bytes, where: str = "") -> None:
        self.kind = kind
        # A tenth of a second to import, which masks alone need not pay.
        from hoseg.onnx_session import open_session

        self._onnx, self._where = onnx, where or kind.file
        self._session = open_session(onnx, self._where)
        ends = [*self._session.get_inputs(), *self._session.get_outputs()]
        shapes = [end.shape[1:] for end in ends]
        wanted = [[kind.planes, SIZE_PX, SIZE_PX], [kind.answers]]
        if shapes != wanted:
            raise ModelError(f"{self._where}: takes and gives {shapes}, not {wanted}")
        self._input = ends[0].name

    def __reduce__(self) -> tuple[type[CloseUpNetwork], tuple[Kind, bytes, str]]:
        return (CloseUpNetwork, (self.kind, self._onnx, self._where))

    def log_odds(self, close_ups: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """(n, answers) of n close-ups; each depends on its own alone."""
        answers = [
            np.asarray(self._session.run(None, {self._input: network_input(shown[None])})[0])[0]
            for shown in close_ups
        ]
        return np.array(answers, np.float64).reshape(len(answers), -1)


@dataclass(frozen=True, eq=False)
class AttachmentNetwork:
    """A network of the kind ``ATTACHMENT``, asked for every contact."""

    network: CloseUpNetwork

    def superimposition(
        self, contacts: Contacts, side: Side, reading: Reading
    ) -> NDArray[np.float64]:
        """(n, 2) probability that contact with the pelvis, the femur is superimposition only."""
        near = contacts.near
        found = np.zeros(near.shape)
        for i in np.flatnonzero(near.any(axis=1)):
            shown = close_up_of_ossification(contacts.items[i], side, reading)
            found[i] = expit(-self.network.log_odds([shown])[0])
        return np.where(near, found, 0.0)


def network_in(files: Mapping[str, bytes], kind: Kind, folder: str) -> CloseUpNetwork | None:
    """The network of a kind among a model's files; None when there is none.

    folder: of the model, for messages
    """
    onnx = files.get(kind.file)
    return None if onnx is None else CloseUpNetwork(kind, onnx, f"{folder}/{kind.file}")


def network_input(close_ups: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, planes, SIZE_PX, SIZE_PX) float32, as the networks take close-ups."""
    values = close_ups.astype(np.float32)
    values[:, 0] = (values[:, 0] - 128) / LEVELS
    values[:, 1:] = values[:, 1:] / np.float32(127.5) - 1
    return values
