import numpy as np
import pytest

from hoseg.simulate.film.drawing import (
    add_fill,
    add_lines,
    blob_polygon,
    blurred_fill,
    blurred_lines,
    fractal_noise,
    oriented_noise,
    wandering_line,
)

SQUARE = np.array([[20.0, 30.0], [60.0, 30.0], [60.0, 70.0], [20.0, 70.0]])


def test_a_fill_has_its_area_and_height():
    image = blurred_fill((100, 100), [SQUARE], 0, 2.0)
    assert image.max() == pytest.approx(2.0)
    assert image.sum() == pytest.approx(2 * 40 * 40, rel=0.1)


def test_thin_lines_cover_part_of_a_pixel():
    line = [np.array([[10.0, 50.0], [90.0, 50.0]])]
    thin, thick = (blurred_lines((100, 100), line, width, 1.0).sum() for width in (0.3, 3.0))
    assert thin == pytest.approx(0.3 * 80, rel=0.2)
    assert thick == pytest.approx(3.0 * 80, rel=0.2)


@pytest.mark.parametrize("shift", [0.0, -45.0, 75.0, 5000.0])
def test_drawing_a_part_equals_drawing_the_whole(shift):
    layer = np.zeros((100, 100), np.float32)
    add_fill(layer, [SQUARE + shift], 1.0, 3.0)
    add_lines(layer, [SQUARE + shift], 2.0, 1.0)
    whole = blurred_fill((100, 100), [SQUARE + shift], 1.0, 3.0)
    whole += blurred_lines((100, 100), [SQUARE + shift], 2.0, 1.0)
    inside = (slice(8, 92), slice(8, 92))
    np.testing.assert_allclose(layer[inside], whole[inside], atol=0.05)


def test_nothing_to_draw_changes_nothing():
    layer = np.zeros((10, 10), np.float32)
    add_lines(layer, [], 1.0, 1.0)
    assert layer.max() == 0


@pytest.mark.parametrize("scale", [2.0, 9.0, 40.0, 400.0])
def test_noise_is_about_zero_mean_and_unit_spread(scale):
    fields = [fractal_noise((128, 96), scale, np.random.default_rng(s), 2) for s in range(60)]
    assert np.mean(fields) == pytest.approx(0, abs=0.35)
    assert np.sqrt(np.mean(np.square(fields))) == pytest.approx(1, abs=0.35)


def test_oriented_noise_is_longer_along_its_axis():
    field = oriented_noise((200, 200), (24, 3), 0.0, np.random.default_rng(0))
    down = np.mean(field[:-6] * field[6:])
    across = np.mean(field[:, :-6] * field[:, 6:])
    assert down > 0.5 * np.mean(field**2)
    assert abs(across) < 0.3 * np.mean(field**2)


def test_blobs_and_lines_have_the_asked_size():
    rng = np.random.default_rng(0)
    radii = np.hypot(*blob_polygon(10, rng, 0.1).T)
    assert radii.mean() == pytest.approx(10, rel=0.15)
    line = wandering_line(np.zeros(2), np.array([1.0, 0.0]), 50, 0.0, rng)
    assert line[-1][0] - line[0][0] == pytest.approx(50, rel=1e-6)
