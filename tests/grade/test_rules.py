import numpy as np
import pytest

from hoseg.errors import SettingError
from hoseg.grade.classify import classify
from hoseg.grade.finding import CheckedCondition
from hoseg.grade.measure import Quantities
from hoseg.grade.rules import (
    BROOKER,
    QUANTITIES,
    SYSTEMS,
    UNDECIDED,
    Condition,
    Rule,
    System,
    decide,
)

FREE = (np.inf, 1.5)


def grade_of(system, **numbers):
    index = int(decide(system, Quantities(**numbers).arrays())[0])
    return None if index == UNDECIDED else system.rules[index].grade


def test_every_table_ends_with_an_unconditional_rule_and_names_known_quantities():
    for system in SYSTEMS:
        assert bool(system.rules) != bool(system.needs)
        for rule in system.rules:
            assert all(condition.quantity in QUANTITIES for condition in rule.conditions)
        if system.rules:
            assert not system.rules[-1].conditions


@pytest.mark.parametrize(
    ("numbers", "grade"),
    [
        ({}, 0),
        ({"ossifications": 2}, 1),
        ({"ossifications": 1, "spurs": 1, "gap_mm": 10.0}, 2),
        ({"ossifications": 1, "spurs": 1, "gap_mm": 9.996}, 2),
        ({"ossifications": 1, "spurs": 1, "gap_mm": 9.99}, 3),
        ({"ossifications": 1, "spurs": 1, "gap_mm": np.inf}, 2),
        ({"ossifications": 1, "spurs": 1, "bridges": 1, "gap_mm": 0.0}, 4),
        ({"ossifications": 1, "spurs": 1, "gap_mm": np.nan}, None),
        ({"ossifications": 1, "spurs": 1, "bridges": 1, "gap_mm": np.nan}, 4),
        ({"ossifications": 1, "spurs": 0, "gap_mm": np.nan}, 1),
    ],
)
def test_brooker(numbers, grade):
    assert grade_of(BROOKER, **numbers) == grade


def test_the_evaluator_takes_many_sets_of_numbers_at_once():
    arrays = {name: np.zeros(3) for name in QUANTITIES}
    arrays["ossifications"] = np.array([0.0, 1.0, 1.0])
    arrays["spurs"] = np.array([0.0, 1.0, 1.0])
    arrays["gap_mm"] = np.array([np.inf, 3.0, 30.0])
    grades = [BROOKER.rules[i].grade for i in decide(BROOKER, arrays)]
    assert grades == [0, 3, 2]


def test_adding_a_system_is_adding_a_table():
    system = System(
        "wide",
        "Wide or narrow",
        (Rule("narrow", "under 5 mm", (Condition("gap_mm", "<", 5.0),)), Rule("wide", "the rest")),
    )
    found = classify(system, Quantities(gap_mm=4.0, spurs=1), FREE)
    assert (found.grade, len(found.trace)) == ("narrow", 2)
    assert found.counterfactual.endswith("wide from 5.0 mm")


def test_a_condition_names_its_mistake():
    with pytest.raises(SettingError, match="gap_cm"):
        Condition("gap_cm", "<", 1.0)
    with pytest.raises(SettingError, match="=<"):
        Condition("gap_mm", "=<", 10.0)


def test_the_trace_is_data_and_sentences():
    found = classify(BROOKER, Quantities(ossifications=1, spurs=1, gap_mm=9.4), FREE)
    assert [line.grade for line in found.trace] == [4, 3, 2, 1, 0]
    three = found.trace[1]
    assert three.fired
    gap = CheckedCondition(quantity="gap_mm", value=9.4, operator="<", limit=10.0, unit="mm")
    assert gap in three.conditions
    assert "9.4 mm" in three.sentence
    assert three.sentence.endswith("yes")
    assert found.counterfactual.endswith("9.4 mm; II from 10.0 mm")


def test_a_number_beside_its_limit_is_shown_with_the_digits_it_needs():
    found = classify(BROOKER, Quantities(ossifications=1, spurs=1, gap_mm=9.97), FREE)
    assert "9.97 mm" in found.trace[1].sentence


def test_the_nearest_counterfactual_wins():
    numbers = Quantities(ossifications=1, spurs=1, gap_mm=2.5)
    found = classify(BROOKER, numbers, (2.5, 1.5))
    assert found.counterfactual == "III, surfaces 2.5 mm apart; IV within 1.5 mm"
    island = Quantities(ossifications=1, longest_island_mm=8.0)
    assert classify(BROOKER, island, (6.0, 1.5)).counterfactual.endswith("II or III within 1.5 mm")
