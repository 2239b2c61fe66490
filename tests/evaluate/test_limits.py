"""Limits of a site."""

from pathlib import Path

import pytest

from hoseg.errors import SettingError
from hoseg.evaluate.bootstrap import Estimate
from hoseg.evaluate.figures import Figure
from hoseg.evaluate.limits import Limits, judge, read_limits

DEFAULT = Path(__file__).parents[2] / "configs" / "accept.yaml"
FALSE = "read.healthy_above_0"


def verdict(found, judged_on="estimate", **limit):
    asked = {"figure": FALSE, **limit}
    limits = Limits.model_validate({"judged_on": judged_on, "limits": [asked]})
    figures = () if found is None else (Figure(FALSE, "all", found),)
    return judge(limits, figures)[0]


def test_the_documented_file_is_the_default():
    assert read_limits(DEFAULT) == read_limits(None)


@pytest.mark.parametrize(
    ("limit", "judged_on", "passed"),
    [
        ({"at_most": 0.10}, "estimate", True),
        ({"at_most": 0.09}, "estimate", False),
        ({"at_most": 0.10}, "bound", False),
        ({"at_most": 0.20}, "bound", True),
        ({"at_least": 0.10}, "estimate", True),
        ({"at_least": 0.10}, "bound", False),
        ({"at_least": 0.05}, "bound", True),
        ({"at_most": 0.5, "fewest": 41}, "estimate", False),
        ({"at_most": 0.5, "fewest": 40}, "estimate", True),
        ({"at_most": 0.5, "stratum": "family: none of ours"}, "estimate", False),
    ],
)
def test_sides(limit, judged_on, passed):
    found = Estimate(0.10, 0.05, 0.20, 40, 30)
    assert verdict(found, judged_on, **limit).passed is passed


def test_what_cannot_be_judged_has_failed():
    assert not verdict(None, at_most=0.5).passed
    assert "undefined" in verdict(Estimate(None, None, None, 9, 9), at_most=0.5).why
    assert "no interval" in verdict(Estimate(0.1, None, None, 9, 1), "bound", at_most=0.5).why


@pytest.mark.parametrize(("ossified", "passed"), [(4, False), (5, True)])
def test_an_auc_rests_on_the_rarer_kind_of_hip(ossified, passed):
    def figure(name, n):
        return Figure(name, "all", Estimate(0.99, 0.9, 1.0, n, n))

    asked = {"figure": "read.auc", "at_least": 0.9, "fewest": 5}
    figures = (
        figure("read.auc", 70),
        figure("read.sensitivity", ossified),
        figure(FALSE, 70 - ossified),
    )
    verdict = judge(Limits.model_validate({"limits": [asked]}), figures)[0]
    assert verdict.passed is passed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limits: [{figure: read.nothing, at_most: 1}]", "limits.0.figure = 'read.nothing'"),
        (f"limits: [{{figure: {FALSE}}}]", "either at_most or at_least"),
        (f"limits: [{{figure: {FALSE}, at_most: 1, at_least: 0}}]", "either at_most or at_least"),
        (f"limits: [{{figure: {FALSE}, at_most: -1}}]", "at_most = -1; expected greater than"),
        (f"limits: [{{figure: {FALSE}, at_most: a}}]", "at_most = 'a'; expected a valid number"),
        ("judged_on: mean", "judged_on = 'mean'"),
        ("limit: []", "no such key"),
        ("limits: []", "limits = \\[\\]"),
        ("- 1", "a YAML mapping"),
        ("{", "valid YAML"),
    ],
)
def test_errors_name_key_value_and_what_is_allowed(text, said, tmp_path):
    (tmp_path / "limits.yaml").write_text(text)
    with pytest.raises(SettingError, match=said):
        read_limits(tmp_path / "limits.yaml")
