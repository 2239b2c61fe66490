"""Whether ossification that touches a bone on the film hangs on it.

The film shows a contact where ossification lies before or behind a bone as it does where it grows
from one. A model folder may bring a network that looks at a close-up of each ossification
(``hoseg.grade.closeup.ATTACHMENT``); it was taught with simulated ossifications, of which it is
known what they hang on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from hoseg.grade.closeup import CloseUpNetwork, close_up_of_ossification
from hoseg.grade.contacts import NEAR_MM, Contacts
from hoseg.grade.film import Film
from hoseg.radiograph import Side


class Doubting(Protocol):
    """Says how doubtful the contacts of a hip are."""

    def doubts(self, contacts: Contacts, side: Side) -> NDArray[np.float64]:
        """(n, 2) chance that contact with the pelvis, the femur is superimposition only.

        side: of the hip
        """
        ...


@dataclass(frozen=True, eq=False)
class Attachment:
    """A network that tells attachment from superimposition, and the film it looks at."""

    network: CloseUpNetwork
    film: Film

    def doubts(self, contacts: Contacts, side: Side) -> NDArray[np.float64]:
        """(n, 2) chance that contact with the pelvis, the femur is superimposition only."""
        near = contacts.edges[:-2, -2:] < NEAR_MM
        found = np.zeros(near.shape)
        for i in np.flatnonzero(near.any(axis=1)):
            shown = close_up_of_ossification(contacts.items[i], side, self.film)
            found[i] = expit(-self.network.log_odds([shown])[0])
        return np.where(near, found, 0.0)


def doubts_alike(contacts: Contacts, known: Contacts) -> NDArray[np.float64]:
    """The doubts of contacts at one threshold of the network, as far as known from another.

    An ossification takes those of the one nearest to it among those whose box meets its own.
    """
    found = contacts.doubts.copy()
    near = contacts.edges[:-2, -2:] < NEAR_MM
    if not known.items:
        return found
    boxes = np.array([item.bbox_px for item in known.items])
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    for i, item in enumerate(contacts.items):
        box = np.array(item.bbox_px)
        meets = ((boxes[:, :2] < box[2:]) & (boxes[:, 2:] > box[:2])).all(axis=1)
        if meets.any():
            away = np.hypot(*(middles - (box[:2] + box[2:]) / 2).T)
            found[i] = known.doubts[np.where(meets, away, np.inf).argmin()]
    return np.where(near, found, 0.0)
