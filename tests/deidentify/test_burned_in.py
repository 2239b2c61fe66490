"""Writing is found whatever its direction and looks, and painted over without its shapes."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoseg.deidentify import burned_in
from hoseg.deidentify.burned_in import find_text, joined, paint_out, same_ink
from hoseg.deidentify.text_model import text_features, text_probability

from .identified import film


def written(draw):
    """A film with something drawn on it, and its ink."""
    layer = np.zeros(film().shape, np.uint8)
    draw(layer)
    return np.where(layer > 127, 4095, film()).astype(np.uint16), layer > 127


def oblique(layer):
    cv2.putText(layer, "ZYXWOLF 1947", (250, 400), 0, 1.0, 255, 2)
    turn = cv2.getRotationMatrix2D((450, 350), 33, 1.0)
    layer[:] = cv2.warpAffine(layer, turn, layer.shape[::-1], flags=cv2.INTER_NEAREST)


def initials(layer):
    cv2.putText(layer, "QZ", (430, 300), cv2.FONT_HERSHEY_COMPLEX, 1.1, 255, 2)


def pen(layer):
    steps = np.linspace(0, 1, 200)
    across = 300 + 220 * steps
    down = 250 + 22 * np.sin(31 * steps) + 12 * np.sin(13 * steps + 1)
    path = np.stack([across, down], axis=1).round().astype(np.int32)
    cv2.polylines(layer, [path], False, 255, 2)


@pytest.mark.parametrize("draw", [oblique, initials, pen])
@pytest.mark.parametrize("lossy", [False, True])
def test_writing_is_masked(draw, lossy):
    pixels, ink = written(draw)
    if lossy:
        packed = cv2.imencode(".jpg", (pixels >> 4).astype(np.uint8), [1, 70])[1]
        pixels = cv2.imdecode(packed, cv2.IMREAD_UNCHANGED)
    found = find_text(pixels)
    assert found[ink].mean() > 0.97
    assert found.mean() < 7 * ink.mean() + 0.01


def test_a_film_without_writing_is_left_alone():
    assert not find_text(film()).any()
    assert not find_text(np.full((90, 70), 7, np.uint8)).any()


def test_colour_is_looked_at_too():
    grey = (film() >> 4).astype(np.uint8)
    colour = np.stack([grey] * 3, axis=2)
    cv2.putText(colour, "RED 1947", (300, 300), 0, 1.0, (255, 0, 0), 2)
    ink = (colour != grey[..., None]).any(axis=2)
    assert find_text(colour)[ink].mean() > 0.97


def test_the_mask_has_no_shapes_of_letters():
    pixels, _ = written(lambda layer: cv2.putText(layer, "OBOE", (300, 300), 0, 1.2, 255, 2))
    mask = find_text(pixels)
    assert mask.any()
    _, outlines = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, 2)
    assert (outlines[0, :, 3] < 0).all()  # no holes


def test_what_cannot_be_ruled_out_is_masked(monkeypatch):
    probability = np.zeros((60, 80), np.float32)
    probability[10:30, 10:40] = burned_in.POSSIBLE + 0.01
    probability[20, 20] = burned_in.LIKELY
    probability[40:55, 50:70] = burned_in.LIKELY - 0.01
    monkeypatch.setattr(burned_in, "text_probability", lambda plane: probability)
    mask = find_text(np.zeros((60, 80), np.uint8))
    assert mask[10:30, 10:40].all()
    assert not mask[40:55, 50:70].any()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_painting_leaves_nothing_of_what_was_inside(seed):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 4096, (50, 60), dtype=np.uint16)
    mask = cv2.dilate((rng.random((50, 60)) < 0.004).astype(np.uint8), np.ones((5, 9))) > 0
    other = np.where(mask, rng.integers(0, 4096, mask.shape), pixels).astype(np.uint16)
    painted = paint_out(pixels, mask)
    np.testing.assert_array_equal(painted, paint_out(other, mask))
    np.testing.assert_array_equal(painted[~mask], pixels[~mask])


def test_probability_does_not_depend_on_the_size_of_the_grey_scale():
    pixels, _ = written(initials)
    np.testing.assert_allclose(
        text_probability(pixels), text_probability(pixels * np.uint16(16)), atol=1e-3
    )
    features = text_features(pixels.astype(np.float32), 0.0, 4095.0)
    assert features.shape == (4, *pixels.shape)
    assert np.isfinite(features).all()


def test_tiles_leave_no_seams(monkeypatch):
    pixels, _ = written(oblique)
    whole = text_probability(np.tile(pixels, (1, 2)))
    monkeypatch.setattr("hoseg.deidentify.text_model.TILE_PX", 256)
    parts = text_probability(np.tile(pixels, (1, 2)))
    assert np.mean(np.abs(whole - parts) > 0.1) < 1e-3


def test_parts_of_one_line_are_joined_and_others_are_not():
    mask = np.zeros((80, 200), bool)
    mask[20:30, 20:60] = mask[20:30, 75:120] = True  # two words
    mask[60:70, 150:160] = True  # far away
    together = joined(mask)
    assert together[20:30, 20:120].all()
    assert together.sum() == mask.sum() + 10 * 15


def test_marks_of_the_same_ink_beside_found_writing_count_too():
    rng = np.random.default_rng(2)
    plane = rng.normal(900, 12, (120, 300)).astype(np.float32)
    ink = np.zeros(plane.shape, np.uint8)
    cv2.putText(ink, "ZYXWOLF", (20, 60), 0, 1.0, 1, 2)
    plane[ink > 0] = 4095
    found = np.zeros(plane.shape, bool)
    found[35:64, 18:100] = True  # the first letters
    more = same_ink(plane, found)
    assert more[:, 100:][ink[:, 100:] > 0].mean() > 0.6
    assert not more[ink == 0].any()
    noise = rng.normal(900, 12, plane.shape).astype(np.float32)
    assert not same_ink(noise, found).any()
