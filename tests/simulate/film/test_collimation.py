import numpy as np
import pytest

from hoseg.errors import SettingError
from hoseg.simulate.film.collimation import (
    SHAPES,
    Collimation,
    blades,
    field_mask,
    sample_collimation,
    shutter,
)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_exposes_a_good_part_of_the_film(shape):
    for seed in range(20):
        field = field_mask(sample_collimation(np.random.default_rng(seed), shape), (120, 160))
        assert field.shape == (120, 160)
        assert field.mean() > 0.1
    assert shape != "open" or field.all()


def test_a_rectangle_has_its_exact_corners():
    box = np.array([[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]])
    field = field_mask(Collimation("rectangle", (box,)), (100, 100))
    assert field[25:76, 25:76].all()
    assert field.sum() == 51 * 51


def test_blades_leave_the_field_alone_and_the_leak_outside():
    box = np.array([[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]])
    collimation = Collimation("rectangle", (box,), leak=0.05, penumbra_mm=1.0)
    field = field_mask(collimation, (100, 100))
    signal = blades(np.ones((100, 100), np.float32), field, collimation, 1.0)
    np.testing.assert_allclose(signal[:, :40], 1, atol=1e-3)
    np.testing.assert_allclose(signal[:, 60:], 0.05, atol=1e-3)


def test_the_shutter_paints_outside_only():
    collimation = Collimation("circle", circle=(0.5, 0.5, 0.4), shutter=1.0)
    field = field_mask(collimation, (90, 90))
    pixels = shutter(np.full((90, 90), 7, np.uint16), field, collimation, 10)
    assert (pixels[field] == 7).all()
    assert (pixels[~field] == 1023).all()


def test_unknown_shapes_are_refused():
    with pytest.raises(SettingError, match="triangle"):
        Collimation("triangle")
