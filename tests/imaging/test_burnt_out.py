"""Nothing is seen where a film is plain black from its edge inwards."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hoseg.imaging.burnt_out import erase
from hoseg.imaging.prepare import locate, prepare
from hoseg.radiograph import Radiograph, Spacing, SpacingSource

from .films import circle, pelvis_like

SHAPE = (900, 760)
SPACING = Spacing(0.3, 0.3, 0.0, SpacingSource.FIDUCIAL)


def textured(least: int = 200) -> np.ndarray:
    """A film without any flat region."""
    noise = np.random.default_rng(0).normal(0, 25, SHAPE)
    return (pelvis_like(SHAPE) + noise).clip(least, 3800).astype(np.uint16)


def erased(pixels: np.ndarray, *, inverted: bool = False) -> np.ndarray:
    """(H, W) bool, what the outlines of a film cover."""
    radiograph = Radiograph(pixels, "film", spacing=SPACING)
    field, _, _ = locate(radiograph, inverted)
    left = np.ones(SHAPE, np.uint8)
    erase(left, field.burnt_out)
    return left == 0


def corner() -> np.ndarray:
    canvas = np.zeros(SHAPE, np.uint8)
    cv2.circle(canvas, (760, 0), 300, 1, cv2.FILLED)
    return canvas > 0


@pytest.mark.parametrize("inverted", [False, True])
def test_a_burnt_out_corner_is_erased_to_within_a_pixel_of_the_thumbnail(inverted):
    pixels = textured()
    pixels[corner()] = 0
    found = erased(4095 - pixels if inverted else pixels, inverted=inverted)
    one = np.ones((9, 9), np.uint8)
    assert found[cv2.erode(corner().astype(np.uint8), one) > 0].mean() > 0.99
    assert not found[cv2.dilate(corner().astype(np.uint8), one) == 0].any()


def test_a_film_without_plain_black_keeps_everything():
    assert not erased(textured()).any()


def test_white_is_not_burnt_out():
    pixels = textured()
    pixels[corner()] = 4095
    assert not erased(pixels).any()


def test_gas_in_the_bowel_stays_and_so_does_a_speck_at_the_edge():
    pixels = textured()
    cv2.circle(pixels, (380, 300), 60, (0,), cv2.FILLED)  # gas
    pixels[:12, 100:112] = 0  # a speck
    assert not erased(pixels).any()


def test_the_air_that_a_painted_round_border_left_is_erased_with_it():
    pixels = textured()
    inside = circle(SHAPE, 0.95)
    pixels[~inside] = 0
    found = erased(pixels)
    assert not found[cv2.erode(inside.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0].any()


def test_islands_in_what_is_burnt_out_stay():
    pixels = textured()
    pixels[corner()] = 0
    cv2.circle(pixels, (640, 110), 50, (2500,), cv2.FILLED)
    found = erased(pixels)
    assert not found[80:140, 610:670].any()
    assert found[20, 740]


def test_outlines_are_erased_on_any_grid():
    pixels = textured()
    pixels[corner()] = 0
    prepared = prepare(Radiograph(pixels, "film", spacing=SPACING), 0.7)
    planes = np.full((3, *prepared.grid.shape), 255, np.uint8)
    erase(planes, prepared.burnt_out, prepared.grid.origin_px, prepared.grid.step_px)
    full = np.full(SHAPE, 255, np.uint8)
    erase(full, prepared.burnt_out)
    rows, columns = (
        np.rint(prepared.grid.origin_px[k] + prepared.grid.step_px[k] * np.arange(n)).astype(int)
        for k, n in enumerate(prepared.grid.shape)
    )
    expected = full[np.ix_(rows, columns)]
    for plane in planes:
        assert (plane != expected).mean() < 0.004
