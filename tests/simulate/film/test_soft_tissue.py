import numpy as np
import pytest

from hoseg.simulate.body.frame import BodyFrame
from hoseg.simulate.film.soft_tissue import Body, sample_body, soft_tissue

SHAPE = (240, 240)


def _frame(spacing_mm=2.0):
    return BodyFrame(
        (119.5, 100.0), (1, 0), (0, 1), 88.0, ((-0.1, 0.995), (0.1, 0.995)), spacing_mm
    )


@pytest.mark.parametrize("seed", range(6))
def test_lengths_are_possible(seed):
    rng = np.random.default_rng(seed)
    tissue = soft_tissue(_frame(), SHAPE, sample_body(rng), rng)
    for layer in (tissue.body_mm, tissue.fat_mm, tissue.gas_mm):
        assert layer.shape == SHAPE
        assert layer.dtype == np.float32
        assert np.isfinite(layer).all()
        assert layer.min() >= 0
    assert (tissue.fat_mm <= tissue.body_mm + 1e-3).all()
    assert (tissue.gas_mm <= tissue.body_mm + 1e-3).all()
    assert 100 < np.median(tissue.body_mm[80:100, 100:140]) < 450


def test_obese_patients_are_thicker_and_fatter():
    thin = Body(0.0, 165, 165, 10, 90, 72)
    obese = Body(1.0, 250, 315, 70, 90, 117)
    lean, fat = (soft_tissue(_frame(), SHAPE, b, np.random.default_rng(2)) for b in (thin, obese))
    assert np.median(fat.body_mm[60:110]) > 1.3 * np.median(lean.body_mm[60:110])
    share = [t.fat_mm.sum() / t.body_mm.sum() for t in (lean, fat)]
    assert share[1] > share[0]


def test_nothing_lies_between_the_thighs_far_below():
    tissue = soft_tissue(_frame(), SHAPE, Body(0.1, 170, 180, 12, 80, 70), np.random.default_rng(0))
    assert tissue.body_mm[-3, 119] < 40
    assert tissue.body_mm[-3, 60] > 60


def test_the_same_generator_state_gives_the_same_body():
    pair = [
        soft_tissue(
            _frame(), SHAPE, sample_body(np.random.default_rng(4)), np.random.default_rng(4)
        )
        for _ in range(2)
    ]
    np.testing.assert_array_equal(pair[0].body_mm, pair[1].body_mm)
    np.testing.assert_array_equal(pair[0].gas_mm, pair[1].gas_mm)


def test_coordinates_and_pixels_are_inverse():
    frame = BodyFrame((30.0, 50.0), (-0.8, 0.6), (0.6, 0.8), 88, ((0, 1), (0, 1)), 0.7)
    u, v = frame.coordinates((90, 80))
    point = frame.to_px(np.array([[u[70, 20], v[70, 20]]]))
    np.testing.assert_allclose(point, [[20, 70]], atol=1e-3)
