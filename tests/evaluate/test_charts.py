"""Charts: numbers land where they belong; the same ones give the same bytes."""

import re
from xml.etree import ElementTree

import pytest

from hoseg.evaluate import charts
from hoseg.evaluate.charts import Axis, Curve

UNIT = Axis("x", 0, 1), Axis("y", 0, 1)
NAME = "李医生 $x_1$ <b>&"


def every_kind(label="chart"):
    return [
        charts.plot(
            *UNIT, [Curve([0, 0.5, 1], [0, 0.7, 1], NAME, dots=True)], label, diagonal=True
        ),
        charts.plot(
            Axis(zero=True), Axis(), [Curve([1, 2], [3, 4], line=False)], label, levels=[1]
        ),
        charts.matrix([[1, 0], [2, 3]], ("0", NAME), "truth", "predicted"),
        charts.forest([(NAME, 0.5, 0.4, 0.6, 3), ("b", 0.7, None, None, 2)], UNIT[0], label),
        charts.strips([(NAME, [0.1, 0.2, 0.9]), ("none", [])], UNIT[0], label),
    ]


def texts(svg):
    return ["".join(node.itertext()).strip() for node in parsed(svg).iter("text")]


def parsed(svg):
    return ElementTree.fromstring(svg.replace("xlink:href", "href"))


def dots(svg):
    """(x, y) in pixels of the dots of a plot."""
    found = parsed(svg).iter("use")
    return [(float(node.get("x")), float(node.get("y"))) for node in found]


def test_the_same_numbers_give_the_same_bytes():
    assert every_kind() == every_kind()


@pytest.mark.parametrize("svg", every_kind())
def test_nothing_is_fetched_and_names_from_outside_stay_text(svg):
    for fetching in ("http", "url(", "<image", "<style", "<script", "@import"):
        assert fetching not in svg
    if "李医生" in svg:
        assert NAME in texts(svg)
        assert "<b>" not in svg
    assert "font-family" not in svg


def test_charts_of_one_page_share_no_id():
    ids = [re.findall(r'id="([^"]*)"', svg) for name in "ab" for svg in every_kind(name)[:2]]
    every = [one for some in ids for one in some]
    assert every
    assert len(every) == len(set(every))


def test_dots_lie_where_their_numbers_are():
    svg = charts.plot(*UNIT, [Curve([0, 0.5, 1], [0, 0.25, 1], line=False, dots=True)], "p")
    left, right, top, bottom = 56, 380 - 14, 14, 300 - 48
    expected = [
        (left, bottom), ((left + right) / 2, bottom - 0.25 * (bottom - top)), (right, top)
    ]  # fmt: skip
    assert dots(svg) == [pytest.approx(place, abs=0.01) for place in expected]


def test_a_range_holds_zero_when_asked():
    near = charts.plot(Axis(), Axis(), [Curve([10, 11], [5, 6])], "p")
    with_zero = charts.plot(Axis(zero=True), Axis(zero=True), [Curve([10, 11], [5, 6])], "p")
    assert "0" not in texts(near)
    assert texts(with_zero).count("0") == 2


def test_a_matrix_says_counts_and_shares_of_the_row():
    shown = texts(charts.matrix([[3, 1], [0, 0]], ("0", "I"), "truth", "predicted"))
    assert [shown.count(text) for text in ("75 %", "25 %", "3", "truth", "predicted")] == [1] * 5
    assert "0 %" not in shown


def test_a_forest_has_a_row_a_stratum_with_its_number():
    svg = charts.forest(
        [("all", 0.5, 0.4, 0.6, 30), ("view: ap", 0.7, None, None, 2)], UNIT[0], "f"
    )
    assert {"all", "view: ap", "n 30", "n 2"} <= set(texts(svg))
    (first, above), (second, below) = dots(svg)
    assert above < below
    assert second - first == pytest.approx(0.2 * (540 - 186 - 62), abs=0.1)
