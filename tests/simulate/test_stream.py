from dataclasses import replace

import numpy as np
import pytest

from hoseg.errors import SettingError
from hoseg.radiograph import Structure
from hoseg.simulate import stream
from hoseg.simulate.film.film import RenderSettings
from hoseg.simulate.stream import (
    StreamSettings,
    crop,
    crops,
    geometry_layers,
    render_crop,
    shard,
)
from simulate.simple_layers import layers

SMALL = StreamSettings(size_px=96, spacing_mm=1.6, renders=2)


def _same(first, second):
    return np.array_equal(first.pixels, second.pixels) and np.array_equal(first.masks, second.masks)


@pytest.fixture
def cheap(monkeypatch):
    """Discs in place of skeletons; every geometry has its own ossification."""
    monkeypatch.setattr(
        stream, "geometry_layers", lambda seed, index, settings: layers(ho_mm=2.0 + index + seed)
    )


def test_a_geometry_depends_on_seed_and_index_alone():
    first, second = (geometry_layers(7, 1, SMALL) for _ in range(2))
    np.testing.assert_array_equal(first.masks, second.masks)
    np.testing.assert_array_equal(first.lengths_mm, second.lengths_mm)
    assert first.frame == second.frame


def test_a_crop_depends_on_seed_and_index_alone(cheap):
    running = crops(7, settings=SMALL)
    sequence = [next(running) for _ in range(5)]
    assert all(_same(sequence[k], crop(7, k, SMALL)) for k in (0, 3, 4))
    assert not _same(sequence[0], crop(8, 0, SMALL))


def test_workers_share_a_stream_without_overlap(cheap):
    running = crops(3, settings=SMALL)
    whole = [next(running) for _ in range(8)]
    shares = []
    for worker in range(2):
        start, step = shard(worker, 2, SMALL)
        share = crops(3, start, step, SMALL)
        shares.append([next(share) for _ in range(4)])
    order = [shares[0][0], shares[0][1], shares[1][0], shares[1][1]]
    order += [shares[0][2], shares[0][3], shares[1][2], shares[1][3]]
    assert all(_same(a, b) for a, b in zip(whole, order, strict=True))


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
        ("renders", 0),
    ],
)
def test_bad_settings_name_the_key(key, value):
    with pytest.raises(SettingError, match=key):
        StreamSettings(**{key: value})


def test_workers_are_numbered_from_zero():
    with pytest.raises(SettingError, match="worker"):
        shard(2, 2)
