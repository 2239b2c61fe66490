import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from hoseg.report.png import STRIP_ROWS, encode_png, write_png

pictures = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40))


@given(pictures)
def test_other_readers_see_the_same_grey_levels(pixels):
    data = encode_png(pixels)
    assert np.array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), -1), pixels)
    assert np.array_equal(np.array(Image.open(io.BytesIO(data))), pixels)


@given(pictures, st.integers(0, 2**32 - 1))
def test_other_readers_see_the_same_colours(pixels, seed):
    palette = np.random.default_rng(seed).integers(0, 256, (256, 3), dtype=np.uint8)
    picture = Image.open(io.BytesIO(encode_png(pixels, palette))).convert("RGB")
    assert np.array_equal(np.array(picture), palette[pixels])


@pytest.mark.parametrize("kind", ["noise", "masks", "grey"])
def test_pictures_larger_than_a_compression_window_come_back(kind):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (900, 701), dtype=np.uint8)
    if kind == "masks":
        picture = cv2.GaussianBlur(picture, (0, 0), 20) // 126 * np.uint8(3)
    elif kind == "grey":
        picture = cv2.GaussianBlur(picture, (0, 0), 2)
    assert np.array_equal(np.array(Image.open(io.BytesIO(encode_png(picture)))), picture)


def test_text_is_kept(tmp_path):
    write_png(tmp_path / "a.png", np.zeros((2, 3), np.uint8), text={"Disclaimer": "Research"})
    assert Image.open(tmp_path / "a.png").text == {"Disclaimer": "Research"}


def test_the_same_pixels_give_the_same_bytes():
    pixels = np.arange(600, dtype=np.uint8).reshape(20, 30)
    assert encode_png(pixels) == encode_png(pixels.copy())


def test_an_empty_picture_is_refused():
    with pytest.raises(ValueError, match="empty"):
        encode_png(np.zeros((0, 4), np.uint8))


@given(pictures, st.integers(1, 39))
def test_parts_one_below_the_other_give_the_whole(pixels, row):
    if row < len(pixels):
        data = encode_png((pixels[:row], pixels[row:]))
        assert np.array_equal(np.array(Image.open(io.BytesIO(data))), pixels)


@pytest.mark.parametrize("rows", [STRIP_ROWS - 1, STRIP_ROWS, STRIP_ROWS + 1, 2 * STRIP_ROWS])
def test_nothing_is_lost_between_strips(rows):
    picture = np.random.default_rng(rows).integers(0, 256, (rows, 9), dtype=np.uint8)
    assert np.array_equal(np.array(Image.open(io.BytesIO(encode_png(picture)))), picture)
