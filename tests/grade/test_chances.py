from dataclasses import replace

import numpy as np
import pytest

from hoseg.errors import ModelError
from hoseg.grade import grade_masks
from hoseg.grade.chances import (
    BY_CLOSE_UP,
    MEASUREMENTS,
    ClassModel,
    abstain_if_unlikely,
    apply_class_model,
    measure_hips,
    nearest_hip,
    read_class_model,
    suspicion,
    write_class_model,
)
from hoseg.grade.finding import HipFinding
from hoseg.grade.summary import find_caveats, worded
from hoseg.radiograph import Geometry, Grid, Segmentation

from .scene import Scene, known, opposing_boxes, read

KNOWN = known((0.5, 0.5))
STEPS = np.log([9.0, 3.0, 1.0, 1 / 3])
"""Log odds of 0.9, 0.75, 0.5 and 0.25."""


def constant(bias=tuple(STEPS), weights=((0.0,),) * 4, names=("drawn_from_1",)):
    shares = (0.2,) * 5
    return ClassModel(names, (0.0,), (1.0,), weights, tuple(map(float, bias)), shares, 100)


def plane(values, step=(1.0, 1.0), spacing_mm=(0.5, 0.5)):
    """What a network found that gives ossification these probabilities x 255, and nothing else."""
    stack = np.zeros((4, *values.shape), np.uint8)
    stack[3] = values
    grid = Grid(values.shape, (0.0, 0.0), step, spacing_mm)
    return Segmentation(np.zeros(values.shape, np.uint8), stack, grid, "network")


def film(ossification=(), geometry=KNOWN, **options):
    """A film's findings, and the film: its network gives nothing but ossification."""
    masks = Scene(ossification).masks()
    found = np.zeros((4, *masks.shape), np.uint8)
    found[3] = np.where(masks & 8, 250, 0)
    return grade_masks(masks, geometry, **options), read(masks, geometry, found=found)


def test_probabilities_are_differences_of_the_four_regressions():
    found = constant().probabilities(np.zeros((1, 1)))[0]
    assert found == pytest.approx([0.1, 0.15, 0.25, 0.25, 0.25])


def test_a_measurement_moves_them_by_its_standardised_weight():
    model = replace(constant(weights=((2.0,),) * 4), centre=(0.5,), scale=(0.25,))
    low, middle, high = model.probabilities(np.array([[0.25], [0.5], [0.75]]))
    assert middle == pytest.approx([0.1, 0.15, 0.25, 0.25, 0.25])
    for chances, shift in ((low, -2), (high, 2)):
        at_least = np.cumsum(chances[::-1])[::-1][1:]
        assert np.log(at_least / (1 - at_least)) == pytest.approx(STEPS + shift)


def test_regressions_that_cross_give_no_negative_probability():
    found = constant(bias=(0.0, 2.0, -1.0, 3.0)).probabilities(np.zeros((1, 1)))[0]
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1)
    assert found[1] == 0
    assert found[3] == 0


def test_the_model_replaces_the_chances_of_brooker_and_nothing_of_the_reading():
    findings, reading = film(opposing_boxes(9.0))
    (before,), (after,) = findings, map(worded, apply_class_model(findings, reading, constant()))
    assert after.brooker_probabilities == pytest.approx((0.1, 0.15, 0.25, 0.25, 0.25))
    assert after.brooker == before.brooker == 3
    assert (after.trace, after.classes) == (before.trace, before.classes)
    assert after.probabilities("della_valle") == before.probabilities("della_valle")
    sources = (before.class_probabilities_from, after.class_probabilities_from)
    assert sources == ("draws", "model")
    assert after.summary.startswith("III (25 %), II 25 %, IV 25 %, others 25 %: gap 9.0 mm")
    said = {note.code: note.text for note in after.caveats}
    assert said["two_classes_likely"].startswith("beside III likely as well: II, because ")


def test_a_class_that_the_model_finds_unlikely_is_not_given():
    findings, reading = film(opposing_boxes(9.0))
    two = constant(bias=(5.0, 5.0, -2.1, -5.0))
    (after,) = map(worded, apply_class_model(findings, reading, two))
    assert (after.brooker, set(after.classes.values())) == (None, {None})
    assert (after.abstained, after.at_least) == ("unlikely_class", 2)
    assert after.brooker_probabilities == pytest.approx(
        (0.0067, 0.0, 0.8843, 0.1023, 0.0067), abs=1e-3
    )
    assert after.summary == (
        "not graded: the rules give III, but of simulated hips that looked like this 10 % were III "
        "and 88 % II; at least II from what is visible"
    )


@pytest.mark.parametrize("chance", [0.11, 0.199])
def test_one_rule_for_every_class(chance):
    for given in range(5):
        others = [(1 - chance) / 4] * 5
        others[given] = chance
        finding = HipFinding(
            side="left",
            classes={"brooker": given},
            class_probabilities={"brooker": tuple(others)},
            class_probabilities_from="model",
        )
        assert abstain_if_unlikely(finding).abstained == "unlikely_class"
        others[given] = 0.2
        likely = finding.model_copy(update={"class_probabilities": {"brooker": tuple(others)}})
        assert abstain_if_unlikely(likely) == likely


def test_a_caveat_says_that_another_class_is_much_likelier():
    findings, reading = film(opposing_boxes(9.0))
    mostly_two = constant(bias=(5.0, 5.0, -1.0, -5.0))
    codes = [n.code for n in find_caveats(apply_class_model(findings, reading, mostly_two)[0])]
    assert "other_class_likelier" in codes
    mostly_three = constant(bias=(5.0, 5.0, 2.0, -5.0))
    codes = [n.code for n in find_caveats(apply_class_model(findings, reading, mostly_three)[0])]
    assert "other_class_likelier" not in codes


def test_hips_without_a_class_without_draws_or_without_millimetres_stay_as_they_are():
    spurs = opposing_boxes(9.0)
    _, reading = film(spurs)
    no_femur = grade_masks(Scene(spurs).masks() & ~np.uint8(2), KNOWN)
    for findings in (film(spurs, Geometry())[0], no_femur, film(spurs, draws=0)[0]):
        assert measure_hips(findings, reading, ("suspect",)) == [None]
        assert apply_class_model(findings, reading, constant()) == findings


def test_measurements_of_known_hips():
    names = tuple(MEASUREMENTS)
    findings, reading = film(opposing_boxes(9.0))
    spurs = dict(zip(names, measure_hips(findings, reading, names)[0], strict=True))
    assert spurs["opposing_spurs"] == 1
    assert spurs["drawn_from_1"] == spurs["drawn_from_2"] == 1
    assert spurs["suspect_alone"] == 0
    findings, reading = film()
    none = dict(zip(names, measure_hips(findings, reading, names)[0], strict=True))
    silent = np.log(0.5 / 254.5)
    assert none["suspect_alone"] == pytest.approx(silent)
    assert {n for n, v in none.items() if v} == {"suspect", "suspect_alone"}


def test_what_a_network_says_of_the_close_up_is_a_measurement():
    class Network:
        def log_odds(self, close_ups):
            assert [shown.shape for shown in close_ups] == [(5, 128, 128)]
            return np.array([[3.0, 1.0, -1.0, -2.0]])

    findings, picture = film(opposing_boxes(9.0))
    assert measure_hips(findings, picture, BY_CLOSE_UP, Network())[0].tolist() == [3, 1, -1, -2]
    assert measure_hips(findings, picture, BY_CLOSE_UP)[0].tolist() == [0, 0, 0, 0]


def test_suspicion_is_what_a_quarter_of_a_square_centimetre_reaches():
    values = np.zeros((40, 100), np.uint8)
    values[5:15, 5:15] = 200  # 100 px of 0.25 mm2: 25 mm2
    assert suspicion(plane(values)) == pytest.approx(200 / 255)
    assert suspicion(plane(values), [None], 0) == pytest.approx(200 / 255)
    values[5, 5] = 90
    assert suspicion(plane(values)) == pytest.approx(90 / 255)
    assert suspicion(plane(np.full((9, 9), 255, np.uint8))) == 0  # less than 25 mm2 in all


def test_suspicion_belongs_to_the_nearer_head():
    values = np.zeros((40, 100), np.uint8)
    values[5:15, 5:15] = 200
    probabilities = plane(values, step=(2.0, 2.0))
    heads = [(40.0, 40.0), (40.0, 160.0)]
    assert suspicion(probabilities, heads, 0) == pytest.approx(200 / 255)
    assert suspicion(probabilities, heads, 1) == 0
    assert suspicion(probabilities, [None, heads[1]], 1) == pytest.approx(200 / 255)


def test_the_nearest_hip_splits_the_film_between_the_heads():
    film = Grid((40, 100), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0))
    first, second = (nearest_hip([(10, 20), (10, 80)], i, film) for i in range(2))
    assert (first ^ second).all()
    assert first[:, :51].all()  # column 50 is as near to both: the first hip's
    assert second[:, 51:].all()


def test_the_nearest_hip_on_a_grid_follows_its_place_on_the_film():
    grid = Grid((20, 25), (0.0, 40.0), (2.0, 2.0), (1.0, 1.0))  # columns 40, 42, ... 88
    first = nearest_hip([(10, 20), (10, 80)], 0, grid)
    assert first[0].tolist() == [40 + 2 * j <= 50 for j in range(25)]


def test_one_hip_or_an_unknown_head_owns_the_film():
    film = Grid((4, 5), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0))
    for heads, index in (([], 0), ([None], 0), ([None, None], 1), ([(1, 1), None], 0)):
        assert nearest_hip(heads, index, film).all()


def test_a_card_keeps_the_model():
    model = constant()
    again = read_class_model(write_class_model(model), "card.json")
    assert again is not None
    assert write_class_model(again) == write_class_model(model)
    assert read_class_model(None, "card.json") is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"measurements": ["colour"]}, "colour"),
        ({"centre": [0.0, 1.0]}, "one number a measurement"),
        ({"weights": [[0.0]]}, "four rows"),
        ({"scale": [0.0]}, "scale above 0"),
        ({"bias": [0.0, 0.0, 0.0, "x"]}, "bias.3"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_by_name(change, named):
    facts = {**write_class_model(constant()), **change}
    with pytest.raises(ModelError, match="model-x") as error:
        read_class_model(facts, "model-x")
    assert named in str(error.value)
