"""To the network's grid and exactly back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoseg.errors import SettingError
from hoseg.imaging.prepare import ASSUMED_LONG_SIDE_MM, prepare, restore
from hoseg.imaging.resample import GridWindow, grid_window, make_grid, to_grid
from hoseg.radiograph import Display, Grid, Radiograph, Spacing, SpacingSource

from .films import pelvis_like


def spacing(row_mm: float, column_mm: float | None = None) -> Spacing:
    return Spacing(row_mm, column_mm or row_mm, 0.04, SpacingSource.USER)


@given(
    top=st.integers(0, 50),
    left=st.integers(0, 50),
    height=st.integers(8, 300),
    width=st.integers(8, 300),
    row_mm=st.floats(0.08, 0.4),
    column_mm=st.floats(0.08, 0.4),
)
def test_grid_divides_its_window_exactly(top, left, height, width, row_mm, column_mm):
    window = GridWindow(top, left, top + height, left + width)
    grid = make_grid(window, (row_mm, column_mm), (0.5, 0.5))
    assert grid_window(grid) == window
    for n, step, length in zip(grid.shape, grid.step_px, (height, width), strict=True):
        assert n * step == pytest.approx(length)
    for got, own, step in zip(grid.spacing_mm, (row_mm, column_mm), grid.step_px, strict=True):
        assert got == pytest.approx(own * step)
    # As near to the wish as whole pixels allow.
    for n, length, mm in zip(grid.shape, (height, width), (row_mm, column_mm), strict=True):
        assert abs(n - length * mm / 0.5) <= 0.5 or n == 1


def test_a_ramp_keeps_its_place_both_ways():
    """A linear ramp sampled at pixel centres shows any shift of a grid at once."""
    ramp = np.add.outer(2.0 * np.arange(200), 3.0 * np.arange(150)).astype(np.float32)
    for target in (0.5, 0.37, 0.06):
        grid = make_grid(GridWindow(10, 20, 190, 140), (0.1, 0.1), (target, target))
        small = to_grid(ramp, grid)
        rows = grid.origin_px[0] + grid.step_px[0] * np.arange(grid.shape[0])
        columns = grid.origin_px[1] + grid.step_px[1] * np.arange(grid.shape[1])
        expected = np.add.outer(2.0 * rows, 3.0 * columns)
        inner = (slice(2, -2), slice(2, -2))
        np.testing.assert_allclose(small[inner], expected[inner], atol=0.2)  # 0.06 pixels


def test_shrinking_averages_instead_of_picking():
    noise = np.random.default_rng(0).normal(0, 1, (400, 400)).astype(np.float32)
    small = to_grid(noise, make_grid(GridWindow(0, 0, 400, 400), (0.1, 0.1), (0.8, 0.8)))
    assert small.std() == pytest.approx(1 / 8, rel=0.1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64])
def test_types_that_films_have(dtype):
    image = (np.arange(60 * 80).reshape(60, 80) % 200).astype(dtype)
    out = to_grid(image, make_grid(GridWindow(0, 0, 60, 80), (0.2, 0.2), (0.5, 0.5)))
    assert out.shape == (24, 32)
    assert abs(float(out.mean()) - float(image.mean())) < 1.5


def test_grid_off_the_pixel_edges_is_refused():
    with pytest.raises(SettingError, match="pixel edges"):
        grid_window(Grid((10, 10), (0.3, 0.3), (1.0, 1.0), (0.5, 0.5)))


@settings(max_examples=25)
@given(
    row=st.floats(60, 240),
    column=st.floats(60, 180),
    radius=st.floats(20, 50),
    mm=st.floats(0.12, 0.45),
)
def test_a_disc_comes_back_where_it_was(row, column, radius, mm):
    """Masks land on the original grid: area and centre of a disc survive the way to and fro."""
    rows, columns = np.mgrid[:300, :240]
    disc = ((rows - row) ** 2 + (columns - column) ** 2 <= radius**2).astype(np.float32)
    film = Radiograph(pelvis_like((300, 240)), "film", spacing(mm))
    prepared = prepare(film, 0.5)
    seen = to_grid(disc, prepared.grid)
    probabilities = np.repeat((seen * 255).round().astype(np.uint8)[None], 4, axis=0)
    masks = restore(probabilities, prepared)
    assert masks.shape == film.shape
    found = masks == 15
    step = max(prepared.grid.step_px)
    assert found.sum() == pytest.approx(disc.sum(), rel=0.02 + 0.25 * step / radius)
    rim = 0.1 + 0.15 * step
    assert np.abs(np.argwhere(found).mean(0) - np.argwhere(disc > 0).mean(0)).max() < rim


def test_bits_thresholds_and_field():
    film = Radiograph(pelvis_like((300, 240)), "film", spacing(0.25))
    prepared = prepare(film, 0.5)
    h, w = prepared.grid.shape
    probabilities = np.zeros((4, h, w), np.uint8)
    probabilities[1], probabilities[3] = 128, 100
    assert np.unique(restore(probabilities, prepared)).tolist() == [2]
    assert np.unique(restore(probabilities, prepared, (0.5, 0.51, 0.5, 0.3))).tolist() == [8]
    probabilities[:] = 255
    prepared.field[:, : w // 2] = False
    masks = restore(probabilities, prepared)
    assert not masks[:, : 240 // 2 - 2].any()
    assert (masks[:, 240 // 2 + 2 :] == 15).all()


def test_zero_probability_never_counts():
    film = Radiograph(pelvis_like((300, 240)), "film", spacing(0.25))
    prepared = prepare(film, 0.5)
    masks = restore(np.zeros((4, *prepared.grid.shape), np.uint8), prepared, (0.001,) * 4)
    assert not masks.any()


def test_without_millimetres_the_scale_is_assumed_and_said():
    film = Radiograph(pelvis_like((600, 480)), "film")
    prepared = prepare(film, 0.5)
    assert "scale_assumed" in {n.code for n in prepared.notes}
    assert max(prepared.grid.shape) == round(ASSUMED_LONG_SIDE_MM / 0.5)


def test_anisotropic_spacing_becomes_isotropic():
    film = Radiograph(pelvis_like((600, 300)), "film", spacing(0.1, 0.2))
    prepared = prepare(film, 0.5)
    assert prepared.grid.shape == (120, 120)
    assert prepared.grid.spacing_mm == pytest.approx((0.5, 0.5))


def test_inverted_film_looks_the_same_to_the_network():
    pixels = pelvis_like((400, 320))
    plain = prepare(Radiograph(pixels, "a", spacing(0.3)))
    negative = prepare(
        Radiograph(
            (4095 - pixels).astype(np.uint16), "b", spacing(0.3), display=Display(inverted=True)
        )
    )
    assert negative.inverted
    np.testing.assert_allclose(negative.pixels, plain.pixels, atol=0.02)


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf")])
def test_spacing_must_be_positive(bad):
    with pytest.raises(SettingError, match="spacing_mm"):
        prepare(Radiograph(pelvis_like((300, 240)), "film"), bad)


def test_foreign_probabilities_are_refused():
    prepared = prepare(Radiograph(pelvis_like((300, 240)), "film", spacing(0.25)))
    h, w = prepared.grid.shape
    with pytest.raises(SettingError, match="shape"):
        restore(np.zeros((4, h + 1, w), np.uint8), prepared)
    with pytest.raises(SettingError, match="dtype"):
        restore(np.zeros((4, h, w), np.float32), prepared)
    with pytest.raises(SettingError, match="thresholds"):
        restore(np.zeros((4, h, w), np.uint8), prepared, (0.5, 0.5, 0.5, 1.5))


def test_restore_equals_resizing_each_channel_at_float_precision():
    film = Radiograph(pelvis_like((300, 240)), "film", spacing(0.25))
    prepared = prepare(film, 0.5)
    h, w = prepared.grid.shape
    soft = cv2.GaussianBlur(np.random.default_rng(3).random((h, w)).astype(np.float32), (0, 0), 3)
    soft = (soft - soft.min()) / (soft.max() - soft.min())
    probabilities = np.repeat((soft * 255).round().astype(np.uint8)[None], 4, axis=0)
    exact = cv2.resize(soft, (240, 300), interpolation=cv2.INTER_LINEAR) >= 0.5
    assert ((restore(probabilities, prepared) == 15) == exact).mean() > 0.985


def test_oblong_pixels_without_millimetres_are_made_square():
    """Half the rows, each twice as far apart: the network sees the same film."""
    full = pelvis_like((600, 480))
    square = prepare(Radiograph(full, "square"), 2.0)
    oblong = prepare(Radiograph(full[::2], "oblong", aspect=2.0), 2.0)
    np.testing.assert_allclose(oblong.grid.shape, square.grid.shape, atol=2)
    assert oblong.grid.step_px[0] == pytest.approx(square.grid.step_px[0] / 2, rel=0.02)
