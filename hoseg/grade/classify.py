"""From numbers to classes, with the trace and the nearest counterfactual in words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hoseg.grade.finding import CheckedCondition, Grade, TraceLine
from hoseg.grade.measure import Quantities
from hoseg.grade.rules import (
    PRECISION_MM,
    QUANTITIES,
    UNDECIDED,
    Condition,
    Rule,
    System,
    decide,
    fired,
    first_rule,
)
from hoseg.words import BROOKER


@dataclass(frozen=True)
class Classification:
    """The class in one system.

    grade: None when undecided
    trace: the rules in the order in which they were looked at
    counterfactual: the nearest change of a number that would change the class
    """

    system: str
    grade: Grade | None
    trace: tuple[TraceLine, ...] = ()
    counterfactual: str = ""


def grade_name(system: str, grade: Grade | None) -> str:
    """The class as people write it: Brooker in Roman numerals."""
    if grade is None:
        return "undecided"
    return BROOKER[grade] if system == "brooker" and isinstance(grade, int) else str(grade)


def classify(
    system: System, quantities: Quantities, contact_mm: tuple[float, float]
) -> Classification:
    """Read one rule table.

    Parameters
    ----------
    system
        The table.
    quantities
        The hip's numbers.
    contact_mm
        (distance that would have to close for a contact that changes the class, the contact
        tolerance); inf where there is none or it is not calibrated.
    """
    states = fired(system, quantities.arrays())
    index = int(first_rule(states)[0])
    grade = None if index == UNDECIDED else system.rules[index].grade
    return Classification(
        system=system.name,
        grade=grade,
        trace=tuple(
            _line(system, rule, quantities, float(state))
            for rule, state in zip(system.rules, states[:, 0], strict=True)
        ),
        counterfactual=_counterfactual(system, quantities, grade, contact_mm),
    )


def _line(system: System, rule: Rule, quantities: Quantities, state: float) -> TraceLine:
    """One rule as data and as a sentence; its state is 1, 0 or nan."""
    conditions = []
    words = []
    for condition in rule.conditions:
        value = float(getattr(quantities, condition.quantity))
        text, unit = QUANTITIES[condition.quantity]
        finite = value if np.isfinite(value) else None
        conditions.append(
            CheckedCondition(
                quantity=condition.quantity,
                value=finite,
                operator=condition.operator,
                limit=condition.limit,
                unit=unit,
            )
        )
        words.append(
            f"{text} {_value(value, condition)}, asked {condition.operator} "
            f"{_plain(condition.limit)}{_unit(unit)}"
        )
    outcome = {1.0: "yes", 0.0: "no"}.get(state, "cannot be said")
    name = f"{system.title} {grade_name(system.name, rule.grade)}"
    reason = "; ".join(words) if words else "nothing above fired"
    return TraceLine(
        system=system.name,
        grade=rule.grade,
        fired=None if np.isnan(state) else bool(state),
        conditions=tuple(conditions),
        sentence=f"{name} ({rule.definition}): {reason}: {outcome}",
    )


def _counterfactual(
    system: System,
    quantities: Quantities,
    grade: Grade | None,
    contact_mm: tuple[float, float],
) -> str:
    """The smallest change of one distance that changes the class, e.g. "II from 10.0 mm"."""
    if grade is None:
        return ""
    options: list[tuple[float, str]] = []
    own = grade_name(system.name, grade)
    changes: list[tuple[Condition, float]] = []
    for condition in system.conditions:
        value = float(getattr(quantities, condition.quantity))
        if QUANTITIES[condition.quantity][1] == "mm" and np.isfinite(value) and value != 0:
            changes += [(condition, other) for other in (condition.limit, _other_side(condition))]
    numbers = {name: value.repeat(len(changes)) for name, value in quantities.arrays().items()}
    for i, (condition, other) in enumerate(changes):
        numbers[condition.quantity][i] = other
    reached = [system.rules[i].grade for i in decide(system, numbers)] if changes else []
    for (condition, other), class_there in zip(changes, reached, strict=True):
        if class_there == grade:
            continue
        value = float(getattr(quantities, condition.quantity))
        text, name = QUANTITIES[condition.quantity][0], grade_name(system.name, class_there)
        sentence = f"{own}, {text} {_value(value, condition)}; {name} {_bound(condition, other)}"
        options.append((abs(value - other), sentence))
    distance, tolerance = contact_mm
    touching = _in_contact(system, quantities) if np.isfinite(distance) else set()
    if touching - {grade}:
        names = " or ".join(grade_name(system.name, g) for g in system.grades if g in touching)
        what = "surfaces" if quantities.spurs else "an island and a bone"
        sentence = f"{own}, {what} {distance:.1f} mm apart; {names} within {tolerance:.1f} mm"
        options.append((distance - tolerance, sentence))
    return min(options)[1] if options else ""


def _in_contact(system: System, quantities: Quantities) -> set[Grade]:
    """Classes that a contact would give: a bridge from spurs; from an island a spur, any gap."""
    if quantities.spurs:
        touching = [replace(quantities, bridges=1.0, gap_mm=0.0, filled_fraction=1.0)]
    else:
        touching = [replace(quantities, spurs=1.0, gap_mm=gap) for gap in (PRECISION_MM, np.inf)]
    indices = [int(decide(system, numbers.arrays())[0]) for numbers in touching]
    return {system.rules[index].grade for index in indices if index != UNDECIDED}


def _other_side(condition: Condition) -> float:
    """The nearest reportable value on the other side of a limit than the limit itself."""
    return condition.limit + (-PRECISION_MM if condition.operator in ("<", ">=") else PRECISION_MM)


def _bound(condition: Condition, value: float) -> str:
    limit = f"{condition.limit:.1f} mm"
    if value == condition.limit:
        return f"from {limit}" if condition.operator in ("<", ">=") else f"up to {limit}"
    return f"below {limit}" if value < condition.limit else f"above {limit}"


def _value(value: float, condition: Condition) -> str:
    """A number with as many digits as its place beside the limit needs."""
    unit = QUANTITIES[condition.quantity][1]
    if np.isnan(value):
        return "unknown"
    if np.isinf(value):
        return "none"
    if unit != "mm":
        return _plain(round(value, 3))
    digits = 1 if round(value, 1) != condition.limit else 2
    return f"{value:.{digits}f} mm"


def _plain(value: float) -> str:
    return f"{value:g}" if value == round(value, 3) else f"{value:.3f}"


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""
