"""What a film shows decides what is labelled: metal in white, anything in plain black."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hoseg.simulate.film.labels import BLOWN_OUT_MM, burnt_out, hidden_metal

SPACING_MM = 0.5
WHITE = 4095
EVERYWHERE = np.ones((200, 200), bool)


def disc(row: int = 100, column: int = 100) -> np.ndarray:
    canvas = np.zeros((200, 200), np.uint8)
    cv2.circle(canvas, (column, row), 24, 1, -1)
    return canvas > 0


def film(metal: np.ndarray, blown_out: np.ndarray) -> np.ndarray:
    return np.where(metal | blown_out, WHITE, 1500).astype(np.uint16)


def columns(first: int, last: int = 200) -> np.ndarray:
    return np.broadcast_to((np.arange(200) >= first) & (np.arange(200) < last), (200, 200))


def test_white_metal_on_grey_tissue_is_seen():
    metal = disc()
    assert not hidden_metal(metal, film(metal, columns(200)), EVERYWHERE, 12, SPACING_MM).any()


@pytest.mark.parametrize("dark_bone", [False, True])
def test_metal_in_blown_out_tissue_is_left_open_with_the_white_round_it(dark_bone):
    metal = disc()
    pixels = film(metal, columns(0))
    hidden = hidden_metal(metal, WHITE - pixels if dark_bone else pixels, EVERYWHERE, 12, 0.5)
    assert hidden[metal].all()
    reach = 24 + BLOWN_OUT_MM / SPACING_MM
    assert hidden[100, round(100 + reach - 2)]
    assert not hidden[100, round(100 + reach + 2)]


def test_what_can_be_told_from_the_metal_stays_labelled():
    metal = disc()
    hidden = hidden_metal(metal, film(metal, columns(95)), EVERYWHERE, 12, SPACING_MM)
    assert hidden[metal].all()
    assert hidden[100, 135]  # the white half, not the grey one
    assert not hidden[100, 65]


@pytest.mark.parametrize(("first", "seen"), [(90, False), (112, True)])
def test_a_good_part_of_the_outline_is_enough(first, seen):
    metal = disc()
    hidden = hidden_metal(metal, film(metal, columns(first)), EVERYWHERE, 12, SPACING_MM)
    assert hidden.any() != seen


def test_the_edge_of_the_field_is_no_outline():
    """Half a disc at the edge of a field, blown out: the step to the black border tells nothing."""
    metal = disc()
    exposed = columns(100).copy()
    pixels = np.where(exposed, WHITE, 0).astype(np.uint16)
    assert hidden_metal(metal & exposed, pixels, exposed, 12, SPACING_MM)[metal & exposed].all()


def test_each_piece_is_judged_by_itself():
    metal = disc(50, 50) | disc(140, 150)
    hidden = hidden_metal(metal, film(metal, columns(100)), EVERYWHERE, 12, SPACING_MM)
    assert not hidden[disc(50, 50)].any()
    assert hidden[disc(140, 150)].all()


def test_no_metal_hides_nothing():
    nothing = np.zeros((200, 200), bool)
    assert not hidden_metal(nothing, film(nothing, columns(0)), EVERYWHERE, 12, 0.5).any()


def black(*masks: np.ndarray) -> np.ndarray:
    """A noisy film that is plain black where the masks are."""
    noise = np.random.default_rng(0).integers(300, 900, (200, 200))
    return np.where(np.logical_or.reduce(masks), 0, noise).astype(np.uint16)


@pytest.mark.parametrize("dark_bone", [False, True])
def test_plain_black_from_the_edge_inwards_is_burnt_out(dark_bone):
    pixels = black(columns(150))
    pixels = WHITE - pixels if dark_bone else pixels
    found = burnt_out(pixels, EVERYWHERE, 12, SPACING_MM, dark_bone=dark_bone)
    assert np.array_equal(found, columns(150))


def test_black_inside_the_film_is_gas_and_a_small_black_corner_is_nothing():
    pixels = black(disc())
    pixels[:15, :15] = 0  # 56 mm2
    assert not burnt_out(pixels, EVERYWHERE, 12, SPACING_MM, dark_bone=False).any()


def test_black_that_reaches_the_edge_of_the_field_is_burnt_out():
    field = ~columns(0, 60)
    found = burnt_out(black(columns(0, 100)), field, 12, SPACING_MM, dark_bone=False)
    assert np.array_equal(found, columns(60, 100))
