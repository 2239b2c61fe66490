import numpy as np
import pytest

from hoseg.errors import InputError
from hoseg.simulate.cache import (
    LayerCache,
    build_layer_cache,
    cached_crop,
    read_layers,
    write_layers,
)
from hoseg.simulate.stream import StreamSettings, geometry_layers
from simulate.simple_layers import layers

SMALL = StreamSettings(size_px=96, spacing_mm=1.6)


def test_layers_come_back_as_they_were(tmp_path):
    stored = layers()
    write_layers(tmp_path, "one", stored)
    back = read_layers(tmp_path / "one.json")
    assert back.materials == stored.materials
    assert back.frame == stored.frame
    np.testing.assert_array_equal(back.lengths_mm, stored.lengths_mm)
    np.testing.assert_array_equal(back.masks, stored.masks)
    np.testing.assert_array_equal(back.sacrum, stored.sacrum)


def test_path_lengths_stay_on_disk_until_they_are_used(tmp_path):
    write_layers(tmp_path, "one", layers())
    assert isinstance(read_layers(tmp_path / "one.json").lengths_mm, np.memmap)


@pytest.mark.slow
def test_a_cache_holds_the_geometries_of_the_stream_and_continues(tmp_path):
    first = build_layer_cache(tmp_path, 1, 5, SMALL, workers=1)
    stamp = first.headers[0].stat().st_mtime_ns
    cache = build_layer_cache(tmp_path, 2, 5, SMALL, workers=1)
    assert len(cache) == 2
    assert cache.headers[0].stat().st_mtime_ns == stamp
    fresh = geometry_layers(5, 1, SMALL)
    np.testing.assert_array_equal(cache[1].masks, fresh.masks)
    np.testing.assert_allclose(cache[1].lengths_mm, fresh.lengths_mm, rtol=1e-3, atol=1e-3)
    same = [cached_crop(cache, 1, 4, SMALL).pixels for _ in range(2)]
    np.testing.assert_array_equal(*same)


def test_an_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="build_layer_cache"):
        LayerCache(tmp_path)


@pytest.mark.parametrize("text", ["{", "{}", '{"materials": ["gold"], "frame": {}}'])
def test_a_broken_header_names_its_file(tmp_path, text):
    write_layers(tmp_path, "one", layers())
    (tmp_path / "one.json").write_text(text)
    with pytest.raises(InputError, match=r"one\.json"):
        read_layers(tmp_path / "one.json")
