from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hoseg.errors import SettingError
from hoseg.imaging.prepare import restore
from hoseg.infer.options import Options
from hoseg.infer.predictor import Predictor

from .samples import make_film, make_model


def open_torch(model, **options) -> Predictor:
    """The float32 reference, which needs no gate."""
    return Predictor(model, "cpu", "torch", Options(precision="float32", gate=False, **options))


@pytest.fixture(scope="module")
def predictor(model):
    return open_torch(model)


UNTIDIED = slice(2, None)  # channels after the bones, of which specks and pinholes go
BONES = np.uint8(3)


def network_answer(model, pixels):
    with torch.no_grad():
        logits = model.network()(torch.from_numpy(np.ascontiguousarray(pixels))[None, None])
        return torch.sigmoid(logits)[0].numpy() * 255


def test_probabilities_are_the_networks_and_masks_their_threshold(predictor, model):
    film = make_film((120, 152))
    [found] = predictor.predict([film])
    expected = network_answer(model, film.pixels)
    assert np.abs(found.probabilities - expected)[UNTIDIED].max() <= 1
    assert found.masks.shape == film.original_shape
    drawn = restore(found.probabilities, film)
    np.testing.assert_array_equal(found.masks & ~BONES, drawn & ~BONES)
    assert len(np.unique(found.masks)) >= 4
    assert found.model == model.card.label
    assert found.grid == film.grid


def test_thresholds_of_the_card_are_used(tmp_path):
    strict = make_model(tmp_path / "m", thresholds=(0.9, 0.5, 0.5, 0.1))
    film = make_film()
    [found] = open_torch(strict).predict([film])
    expected = restore(found.probabilities, film, (0.9, 0.5, 0.5, 0.1))
    np.testing.assert_array_equal(found.masks, expected)


@settings(max_examples=8)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.integers(1, 3))
def test_company_does_not_change_a_film(predictor, company, side_by_side):
    """Same masks alone, in any batch, in any order, on any number of threads."""
    shapes = [(64, 64), (120, 150), (96, 200), (120, 150)]
    films = [make_film(shapes[i], seed=i) for i in company]
    alone = [predictor.predict([film])[0] for film in films]
    together = open_torch(predictor.models[0], films=side_by_side).predict(films)
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a.masks, b.masks)
        np.testing.assert_array_equal(a.probabilities, b.probabilities)


def test_onnx_company_and_threads_do_not_change_masks(model):
    films = [make_film((64 + 24 * (i % 3), 96), seed=i) for i in range(6)]
    one = Predictor(model, "cpu", "onnx", Options(gate=False, films=1))
    two = Predictor(model, "cpu", "onnx", Options(gate=False, films=3))
    more = Predictor(model, "cpu", "onnx", Options(gate=False, threads=2))
    for a, b, c in zip(one.predict(films), two.predict(films), more.predict(films), strict=True):
        np.testing.assert_array_equal(a.masks, b.masks)
        assert np.mean(a.masks == c.masks) > 0.9995


def test_padding_lies_beyond_the_film(predictor):
    """A film of 61 x 93 gives the masks of the same film with its padding drawn on it."""
    film = make_film((61, 93), (61, 93))
    padded = make_film((64, 96), (64, 96))
    padded.pixels[:] = 0
    padded.pixels[:61, :93] = film.pixels
    [a], [b] = predictor.predict([film]), predictor.predict([padded])
    expected = b.probabilities[:, :61, :93]
    np.testing.assert_array_equal(a.probabilities[UNTIDIED], expected[UNTIDIED])


def test_a_collimated_film_is_predicted_inside_its_field_only(predictor):
    field = np.zeros((128, 160), bool)
    field[40:90, 48:120] = True
    film = make_film((128, 160), (512, 640), field=field)
    seen = []
    engine = predictor.engine
    forward = engine._forwards[0]
    engine._forwards = (lambda pixels: seen.append(pixels.shape) or forward(pixels),)
    try:
        [found] = predictor.predict([film])
    finally:
        engine._forwards = (forward,)
    assert seen == [(56, 72)]  # rows 40 to 95, columns 48 to 119: multiples of 8
    assert found.probabilities[:, ~field].max() == 0
    assert found.probabilities[:, field].max() > 0
    assert not found.masks[: 4 * 39].any()


def test_nothing_is_found_where_the_film_is_burnt_out(predictor):
    film = make_film((128, 160), (512, 640))
    [before] = predictor.predict([film])
    corner = np.array([[320, -1], [640, -1], [640, 512], [320, 512]], np.int32)
    [found] = predictor.predict([replace(film, burnt_out=(corner,))])
    assert before.masks[:, 320:].any()
    assert not found.masks[:, 320:].any()
    assert not found.probabilities[:, :, 81:].any()
    left = (UNTIDIED, slice(None), slice(0, 79))
    np.testing.assert_array_equal(found.probabilities[left], before.probabilities[left])


def test_flips_are_the_mean_of_both_looks(predictor, model):
    film = make_film((96, 128))
    [found] = open_torch(model, flips=True).predict([film])
    straight = network_answer(model, film.pixels)
    mirrored = network_answer(model, film.pixels[:, ::-1])[..., ::-1]
    expected = (straight + mirrored) / 2
    assert np.abs(found.probabilities - expected)[UNTIDIED].max() <= 1.5


def test_flips_make_mirror_images_agree(model):
    predictor = open_torch(model, flips=True)
    film = make_film((96, 128))
    mirror = make_film((96, 128))
    mirror.pixels[:] = film.pixels[:, ::-1]
    [a], [b] = predictor.predict([film]), predictor.predict([mirror])
    error = np.abs(a.probabilities.astype(int) - b.probabilities[..., ::-1])
    assert error.max() <= 1


def test_an_ensemble_averages(model, tmp_path):
    other = make_model(tmp_path / "small-1", seed=1)
    film = make_film((64, 96))
    both = open_torch([model, other])
    [found] = both.predict([film])
    expected = (network_answer(model, film.pixels) + network_answer(other, film.pixels)) / 2
    assert np.abs(found.probabilities - expected)[UNTIDIED].max() <= 1.5
    assert found.model == f"{model.card.label}+{other.card.label}"


def test_an_ensemble_needs_one_spacing(model, tmp_path):
    other = make_model(tmp_path / "m", spacing_mm=0.7)
    with pytest.raises(SettingError, match="spacing_mm"):
        open_torch([model, other])
    with pytest.raises(SettingError, match="at least one"):
        open_torch([])


def test_tiles_of_the_films_own_size_change_nothing(predictor, model):
    film = make_film((96, 128))
    tiled = open_torch(model, tile=(96, 128))
    np.testing.assert_array_equal(
        tiled.predict([film])[0].probabilities, predictor.predict([film])[0].probabilities
    )


def test_tiles_agree_with_the_whole_film_away_from_seams(predictor, model):
    film = make_film((160, 192), (160, 192))
    tiled = open_torch(model, tile=(96, 96), overlap=0.5)
    whole, parts = predictor.predict([film])[0], tiled.predict([film])[0]
    assert np.mean(whole.masks == parts.masks) > 0.9


def test_a_stream_is_read_only_a_little_ahead(model):
    predictor = open_torch(model, films=2)
    taken = []

    def films():
        for i in range(40):
            taken.append(i)
            yield make_film((32, 32), (32, 32), seed=i)

    stream = predictor.predict_stream(films())
    next(stream)
    assert len(taken) <= 6
    assert sum(1 for _ in stream) == 39


def test_an_error_in_a_stream_comes_out(model):
    def films():
        yield make_film((32, 32))
        raise RuntimeError("decoder died")

    with pytest.raises(RuntimeError, match="decoder died"):
        list(open_torch(model, films=2).predict_stream(films()))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("precision", "int8"),
        ("tile", (16, 64)),
        ("overlap", 0.95),
        ("threads", 0),
        ("films", 0),
    ],
)
def test_settings_that_make_no_sense_are_refused(key, value):
    with pytest.raises(SettingError, match=key):
        Options(**{key: value})
