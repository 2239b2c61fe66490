import numpy as np
import pytest

from hoseg.errors import SettingError
from hoseg.simulate.film.processing import Processing, equalise, process, sample_processing

EVERYWHERE = np.ones((96, 96), bool)


def _ramp():
    return np.exp(-np.linspace(0, 4, 96, dtype=np.float32))[None].repeat(96, 0)


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_pixels_fill_the_bits_and_rise_with_density(bits):
    recipe = Processing(compression=1, detail=(1, 1, 1), bits=bits, curve="linear", margin=0)
    pixels = process(_ramp(), EVERYWHERE, recipe, 0.6)
    assert pixels.dtype == np.uint16
    assert pixels.min() == 0
    assert pixels.max() == 2**bits - 1
    assert (np.diff(pixels[40].astype(int)) >= 0).all()


def test_dark_bone_is_the_exact_negative():
    bright = process(_ramp(), EVERYWHERE, Processing(), 0.6).astype(int)
    dark = process(_ramp(), EVERYWHERE, Processing(dark_bone=True), 0.6).astype(int)
    assert np.abs(bright + dark - 4095).max() <= 1


def test_unit_gains_change_nothing():
    density = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    same = equalise(density, Processing(compression=1, detail=(1, 1, 1)), 0.6)
    np.testing.assert_allclose(same, density, atol=1e-4)


def test_compression_shrinks_slow_changes_and_keeps_fine_ones():
    x = np.arange(400)
    slow = np.sin(x / 60)[None].repeat(400, 0).astype(np.float32)
    fine = np.sin(x * 2.0)[None].repeat(400, 0).astype(np.float32)
    recipe = Processing(compression=0.4, base_mm=10, detail=(1, 1, 1))
    assert equalise(slow, recipe, 1.0)[200, 50:350].std() < 0.55 * slow[200, 50:350].std()
    assert equalise(fine, recipe, 1.0)[200, 50:350].std() > 0.95 * fine[200, 50:350].std()


def test_the_window_looks_only_at_the_field():
    signal = _ramp()
    field = EVERYWHERE.copy()
    field[:20] = False
    signal[:20] = 1e-5
    recipe = Processing(compression=1, detail=(1, 1, 1), curve="linear")
    inside = process(signal, field, recipe, 0.6)[40:]
    assert np.ptp(inside.astype(int)) > 3500


def test_no_drawn_recipe_washes_the_film_out():
    for seed in range(60):
        recipe = sample_processing(np.random.default_rng(seed))
        pixels = process(_ramp(), EVERYWHERE, recipe, 0.6) / (2**recipe.bits - 1)
        assert pixels.std() > 0.08


@pytest.mark.parametrize("bad", [{"curve": "cubic"}, {"bits": 3}, {"window": (50.0, 10.0)}])
def test_bad_recipes_name_the_setting(bad):
    with pytest.raises(SettingError, match=next(iter(bad))):
        Processing(**bad)


def test_thick_anatomy_beside_a_thin_thigh_keeps_its_structure():
    thigh = np.full((96, 96), np.exp(-2.0), np.float32)
    thigh[:20] = np.exp(-np.linspace(4.6, 5.6, 96, dtype=np.float32))  # a pelvis above it
    recipe = Processing(compression=1, detail=(1, 1, 1), window=(1, 99.9), curve="linear")
    pelvis = process(thigh, EVERYWHERE, recipe, 0.6)[:10].astype(int)
    assert np.ptp(pelvis) > 500
    assert (pelvis == 4095).mean() < 0.05


def test_metal_does_not_decide_the_window():
    signal = _ramp()
    metal = np.zeros_like(EVERYWHERE)
    metal[30:60, 30:60] = True
    with_metal = np.where(metal, np.float32(1e-4), signal)
    recipe = Processing(compression=1, detail=(1, 1, 1), window=(1, 98.5), curve="linear")
    beside = process(with_metal, EVERYWHERE, recipe, 0.6, metal)[90].astype(int)
    alone = process(signal, EVERYWHERE, recipe, 0.6)[90].astype(int)
    assert np.abs(beside - alone).max() < 0.08 * 4095
