"""How sure: classes and gap under the uncertainty of millimetres, edges and the network.

Each draw scales all lengths by a factor from the spacing's interval, adds the error of reading a
distance off a film to the gap and to the contact tolerance, takes the ossification mask at
another threshold of the network, and leaves out contacts that may be superimposition only.
Thresholds are shifted for the whole picture at once, because the errors of a network are
correlated: a faint lesion is faint all over. The hip is measured once for each combination of
threshold, tolerance stratum and counted contacts that is drawn; the draws only look up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

from hoseg.grade.contacts import Contacts
from hoseg.grade.measure import Measured, Quantities, find_positions, measure_touching
from hoseg.grade.rules import UNDECIDED, System, decide
from hoseg.grade.surfaces import BoneSurfaces

LEVELS = 7
"""Thresholds of the network that are tried; odd, so that the one in use is among them."""
STEPS = 5
"""Strata of the contact tolerance."""

Arrays = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Draws:
    """N draws of a hip's numbers.

    arrays: name of a quantity -> (N,) values
    gap_mm: (N,) the gap with the contacts that the rules count, whatever was drawn of contacts
    """

    arrays: Arrays
    gap_mm: NDArray[np.float64]

    def probabilities(self, system: System) -> tuple[tuple[int | str, float], ...]:
        """Class -> probability, mildest first; what is undecided is missing from the sum."""
        index = decide(system, self.arrays)
        counts = dict.fromkeys(system.grades, 0)
        for i in index[index != UNDECIDED]:
            counts[system.rules[i].grade] += 1
        return tuple((grade, n / len(index)) for grade, n in counts.items())

    def gap_interval_mm(self) -> tuple[float, float] | None:
        """95 % interval of the gap where there is one (0 for a bridge)."""
        gap = self.gap_mm[np.isfinite(self.gap_mm)]
        if not len(gap):
            return None
        low, high = np.percentile(gap, (2.5, 97.5))
        return float(low), float(high)


def thresholds(used: float, logit_sd: float) -> NDArray[np.float64]:
    """(LEVELS,) equally likely thresholds about the one in use; the middle one is it."""
    quantiles = (np.arange(LEVELS) + 0.5) / LEVELS
    return np.asarray(expit(logit(np.clip(used, 0.02, 0.98)) + logit_sd * ndtri(quantiles)))


def draw_hip(
    levels: Sequence[Contacts],
    around: BoneSurfaces,
    relative_sd: float,
    rng: np.random.Generator,
    count: int,
) -> Draws:
    """Draw a hip's numbers.

    Parameters
    ----------
    levels
        Its contacts at each threshold of the network, equally likely.
    around
        Its bone surfaces.
    relative_sd
        Standard deviation of the spacing as a fraction of it.
    rng
        Source of randomness.
    count
        Number of draws.
    """
    if not any(contacts.items for contacts in levels):
        levels = levels[:1]  # nothing to draw about
    settings = around.settings
    scale = np.clip(1 + relative_sd * rng.standard_normal(count), 0.2, 5.0)
    error = settings.measuring_sd_mm * rng.standard_normal(count)
    level = rng.integers(len(levels), size=count)
    # One error for gap and tolerance: a gap read too small is a contact claimed too early.
    tolerance = np.clip((settings.attach_mm - error) / scale, 0.1, None)
    quantiles = np.quantile(tolerance, (np.arange(STEPS) + 0.5) / STEPS)
    step = np.abs(tolerance[:, None] - quantiles[None]).argmin(axis=1)
    luck = rng.random((count, max(len(contacts.items) for contacts in levels), 2))
    names = [item.name for item in fields(Quantities)]
    read = attrgetter(*names)
    rows, gap_mm = np.empty((count, len(names))), np.empty(count)
    for own, contacts in enumerate(levels):
        drawn = np.flatnonzero(level == own)
        measure_at = _MeasureOnce(contacts, around)
        apart = luck[drawn, : len(contacts.items)] < contacts.superimposition
        found = measure_at(quantiles[step[drawn]], apart)
        numbers = np.array([read(measured.quantities) for measured in found], float)
        rows[drawn] = numbers.reshape(-1, len(names))
        counted = measure_at(quantiles, np.array([contacts.superimposed] * STEPS))
        gap_mm[drawn] = np.array([measured.gap.mm for measured in counted])[step[drawn]]
    arrays = dict(zip(names, rows.T.copy(), strict=True))
    arrays["longest_mm"] *= scale
    arrays["longest_island_mm"] *= scale
    for gap in (arrays["gap_mm"], gap_mm):
        is_open = (gap > 0) & np.isfinite(gap)
        gap[is_open] = np.maximum((gap * scale + error)[is_open], 0.01)
    return Draws(arrays if around.bones.calibrated else hide_lengths(arrays), gap_mm)


class _MeasureOnce:
    """One hip at one threshold; what has the same contacts is measured once."""

    def __init__(self, contacts: Contacts, around: BoneSurfaces) -> None:
        self._contacts = contacts
        self._positions = find_positions(contacts, around)
        self._known: dict[tuple[object, ...], Measured] = {}

    def __call__(
        self, tolerances_mm: NDArray[np.float64], apart: NDArray[np.bool_]
    ) -> list[Measured]:
        """The hip at (P,) contact tolerances, without (P, n, 2) contacts with the bones."""
        found = []
        for touching in self._contacts.touching_without(tolerances_mm, apart):
            key = touching.key
            if key not in self._known:
                self._known[key] = measure_touching(self._contacts.items, touching, self._positions)
            found.append(self._known[key])
        return found


def hide_lengths(arrays: Arrays) -> Arrays:
    """Without calibration a length is unknown, unless it is none at all."""
    hidden = dict(arrays)
    gap = arrays["gap_mm"]
    hidden["gap_mm"] = np.where((gap > 0) & np.isfinite(gap), np.nan, gap)
    for name in ("longest_mm", "longest_island_mm"):
        hidden[name] = np.where(arrays[name] > 0, np.nan, arrays[name])
    return hidden
