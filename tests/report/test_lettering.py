import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from hoseg.report.lettering import FreeSpace, text_mask, text_width, wrap


def test_text_has_ink_and_grows_with_its_size():
    small, large = text_mask(("Left hip",), 12), text_mask(("Left hip",), 48)
    assert small.max() > 200
    assert large.shape[0] > 3 * small.shape[0]
    assert (text_mask(("a", "b"), 12).shape[0]) > small.shape[0]


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(60, 900), st.integers(60, 900))
def test_letters_never_cover_anatomy(seed, height, width):
    rng = np.random.default_rng(seed)
    masks = np.zeros((height, width), np.uint8)
    for _ in range(4):
        row, column = rng.integers(0, height), rng.integers(0, width)
        masks[row : row + height // 4, column : column + width // 4] = 1
    size = (int(rng.integers(5, height // 3)), int(rng.integers(5, width // 3)))
    place = FreeSpace.around(masks, 2).find(size, (height / 2, width / 2))
    if place is not None:
        row, column = place
        assert 0 <= row <= height - size[0]
        assert 0 <= column <= width - size[1]
        assert not masks[row : row + size[0], column : column + size[1]].any()


def test_a_full_picture_has_no_place():
    assert FreeSpace.around(np.ones((200, 200), np.uint8), 0).find((10, 10), (5, 5)) is None


def test_the_nearest_place_is_taken_once():
    free = FreeSpace.around(np.zeros((200, 200), np.uint8), 0)
    first = free.find((20, 20), (100, 100))
    assert first is not None
    assert abs(first[0] + 10 - 100) < 4
    free.take(first, (20, 20))
    second = free.find((20, 20), (100, 100))
    assert second is not None
    assert max(abs(second[0] - first[0]), abs(second[1] - first[1])) >= 19


def test_a_disc_is_kept_clear():
    free = FreeSpace.around(np.zeros((200, 200), np.uint8), 0).keep_clear((100, 100), 50)
    row, column = free.find((20, 20), (100, 100))
    corners = [(row, column), (row + 20, column), (row, column + 20), (row + 20, column + 20)]
    assert min(np.hypot(r - 100, c - 100) for r, c in corners) > 45


@given(st.text("abc defgh-()IV.,", max_size=120), st.integers(30, 400), st.integers(11, 64))
def test_wrapped_lines_keep_every_word_and_fit(text, width, size):
    lines = wrap(text, width, size)
    assert " ".join(lines).split() == text.split()
    assert all(text_width(line, size) <= width for line in lines if " " in line)


def test_letters_look_as_the_font_draws_them():
    line = "Brooker III, gap 8.0 mm (7.1 to 9.0)"
    ours = text_mask((line,), 40)
    picture = Image.new("L", ours.shape[::-1])
    ImageDraw.Draw(picture).text((11, 0), line, fill=255, font=ImageFont.load_default(40))
    theirs = np.asarray(picture).astype(float)
    ours_wide = cv2.dilate(ours, np.ones((3, 5), np.uint8))  # kerning moves letters by a pixel
    assert abs(ours.sum() / theirs.sum() - 1) < 0.03
    assert (ours_wide[theirs > 200] > 100).mean() > 0.97


@pytest.mark.parametrize("text", ["", " ", "·±°", "\u6f22", "\t"])
def test_odd_characters_are_drawn_or_left_out(text):
    assert text_mask((text, "x"), 12).any()
