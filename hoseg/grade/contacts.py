"""What touches what: the graph of pelvis, femur and ossifications.

Nodes are the ossifications, the pelvis and the femur; an edge is as long as the distance between
two outlines (0 for an overlap). Two nodes are in contact when a path joins them whose every edge
is at most the contact tolerance, so that a spur broken into pieces by a mask stays one spur. The
longest edge of the best path from pelvis to femur says how firmly a bridge stands.

The pelvis and the femur have no edge of their own: the native joint is not a contact. For the
same reason the femoral head's own surface (its radius and the tolerance) is left out of contacts
with the femur: an ossification from the acetabular rim lies over the head without touching it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoseg.grade.ossification import Ossification
from hoseg.grade.surfaces import FAR_MM, BoneSurfaces, Points, beyond, closest

NEAR_MM = 4.0
"""Beyond this no error of reading makes a contact."""
SUPERIMPOSITION_BY_SHARE = ((0.0, 0.02, 0.1, 0.2, 0.9, 1.0), (0.45, 0.45, 0.3, 0.0, 0.0, 0.35))
"""Probability that a contact is superimposition only, by the share of the ossification that lies
over the bone. A spur has a root over its bone: of 338 contacts on simulated films, 5 of 27 were
real with up to 2 % over the bone, 21 of 39 with 2-10 %, 45 of 54 with 10-20 %, 175 of 190 with
20-95 % (taken as certain) and 18 of 28 with more. Never above one half: where no network classifies
contacts, every contact counts."""
SUPERIMPOSED_ABOVE = 0.5
"""A contact that is likelier superimposition than attachment does not count."""


@dataclass(frozen=True, eq=False)
class Contacts:
    """Distances between the ossifications of one hip and its bones.

    items: the ossifications
    to_pelvis, to_femur: (n,) distance of each to the bone (mm), 0 for an overlap
    edges: (n + 2, n + 2) contact distances (mm); node n is the pelvis, n + 1 the femur
    superimposition: (n, 2) probability that contact with the pelvis, the femur is only that
    """

    items: tuple[Ossification, ...]
    to_pelvis: NDArray[np.float64]
    to_femur: NDArray[np.float64]
    edges: NDArray[np.float64]
    superimposition: NDArray[np.float64]

    @property
    def contact_mm(self) -> NDArray[np.float64]:
        """(n, 2) contact distance of each ossification to the pelvis, the femur (mm)."""
        return self.edges[:-2, -2:]

    @property
    def near(self) -> NDArray[np.bool_]:
        """(n, 2) which are near enough that an error of reading could make a contact."""
        return np.asarray(self.contact_mm < NEAR_MM)

    @cached_property
    def reach(self) -> NDArray[np.float64]:
        """(n + 2, n + 2) longest edge of the best path between two nodes (mm)."""
        return _minimax(self.edges)

    @property
    def superimposed(self) -> NDArray[np.bool_]:
        """(n, 2) contacts with the pelvis, the femur that do not count."""
        return self.superimposition > SUPERIMPOSED_ABOVE

    def counted(self) -> Contacts:
        """The same without the contacts that are superimposition."""
        return self.without(self.superimposed) if self.superimposed.any() else self

    def only(self, kept: list[int]) -> Contacts:
        """Some of the ossifications alone."""
        nodes = [*kept, *range(len(self.items), len(self.edges))]
        return Contacts(
            tuple(self.items[i] for i in kept),
            self.to_pelvis[kept],
            self.to_femur[kept],
            self.edges[np.ix_(nodes, nodes)],
            self.superimposition[kept],
        )

    def without(self, apart: NDArray[np.bool_]) -> Contacts:
        """The same without some contacts, (n, 2) with the pelvis and the femur."""
        n, edges = len(self.items), self.edges.copy()
        edges[:n, n:][apart] = FAR_MM
        edges[n:, :n] = edges[:n, n:].T
        return replace(self, edges=edges)

    @property
    def bridge_mm(self) -> float:
        """Longest step on the way from pelvis to femur: a bridge when within the tolerance."""
        return float(self.reach[-2, -1])

    def touching(self, tolerance_mm: float) -> Touching:
        """Which ossifications hang on which bone, over others too, and which on each other."""
        nothing = np.zeros((1, len(self.items), 2), bool)
        (found,) = self.touching_without(np.array([tolerance_mm]), nothing)
        return found

    def touching_without(
        self, tolerances_mm: NDArray[np.float64], apart: NDArray[np.bool_]
    ) -> list[Touching]:
        """The same at each of (P,) tolerances, without (P, n, 2) contacts with the bones."""
        edges = np.where(apart, FAR_MM, self.contact_mm)
        pelvic, femoral = self._to_bones(edges) <= tolerances_mm[:, None]
        lesions = {mm: self._lesions(mm) for mm in set(tolerances_mm.tolist())}
        return [
            Touching(pelvic[i], femoral[i], lesions[mm])
            for i, mm in enumerate(tolerances_mm.tolist())
        ]

    @cached_property
    def _between(self) -> NDArray[np.float64]:
        """(n, n) longest edge of the best way over ossifications alone (mm)."""
        between = _minimax(self.edges[: len(self.items), : len(self.items)])
        np.fill_diagonal(between, 0)
        return between

    def _to_bones(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        """Longest edge of the best way from each ossification over others alone to the bones.

        edges: (P, n, 2) distances from the pelvis, the femur (mm)

        Returns (2, P, n), pelvis and femur.
        """
        # Over others or straight: the best way to a bone passes from each to the one it leaves at.
        ways = np.maximum(self._between[None, :, :, None], edges[:, None])
        return np.moveaxis(ways.min(axis=2, initial=FAR_MM), 2, 0)

    def _lesions(self, tolerance_mm: float) -> tuple[int, ...]:
        """A number for each ossification; those in contact with each other share it."""
        first = (self._between <= tolerance_mm).argmax(axis=1).tolist() if self.items else []
        numbers = {index: number for number, index in enumerate(sorted(set(first)))}
        return tuple(numbers[index] for index in first)


@dataclass(frozen=True, eq=False)
class Touching:
    """What hangs on what at one contact tolerance.

    pelvic, femoral: (n,) ossifications that hang on the bone, over others too
    lesions: a number for each ossification; those in contact with each other share it
    """

    pelvic: NDArray[np.bool_]
    femoral: NDArray[np.bool_]
    lesions: tuple[int, ...]

    @property
    def attached(self) -> NDArray[np.bool_]:
        """(n,) ossifications that hang on either bone."""
        return np.asarray(self.pelvic | self.femoral)

    @property
    def key(self) -> tuple[bytes, bytes, tuple[int, ...]]:
        """Alike where everything is."""
        return self.pelvic.tobytes(), self.femoral.tobytes(), self.lesions


def find_contacts(
    items: list[Ossification], around: BoneSurfaces, bound_mm: float = np.inf
) -> Contacts:
    """Measure what touches what about one hip; distances beyond the bound are not measured."""
    n = len(items)
    to_pelvis, to_femur, contact = np.full((3, n), FAR_MM)
    edges = np.full((n + 2, n + 2), FAR_MM)
    bones = around.bones
    for i, item in enumerate(items):
        points = item.surface
        if len(around.pelvis):
            far = not item.over_pelvis.any()
            to_pelvis[i] = _nearest(bones.pelvis_tree, points, bound_mm) if far else 0
        if len(around.femur):
            far = not item.over_femur.any()
            to_femur[i] = _nearest(around.femur_tree, points, bound_mm) if far else 0
        if len(around.femur_contact):
            contact[i] = _nearest(around.contact_tree, points, bound_mm)
        if item.over_femur.any():
            over = item.pixels_mm[item.over_femur]
            if beyond(over, around.frame, around.head_clearance_mm).any():
                contact[i] = 0
        for j in range(i):
            edges[i, j] = edges[j, i] = _between(points, items[j].surface_tree)
    edges[:n, n] = edges[n, :n] = to_pelvis
    edges[:n, n + 1] = edges[n + 1, :n] = contact
    shares = np.array([item.shares_over for item in items], float).reshape(-1, 2)
    superimposition = np.interp(shares, *SUPERIMPOSITION_BY_SHARE)
    found = Contacts(tuple(items), to_pelvis, to_femur, edges, superimposition)
    return replace(found, superimposition=np.where(found.near, superimposition, 0.0))


def carry_over(known: Contacts, contacts: Contacts) -> NDArray[np.float64]:
    """(n, 2) superimposition of contacts at one threshold of the network, known from another.

    An ossification takes that of the one nearest to it among those whose box meets its own; its
    own where there is none.
    """
    if not known.items:
        return contacts.superimposition
    found = contacts.superimposition.copy()
    boxes = np.array([item.bbox_px for item in known.items])
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    for i, item in enumerate(contacts.items):
        box = np.array(item.bbox_px)
        meets = ((boxes[:, :2] < box[2:]) & (boxes[:, 2:] > box[:2])).all(axis=1)
        if meets.any():
            away = np.hypot(*(middles - (box[:2] + box[2:]) / 2).T)
            found[i] = known.superimposition[np.where(meets, away, np.inf).argmin()]
    return np.where(contacts.near, found, 0.0)


def _between(a: Points, b: cKDTree) -> float:
    """Shortest distance between two outlines; coarse boxes first."""
    apart = np.maximum(a.min(axis=0) - b.maxes, b.mins - a.max(axis=0))
    if np.hypot(*np.maximum(apart, 0)) > 10:
        return float(np.hypot(*np.maximum(apart, 0)))  # a lower bound, far beyond any contact
    return _nearest(b, a)


def _nearest(bone: cKDTree, points: Points, bound_mm: float = np.inf) -> float:
    """Shortest distance from any of (N, 2) points to a tree's; far when beyond the bound."""
    distance, found, _ = closest(bone, points, bound_mm)
    return distance if found >= 0 else FAR_MM


def _minimax(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smallest possible longest edge of a path between any two nodes (Floyd-Warshall)."""
    reach = edges.copy()
    for k in range(len(reach)):
        np.minimum(reach, np.maximum(reach[:, k, None], reach[None, k, :]), out=reach)
    return reach
