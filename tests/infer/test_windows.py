from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoseg.infer.windows import (
    PAD_VALUE,
    NetworkWindow,
    blend_weights,
    cut,
    field_window,
    paste,
    predict_tiled,
    tile_windows,
)

SIDES = st.integers(1, 90)


@given(SIDES, SIDES, st.data())
def test_window_covers_the_field_on_the_networks_lattice(height, width, data):
    top = data.draw(st.integers(0, height - 1))
    left = data.draw(st.integers(0, width - 1))
    bottom = data.draw(st.integers(top + 1, height))
    right = data.draw(st.integers(left + 1, width))
    field = np.zeros((height, width), bool)
    field[top:bottom, left:right] = True
    window = field_window(field, step=16, stride=8)
    assert window.top % 8 == 0
    assert window.left % 8 == 0
    assert window.shape[0] % 16 == 0
    assert window.shape[1] % 16 == 0
    assert window.top <= top
    assert window.left <= left
    assert window.top + window.shape[0] >= bottom
    assert window.left + window.shape[1] >= right


@given(SIDES, SIDES)
def test_cut_and_paste_return_every_pixel(height, width):
    film = np.arange(height * width, dtype=np.float32).reshape(height, width) % 251
    field = np.ones(film.shape, bool)
    window = field_window(field, step=16, stride=16)
    inside = cut(film, window)
    np.testing.assert_array_equal(paste(inside[None].astype(np.uint8), window, field)[0], film)


def test_smallest_window_of_a_collimated_film():
    field = np.zeros((200, 300), bool)
    field[64:90, 130:160] = True
    assert field_window(field, step=16, stride=16) == NetworkWindow(64, 128, (32, 32))


def test_real_pixels_are_taken_before_padding():
    field = np.zeros((64, 64), bool)
    field[40:64, 40:64] = True
    assert field_window(field, step=16, stride=16) == NetworkWindow(32, 32, (32, 32))


def test_beyond_the_film_is_padding():
    out = cut(np.ones((3, 4), np.float32), NetworkWindow(0, 0, (8, 8)))
    assert out[:3, :4].min() == 1
    assert set(np.unique(out[3:])) == {PAD_VALUE}


def test_an_empty_field_means_the_whole_film():
    assert field_window(np.zeros((40, 50), bool), 16, 16) == NetworkWindow(0, 0, (48, 64))


def test_nothing_outside_the_field():
    field = np.zeros((40, 50), bool)
    field[10:20, 10:30] = True
    window = field_window(field, 16, 16)
    out = paste(np.full((4, *window.shape), 200, np.uint8), window, field)
    assert out[:, field].min() == 200
    assert out[:, ~field].max() == 0


@pytest.mark.parametrize("offset", [(0, 0), (-4, 8), (36, -20)])
def test_windows_may_reach_over_any_edge(offset):
    film = np.random.default_rng(0).random((40, 50)).astype(np.float32)
    inside = cut(film, NetworkWindow(*offset, (32, 32)))
    rows = [i for i in range(32) if 0 <= i + offset[0] < 40]
    columns = [j for j in range(32) if 0 <= j + offset[1] < 50]
    for i in rows:
        for j in columns:
            assert inside[i, j] == film[i + offset[0], j + offset[1]]


@given(st.integers(1, 200), st.integers(1, 200), st.sampled_from([0.0, 0.25, 0.5, 0.75]))
def test_tiles_cover_every_pixel_with_the_overlap_asked_for(height, width, overlap):
    tile = (64, 48)
    windows = tile_windows((height, width), tile, overlap)
    seen = np.zeros((height, width), int)
    for window in windows:
        assert window.shape == tile
        assert window.top % 2 == 0
        assert window.left % 2 == 0
        seen[window.top : window.top + 64, window.left : window.left + 48] += 1
    assert seen.min() >= 1
    for starts, side in (
        (sorted({w.top for w in windows}), 64),
        (sorted({w.left for w in windows}), 48),
    ):
        assert all(b - a <= side * (1 - overlap) + 2 for a, b in pairwise(starts))


def test_weights_are_one_inside_and_fall_to_the_border():
    weights = blend_weights((64, 64), 0.25)
    assert weights[32, 32] == 1
    assert weights[0, 0] < 0.01
    np.testing.assert_allclose(weights, weights[::-1, ::-1])
    assert weights.min() > 0


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_a_pointwise_network_gives_the_same_with_and_without_tiles(overlap):
    film = np.random.default_rng(0).uniform(0, 255, (100, 130)).astype(np.float32)
    found = predict_tiled(film, (32, 48), overlap, lambda tile: tile[None].astype(np.uint8))
    np.testing.assert_array_equal(found[0], film.astype(np.uint8))


def test_seams_are_blended_not_cut():
    """Tiles that answer with their number give steps; blended, no step is larger than a few."""
    count = iter(range(100))
    film = np.zeros((32, 200), np.float32)
    found = predict_tiled(
        film, (32, 64), 0.5, lambda tile: np.full((1, 32, 64), 20 * next(count), np.uint8)
    )
    assert found.max() >= 60
    assert np.abs(np.diff(found[0, 16].astype(int))).max() <= 3


def test_each_pixel_is_the_weighted_mean_of_its_tiles():
    film = np.zeros((32, 96), np.float32)
    answers = iter([np.full((1, 32, 64), value, np.uint8) for value in (100, 200)])
    found = predict_tiled(film, (32, 64), 0.5, lambda tile: next(answers))
    weights = blend_weights((32, 64), 0.5)
    left, right = weights[16, 32:64], weights[16, 0:32]
    expected = np.rint((100 * left + 200 * right) / (left + right))
    np.testing.assert_array_equal(found[0, 16, 32:64], expected.astype(np.uint8))
