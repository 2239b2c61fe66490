from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoseg.infer.tiles import blend_weights, predict_tiled, tile_windows

SIDES = st.integers(1, 200)


@given(SIDES, SIDES, st.sampled_from([0.0, 0.25, 0.5, 0.75]))
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
