"""The gap that is left between opposing bone surfaces."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoseg.grade.bones import tree
from hoseg.grade.contacts import Contacts
from hoseg.grade.ossification import Ossification
from hoseg.grade.surfaces import BoneSurfaces, Points, closest


@dataclass(frozen=True, eq=False)
class Gap:
    """Shortest distance between opposing surfaces.

    mm: inf when there is none
    ends_px: on the pelvic and on the femoral side, (row, column)
    """

    mm: float
    ends_px: tuple[tuple[float, float], tuple[float, float]] | None = None


NO_GAP = Gap(np.inf)


@dataclass(frozen=True, eq=False)
class Ends:
    """One ossification as the end of a gap; what is nearest to it is found once.

    A hip is measured at several contact tolerances, and they change what hangs on which bone,
    but not where anything is.
    """

    item: Ossification
    around: BoneSurfaces
    _known: dict[int, Gap] = field(default_factory=dict)

    @cached_property
    def points(self) -> Points:
        """(N, 2) outline points that a gap may end on (mm)."""
        return self.item.surface[self.around.may_end(self.item.surface)]

    @cached_property
    def tree(self) -> cKDTree:
        """The same for distances."""
        return tree(self.points)

    @cached_property
    def to_femur(self) -> Gap:
        """Shortest way from here to the femur."""
        return self._to(self.around.femur_end_tree)

    @cached_property
    def to_pelvis(self) -> Gap:
        """Shortest way from the pelvis to here."""
        return _swapped(self._to(self.around.pelvis_end_tree))

    def to(self, other: Ends) -> Gap:
        """Shortest way from here to another ossification."""
        if id(other) not in self._known:
            self._known[id(other)] = self._to(other.tree)
        return self._known[id(other)]

    def _to(self, there: cKDTree) -> Gap:
        if not len(self.points) or there.n == 0:
            return NO_GAP
        distance, i, j = closest(there, self.points)
        mm = self.around.bones.mm
        (a, b), (c, d) = self.points[i] / mm, there.data[j] / mm
        return Gap(distance, ((float(a), float(b)), (float(c), float(d))))


def _swapped(gap: Gap) -> Gap:
    return gap if gap.ends_px is None else Gap(gap.mm, gap.ends_px[::-1])


def find_ends(contacts: Contacts, around: BoneSurfaces) -> tuple[Ends, ...]:
    """The ossifications of one hip as ends of gaps."""
    return tuple(Ends(item, around) for item in contacts.items)


def find_gap(pelvic: NDArray[np.bool_], femoral: NDArray[np.bool_], ends: tuple[Ends, ...]) -> Gap:
    """Gap between (pelvis and what hangs on it) and (femur and what hangs on it).

    At least one end lies on an attached ossification. A bridge has the gap 0.

    Parameters
    ----------
    pelvic, femoral
        (n,) ossifications that hang on the bone.
    ends
        (n,) from ``find_ends``.
    """
    if (pelvic & femoral).any():
        return Gap(0.0)
    upper, lower = ([ends[i] for i in np.flatnonzero(on)] for on in (pelvic, femoral))
    ways = [end.to_femur for end in upper]
    ways += [first.to(second) for first in upper for second in lower]
    ways += [end.to_pelvis for end in lower]
    return min(ways, key=lambda gap: gap.mm, default=NO_GAP)
