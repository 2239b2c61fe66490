"""The gap that is left between opposing bone surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoseg.grade.contacts import Contacts, Points, Surroundings, closest, thin


@dataclass(frozen=True, eq=False)
class Gap:
    """Shortest distance between opposing surfaces.

    mm: inf when there is none
    ends_px: on the pelvic and on the femoral side, (row, column)
    """

    mm: float
    ends_px: tuple[tuple[float, float], tuple[float, float]] | None = None


def find_gap(
    contacts: Contacts,
    around: Surroundings,
    tolerance_mm: float,
    without: NDArray[np.bool_] | None = None,
) -> Gap:
    """Gap between (pelvis and what hangs on it) and (femur and what hangs on it).

    At least one end lies on an attached ossification. A bridge has the gap 0.

    Parameters
    ----------
    contacts, around
        The hip.
    tolerance_mm
        Contact tolerance.
    without
        (n,) ossifications to leave out.
    """
    pelvic, femoral = contacts.attached(tolerance_mm)
    if without is not None:
        pelvic, femoral = pelvic & ~without, femoral & ~without
    if (pelvic & femoral).any():
        return Gap(0.0)
    on_pelvis = _ends(contacts, around, pelvic)
    on_femur = _ends(contacts, around, femoral)
    best = Gap(np.inf)
    for upper, tree in (
        (on_pelvis, around.femur_end_tree),
        (on_pelvis, cKDTree(on_femur)),
    ):
        best = _nearer(best, upper, tree, around, swapped=False)
    return _nearer(best, on_femur, around.pelvis_end_tree, around, swapped=True)


def _nearer(
    best: Gap, points: Points, tree: cKDTree, around: Surroundings, *, swapped: bool
) -> Gap:
    if not len(points) or tree.n == 0:
        return best
    distance, i, j = closest(tree, points, best.mm)
    if i < 0:
        return best
    ends = [tuple(float(x) for x in end / around.bones.mm) for end in (points[i], tree.data[j])]
    first, second = reversed(ends) if swapped else ends
    return Gap(distance, ((first[0], first[1]), (second[0], second[1])))


def _ends(contacts: Contacts, around: Surroundings, chosen: NDArray[np.bool_]) -> Points:
    """Outline points of chosen ossifications that a gap may end on."""
    parts = [thin(item.outline_mm) for item, use in zip(contacts.items, chosen, strict=True) if use]
    if not parts:
        return np.empty((0, 2))
    points = np.concatenate(parts)
    return points[around.may_end(points)]
