from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoseg.infer.windows import PAD_VALUE, NetworkWindow, cut, field_window, paste

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
