"""Grading systems as ordered rule tables, and the one evaluator that reads them.

A rule fires when all its conditions hold. Rules are listed worst first; the first that fires
gives the class. Adding a system is adding a table to ``SYSTEMS``.

Sources: Brooker AF et al., J Bone Joint Surg Am 1973; Della Valle AG et al. (PubMed 12375245);
Schmidt J, Hackenbroch MH (doi 10.1007/BF00420328; cut-offs as widely taught). The thirds of the
filled fraction are this project's.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}

QUANTITIES: dict[str, tuple[str, str]] = {
    "ossifications": ("ossifications at or over the size floor", ""),
    "spurs": ("ossifications attached to a bone", ""),
    "bridges": ("ossifications joining pelvis and femur", ""),
    "gap_mm": ("gap between opposing bone surfaces", "mm"),
    "longest_island_mm": ("longest island", "mm"),
    "longest_mm": ("longest ossification", "mm"),
    "trochanter_region": ("region about the trochanter tip", ""),
    "filled_fraction": ("filled fraction of the trochanter-ilium space", ""),
}
"""What a rule may look at: name -> (words, unit). No gap is inf; an unknown number is nan."""

PRECISION_MM = 0.01
"""Measurements are compared as they are reported, to 0.01 mm: 9.996 mm counts as 10.00."""


@dataclass(frozen=True)
class Condition:
    """``quantity operator limit``, e.g. ``gap_mm < 10``."""

    quantity: str
    operator: str
    limit: float

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise SettingError("quantity", self.quantity, f"one of {', '.join(QUANTITIES)}")
        if self.operator not in OPERATORS:
            raise SettingError("operator", self.operator, f"one of {' '.join(OPERATORS)}")


@dataclass(frozen=True)
class Rule:
    """A class and what must hold for it. No conditions: fires always.

    grade: the class
    definition: in words
    conditions: all must hold
    """

    grade: int | str
    definition: str
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class System:
    """A classification.

    needs: what a system needs that one AP view cannot give; such a system has no rules
    rules: worst class first, the last one unconditional
    """

    name: str
    title: str
    rules: tuple[Rule, ...] = ()
    needs: str = ""

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """Every condition once."""
        return tuple(dict.fromkeys(c for rule in self.rules for c in rule.conditions))

    @cached_property
    def requires(self) -> NDArray[np.bool_]:
        """(R, C) which rule requires which condition."""
        return np.array([[c in rule.conditions for c in self.conditions] for rule in self.rules])

    @cached_property
    def grades(self) -> tuple[int | str, ...]:
        """The classes, mildest first."""
        return tuple(dict.fromkeys(rule.grade for rule in reversed(self.rules)))


_BRIDGE = Condition("bridges", ">=", 1)
_NARROW = Condition("gap_mm", "<", 10.0)
_SPUR = Condition("spurs", ">=", 1)
_ANY = Condition("ossifications", ">=", 1)

BROOKER = System(
    "brooker",
    "Brooker",
    (
        Rule(4, "apparent bone ankylosis: ossification joins pelvis and femur", (_BRIDGE,)),
        Rule(3, "spurs leave less than 1 cm between opposing bone surfaces", (_SPUR, _NARROW)),
        Rule(2, "spurs leave at least 1 cm between opposing bone surfaces", (_SPUR,)),
        Rule(1, "islands of bone within the soft tissues about the hip", (_ANY,)),
        Rule(0, "no heterotopic ossification"),
    ),
)

# An island of exactly 10 mm is in no class of the paper (A: < 10, B: > 10). As with the gap of
# exactly 10 mm, the milder class is taken: A.
DELLA_VALLE = System(
    "della_valle",
    "Della Valle",
    (
        Rule("C", "apparent bone ankylosis", (_BRIDGE,)),
        Rule("C", "spurs with a gap of less than 10 mm", (_SPUR, _NARROW)),
        Rule("B", "spurs with a gap of at least 10 mm", (_SPUR,)),
        Rule("B", "islands longer than 10 mm", (Condition("longest_island_mm", ">", 10.0),)),
        Rule("A", "none, or islands of at most 10 mm"),
    ),
)


def _schmidt_hackenbroch() -> tuple[Rule, ...]:
    """Grades C, B, A in each region; an ossification that touches bone is at least B.

    The original B "may touch the femur but not the pelvis": a pelvic spur without a bridge fits
    no grade there, and B is the nearest that does not overstate it.
    """
    places = {1: "below", 2: "on both sides of", 3: "above"}
    grades = (
        ("C", "a bridge from pelvis to femur", (_BRIDGE,)),
        ("B", "touching bone", (_SPUR,)),
        ("B", "longer than 10 mm", (Condition("longest_mm", ">", 10.0),)),
        ("A", "at most 10 mm, no bone contact", (_ANY,)),
    )
    rules = [
        Rule(
            f"{region}{grade}",
            f"{place} the trochanter tip; {words}",
            (*conditions, Condition("trochanter_region", "==", region)),
        )
        for grade, words, conditions in grades
        for region, place in places.items()
    ]
    return (*rules, Rule("0", "no heterotopic ossification"))


SCHMIDT_HACKENBROCH = System("schmidt_hackenbroch", "Schmidt-Hackenbroch", _schmidt_hackenbroch())

FILLED = System(
    "filled_fraction",
    "Filled fraction of the trochanter-ilium space, in thirds",
    (
        Rule("full", "bridged", (Condition("filled_fraction", ">=", 1.0),)),
        Rule("large", "two thirds or more", (Condition("filled_fraction", ">=", 2 / 3),)),
        Rule("medium", "a third or more", (Condition("filled_fraction", ">=", 1 / 3),)),
        Rule("small", "less than a third", (Condition("filled_fraction", ">", 0.0),)),
        Rule("none", "nothing of the space is filled"),
    ),
)

SYSTEMS: tuple[System, ...] = (
    BROOKER,
    DELLA_VALLE,
    SCHMIDT_HACKENBROCH,
    FILLED,
    System("mavrogenis", "Mavrogenis", needs="the anatomic plane, which one AP view cannot show"),
    System("biplanar", "Biplanar", needs="a lateral view beside the AP view"),
    System("schuh_zeiler", "Schuh-Zeiler", needs="a lateral view beside the AP view"),
)

UNDECIDED = -1
"""Index that ``decide`` gives where an unknown number stands before the first rule that fires."""


def fired(system: System, quantities: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Whether each rule fires: 1 yes, 0 no, nan when an unknown number decides.

    Parameters
    ----------
    system
        A system with R rules.
    quantities
        Name -> (N,) values, nan where unknown.

    Returns
    -------
    (R, N) array of 1, 0 and nan.
    """
    size = len(next(iter(quantities.values())))
    if not system.conditions:
        return np.ones((len(system.rules), size))
    held = np.stack([_held(condition, quantities) for condition in system.conditions])
    # A condition that fails settles its rule, whatever is unknown elsewhere in it.
    failed = system.requires @ (held == 0)
    unknown = system.requires @ np.isnan(held)
    return np.where(failed, 0.0, np.where(unknown, np.nan, 1.0))


def _held(condition: Condition, quantities: Mapping[str, NDArray[np.float64]]) -> Any:
    """Whether a condition holds: (N,) of 1, 0 and nan."""
    value = quantities[condition.quantity]
    if _is_mm(condition):
        value = np.round(value / PRECISION_MM) * PRECISION_MM
    held = OPERATORS[condition.operator](np.round(value, 9), condition.limit).astype(float)
    held[np.isnan(value)] = np.nan
    return held


def decide(system: System, quantities: Mapping[str, NDArray[np.float64]]) -> NDArray[np.intp]:
    """Index of the first rule that fires, for each of N sets of measurements.

    Parameters
    ----------
    system
        A system with rules.
    quantities
        Name -> (N,) values, nan where unknown.

    Returns
    -------
    (N,) indices into ``system.rules``; ``UNDECIDED`` where an unknown number stands in the way.
    """
    return first_rule(fired(system, quantities))


def first_rule(states: NDArray[np.float64]) -> NDArray[np.intp]:
    """Index of the first rule that fires from (R, N) states; ``UNDECIDED`` where unknown."""
    first = np.argmax(np.isnan(states) | (states == 1), axis=0)
    unknown = np.isnan(states[first, np.arange(states.shape[1])])
    return np.where(unknown, UNDECIDED, first)


def _is_mm(condition: Condition) -> bool:
    return QUANTITIES[condition.quantity][1] == "mm"
