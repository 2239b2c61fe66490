from dataclasses import fields

import numpy as np
import pytest

from hoseg.errors import SettingError
from hoseg.simulate.film.confounders import ConfounderRates, draw_confounders, sample_kinds
from simulate.simple_layers import frame

KINDS = [entry.name for entry in fields(ConfounderRates)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_drawn_and_is_seen(kind):
    drawn = 0.0
    for seed in range(8):
        sheet = draw_confounders(
            frame((400, 400), 1.0),
            (400, 400),
            (kind,),
            np.random.default_rng(seed),
            np.full((400, 400), 40, np.float32),
        )
        for layer in (sheet.calcium_mm, sheet.metal_mm, sheet.cement_mm):
            assert layer.min() >= 0
            drawn += float(layer.sum())
        assert sheet.kinds == (kind,)
    assert drawn > 1


def test_frequencies_are_those_that_were_set():
    rates = ConfounderRates(phleboliths=0.5, coin=0.0, zip=1.0, drain=0.1)
    rng = np.random.default_rng(0)
    films = [sample_kinds(rates, rng) for _ in range(2000)]
    for kind in KINDS:
        expected = getattr(rates, kind)
        seen = np.mean([kind in film for film in films])
        assert seen == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 2000))


def test_nothing_is_drawn_when_nothing_is_asked():
    sheet = draw_confounders(frame(), (192, 192), (), np.random.default_rng(0))
    assert sheet.calcium_mm.max() == sheet.metal_mm.max() == sheet.cement_mm.max() == 0


@pytest.mark.parametrize("value", [-0.1, 1.5])
def test_rates_are_probabilities(value):
    with pytest.raises(SettingError, match="coin"):
        ConfounderRates(coin=value)


def test_unknown_kinds_are_refused():
    with pytest.raises(SettingError, match="dragon"):
        draw_confounders(frame(), (64, 64), ("dragon",), np.random.default_rng(0))


def test_contrast_medium_fills_the_bladder_alone():
    bladder = np.zeros((192, 192), np.float32)
    bladder[80:120, 90:130] = 50
    sheet = draw_confounders(
        frame(), (192, 192), ("bladder_contrast",), np.random.default_rng(0), bladder
    )
    assert np.array_equal(sheet.calcium_mm > 0, bladder > 0)


def test_metal_left_by_surgery_is_left_open_and_what_lies_outside_is_not():
    shape = (400, 400)
    inside, outside = (
        draw_confounders(frame(shape, 1.0), shape, kinds, np.random.default_rng(1))
        for kinds in (("clips",), ("coin", "zip"))
    )
    np.testing.assert_array_equal(inside.loose, inside.metal_mm > 0)
    assert inside.loose.any()
    assert not outside.loose.any()
