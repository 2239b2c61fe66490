"""Normalisation: invariant to brightness and contrast, deaf to metal, saturation and borders."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoseg.imaging.intensity import CLIP, normalise, robust_levels


def tissue(seed: int = 0, shape=(120, 100)) -> np.ndarray:
    return np.random.default_rng(seed).normal(1000, 150, shape).astype(np.float32)


def test_tissue_has_zero_mean_and_unit_spread():
    out = normalise(tissue())
    assert out.dtype == np.float32
    assert abs(out.mean()) < 0.03
    assert out.std() == pytest.approx(1, abs=0.05)


@given(gain=st.floats(0.01, 100), offset=st.floats(-5000, 5000), seed=st.integers(0, 50))
def test_gain_and_offset_do_not_matter(gain, offset, seed):
    pixels = tissue(seed).astype(np.float64)
    np.testing.assert_allclose(normalise(pixels * gain + offset), normalise(pixels), atol=2e-2)


def test_metal_and_saturation_do_not_move_the_tissue():
    pixels = tissue()
    reference = normalise(pixels)
    spoiled = pixels.copy()
    spoiled[:30] = 4095  # metal at the end of the range
    spoiled[-20:] = 0  # burnt out
    out = normalise(spoiled)
    assert np.abs(out[30:-20] - reference[30:-20]).max() < 0.15
    assert out[:30].min() == CLIP
    assert out[-20:].max() == -CLIP


def test_only_the_field_counts_and_integers_pass():
    pixels = tissue().astype(np.uint16)
    field = np.zeros(pixels.shape, bool)
    field[20:90, 10:80] = True
    noisy = pixels.copy()
    noisy[~field] = np.random.default_rng(1).integers(0, 65535, (~field).sum())
    np.testing.assert_allclose(
        normalise(noisy, field)[field], normalise(pixels, field)[field], atol=1e-6
    )


@pytest.mark.parametrize("value", [0, 7.5])
def test_flat_and_empty_give_zero(value):
    flat = np.full((20, 20), value, np.float32)
    assert not normalise(flat).any()
    assert not normalise(tissue(), np.zeros((120, 100), bool)).any()
    assert robust_levels(tissue(), np.zeros((120, 100), bool)) == (0, 0)


def test_nan_is_the_centre():
    pixels = tissue()
    pixels[3, 4] = np.nan
    out = normalise(pixels)
    assert np.isfinite(out).all()
    assert out[3, 4] == 0


def test_statistics_of_a_large_film_equal_those_of_a_small_one():
    large = tissue(shape=(2000, 1800))
    centre, spread = robust_levels(large)
    assert centre == pytest.approx(1000, abs=3)
    assert spread == pytest.approx(150, rel=0.02)
