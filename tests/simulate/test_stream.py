from dataclasses import replace

import numpy as np
import pytest

from hoseg.errors import SettingError
from hoseg.radiograph import Structure
from hoseg.simulate.film.film import RenderSettings
from hoseg.simulate.stream import (
    StreamSettings,
    geometry_layers,
    render_crop,
)
from simulate.simple_layers import layers

SMALL = StreamSettings(size_px=96, spacing_mm=1.6)


def test_a_geometry_depends_on_seed_and_index_alone():
    first, second = (geometry_layers(7, 1, SMALL) for _ in range(2))
    np.testing.assert_array_equal(first.masks, second.masks)
    np.testing.assert_array_equal(first.lengths_mm, second.lengths_mm)
    assert first.frame == second.frame


def test_crops_have_the_size_and_a_spacing_within_the_zoom():
    for seed in range(12):
        film = render_crop(layers(), np.random.default_rng(seed), SMALL)
        assert film.pixels.shape == film.masks.shape == film.ignore.shape == (96, 96)
        assert 0.75 * 1.6 - 1e-9 <= film.spacing_mm <= 1.35 * 1.6 + 1e-9


def test_crops_aim_at_ossification_when_asked():
    plain = RenderSettings(fluoroscopy=0, randomise=False)

    def share(near):
        settings = replace(SMALL, size_px=48, spacing_mm=1.0, near_ossification=near, render=plain)
        films = [render_crop(layers(), np.random.default_rng(s), settings) for s in range(30)]
        return np.mean([((f.masks & Structure.OSSIFICATION) > 0).any() for f in films])

    assert share(1.0) > 0.9
    assert share(0.0) < 0.7


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("size_px", 8),
        ("spacing_mm", 0),
        ("zoom", (1.2, 0.8)),
        ("near_ossification", 1.2),
    ],
)
def test_bad_settings_name_the_key(key, value):
    with pytest.raises(SettingError, match=key):
        StreamSettings(**{key: value})
