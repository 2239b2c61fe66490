"""The numbers that rules look at, for one hip."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hoseg.grade.contacts import Contacts, Touching
from hoseg.grade.frame import find_sites
from hoseg.grade.gap import NO_GAP, Ends, Gap, find_ends, find_gap
from hoseg.grade.ossification import Ossification
from hoseg.grade.surfaces import BoneSurfaces


@dataclass(frozen=True)
class Quantities:
    """What rules may look at; names as in ``rules.QUANTITIES``. No gap is inf, unknown is nan."""

    ossifications: float = 0.0
    spurs: float = 0.0
    bridges: float = 0.0
    gap_mm: float = np.inf
    longest_island_mm: float = 0.0
    longest_mm: float = 0.0
    trochanter_region: float = 0.0
    filled_fraction: float = 0.0

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Each number as an array of one, as the evaluator wants them."""
        return {item.name: np.array([float(getattr(self, item.name))]) for item in fields(self)}


@dataclass(frozen=True, eq=False)
class Measured:
    """One hip at one contact tolerance.

    spurs_on: bones that ossifications hang on, "pelvis" before "femur"
    """

    quantities: Quantities
    gap: Gap
    touching: Touching

    @property
    def spurs_on(self) -> tuple[str, ...]:
        """Bones that ossifications hang on."""
        return tuple(
            name
            for name, some in (
                ("pelvis", self.touching.pelvic.any()),
                ("femur", self.touching.femoral.any()),
            )
            if some
        )

    @property
    def pattern(self) -> str:
        """none, islands, spur, opposing_spurs or bridge."""
        if self.quantities.bridges:
            return "bridge"
        if self.quantities.spurs:
            return "opposing_spurs" if len(self.spurs_on) == 2 else "spur"
        return "islands" if self.quantities.ossifications else "none"


@dataclass(frozen=True, eq=False)
class Positions:
    """Where the ossifications of one hip lie; the same at every contact tolerance.

    trochanter_region: 1 all distal to the tip of the greater trochanter, 3 proximal, 2 both
    medial: (n,) which are only medial
    native_mm: from the tip of the trochanter to the nearest pelvic edge off the joint zone
    ends: what gaps between them and the bones may end on
    """

    trochanter_region: float
    medial: NDArray[np.bool_]
    native_mm: float
    ends: tuple[Ends, ...]


def find_positions(contacts: Contacts, around: BoneSurfaces) -> Positions:
    """Where the ossifications of one hip lie."""
    native_mm = around.native_mm if contacts.items else np.nan
    sites = [find_sites(item.pixels_mm, around.frame) for item in contacts.items]
    medial = np.array([found == ("medial",) for found in sites], bool)
    ends = find_ends(contacts, around)
    return Positions(_trochanter_region(contacts, around), medial, native_mm, ends)


def measure(contacts: Contacts, around: BoneSurfaces, tolerance_mm: float) -> Measured:
    """Measure one hip.

    Parameters
    ----------
    contacts
        Distances between its graded ossifications and bones.
    around
        Its bone surfaces.
    tolerance_mm
        Distance up to which two surfaces are in contact.
    """
    touching = contacts.touching(tolerance_mm)
    return measure_touching(contacts.items, touching, find_positions(contacts, around))


def measure_touching(
    items: tuple[Ossification, ...], touching: Touching, positions: Positions
) -> Measured:
    """Measure one hip whose ossifications touch what they are said to touch.

    Parameters
    ----------
    items
        Its graded ossifications.
    touching
        What hangs on what.
    positions
        Where they lie, from ``find_positions``.
    """
    if not items:
        return Measured(Quantities(), NO_GAP, touching)
    attached = touching.attached
    lesions = np.array(touching.lesions)
    lengths = np.array([item.length_mm for item in items])
    gap = find_gap(touching.pelvic, touching.femoral, positions.ends)
    quantities = Quantities(
        ossifications=len(items),
        spurs=len(set(lesions[attached])),
        bridges=len(set(lesions[touching.pelvic & touching.femoral])),
        gap_mm=gap.mm,
        longest_island_mm=float(lengths[~attached].max(initial=0.0)),
        longest_mm=float(lengths.max()),
        trochanter_region=positions.trochanter_region,
        filled_fraction=_filled_fraction(touching, gap, positions),
    )
    return Measured(quantities, gap, touching)


def _trochanter_region(contacts: Contacts, around: BoneSurfaces) -> float:
    frame = around.frame
    if frame.trochanter is None or not contacts.items:
        return np.nan
    tip = float(frame.local(frame.trochanter[None])[1][0])
    heights = [frame.local(item.outline_mm)[1] for item in contacts.items]
    if min(v.min() for v in heights) >= tip:
        return 1.0
    return 3.0 if max(v.max() for v in heights) <= tip else 2.0


def _filled_fraction(touching: Touching, gap: Gap, positions: Positions) -> float:
    """f = 1 - d / D of the trochanter-ilium space.

    D is the distance from the tip of the trochanter to the nearest pelvic edge outside the joint
    zone; d the gap, with ossifications that are only medial left out: they fill another space.
    """
    if np.isnan(positions.native_mm):
        return np.nan
    if positions.medial.all():
        return 0.0
    if positions.medial.any():
        lateral = ~positions.medial
        gap = find_gap(touching.pelvic & lateral, touching.femoral & lateral, positions.ends)
    if not np.isfinite(gap.mm) or positions.native_mm <= 0:
        return 0.0
    return float(np.clip(1 - gap.mm / positions.native_mm, 0.0, 1.0))
