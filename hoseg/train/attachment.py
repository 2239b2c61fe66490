"""What simulated ossifications hang on, for ``hoseg.grade.closeup.AttachmentNetwork``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.datasets.simulated import ComponentTruth
from hoseg.grade.closeup import close_up_of_ossification
from hoseg.grade.contacts import Contacts
from hoseg.grade.ossification import Ossification
from hoseg.imaging.reading import Reading
from hoseg.radiograph import Side, Structure

BONES = ("pelvis", "femur")


@dataclass(frozen=True, eq=False)
class CloseUpRecorder:
    """A contact classifier that changes nothing and keeps the close-ups of what it is asked.

    contacts: of each hip
    close_ups: of each ossification of each hip
    """

    contacts: list[Contacts] = field(default_factory=list)
    close_ups: list[list[NDArray[np.uint8]]] = field(default_factory=list)

    def superimposition(
        self, contacts: Contacts, side: Side, reading: Reading
    ) -> NDArray[np.float64]:
        """What the contacts have anyhow."""
        self.contacts.append(contacts)
        shown = [close_up_of_ossification(item, side, reading) for item in contacts.items]
        self.close_ups.append(shown)
        return contacts.superimposition


def attachment_targets(
    contacts: Contacts, masks: NDArray[np.uint8], components: Sequence[ComponentTruth]
) -> NDArray[np.float32]:
    """(n, 2) whether each ossification hangs on the pelvis, the femur: 1, 0; nan when far from it.

    A simulated component is the part of the true ossification nearest to its centroid; components
    that touch on the film cannot be told apart, and share what they hang on. What the network
    found where nothing is hangs on nothing.

    masks: (H, W) the film's true masks
    components: of all hips of the film
    """
    ossified = ((masks & Structure.OSSIFICATION) > 0).astype(np.uint8)
    parts, found = cv2.connectedComponents(ossified, connectivity=8)
    labels = np.asarray(found, np.int32)
    hangs_on = np.zeros((parts, len(BONES)), bool)
    for component in components:
        label = _nearest_part(labels, component.centroid_px)
        hangs_on[label] |= [bone in component.attached_to for bone in BONES]
    hangs_on[0] = False
    targets = np.array(
        [hangs_on[_parts_under(item, labels)].any(axis=0) for item in contacts.items], np.float32
    ).reshape(-1, len(BONES))
    targets[~contacts.near] = np.nan
    return targets


def _nearest_part(labels: NDArray[np.int32], point_px: tuple[float, float]) -> int:
    """The part nearest to a point; 0 when there is none."""
    inside = np.argwhere(labels > 0)
    if not len(inside):
        return 0
    nearest = inside[((inside - point_px) ** 2).sum(axis=1).argmin()]
    return int(labels[tuple(nearest)])


def _parts_under(item: Ossification, labels: NDArray[np.int32]) -> NDArray[np.intp]:
    """Numbers of the parts that an ossification covers."""
    row0, column0, row1, column1 = np.maximum(item.bbox_px, 0)
    own = np.zeros((row1 - row0, column1 - column0), np.uint8)
    corners = np.round(item.outline_px[:, ::-1] - (column0, row0)).astype(np.int32)
    cv2.fillPoly(own, [corners], 1)
    box = labels[row0:row1, column0:column1]
    return np.unique(box[own[: box.shape[0], : box.shape[1]] > 0])
