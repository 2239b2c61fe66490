"""Small doubtful pieces by themselves go; parts of a bone, and metal, stay."""

from __future__ import annotations

import numpy as np
import pytest

from hoseg.imaging.prepare import restore
from hoseg.imaging.reading import Reading
from hoseg.infer.strays import STRAYS_DROPPED, without_strays
from hoseg.radiograph import Radiograph, Segmentation

from .samples import make_film

HALVES = (0.5, 0.5, 0.5, 0.5)
SURE, DOUBTFUL = 252, 180
FEMUR, IMPLANT = 1, 2


def reading_of(*parts: tuple[int, tuple[int, int, int, int], int]) -> Reading:
    """Pieces (channel, (top, left, height, width), probability x 255) on a grid of 0.5 mm."""
    film = make_film((400, 400), (800, 800))
    planes = np.zeros((4, 400, 400), np.uint8)
    for channel, (top, left, height, width), value in parts:
        planes[channel, top : top + height, left : left + width] = value
    found = Segmentation(restore(planes, film), planes, film.grid, "x")
    return Reading(Radiograph(np.zeros((800, 800)), "film"), film, found)


BONE = (FEMUR, (10, 10, 150, 100), SURE)


@pytest.mark.parametrize(
    ("piece", "goes"),
    [
        pytest.param((FEMUR, (300, 300, 40, 40), DOUBTFUL), True, id="small, doubtful, alone"),
        pytest.param((FEMUR, (300, 300, 40, 40), SURE), False, id="sure: the corner of a bone"),
        pytest.param((FEMUR, (200, 200, 80, 80), DOUBTFUL), False, id="large: the other femur"),
        pytest.param((FEMUR, (166, 40, 30, 30), DOUBTFUL), False, id="beside: broken off"),
        pytest.param((FEMUR, (172, 40, 30, 30), DOUBTFUL), True, id="not quite beside"),
        pytest.param((FEMUR, (360, 300, 40, 40), DOUBTFUL), True, id="doubtful at the edge"),
        pytest.param((IMPLANT, (300, 300, 9, 9), DOUBTFUL), True, id="nothing sure of metal"),
        pytest.param((IMPLANT, (300, 300, 3, 3), SURE), False, id="a small clip"),
    ],
)
def test_what_goes(piece, goes):
    reading = reading_of(BONE, piece)
    channel, (top, left, height, width), _ = piece
    after = without_strays(reading, HALVES)
    assert (after is reading) != goes
    again = after.segmentation
    part = np.s_[2 * top + 2 : 2 * (top + height) - 2, 2 * left + 2 : 2 * (left + width) - 2]
    assert ((again.masks[part] >> channel & 1) == (not goes)).all()
    inside = again.probabilities[channel, top : top + height, left : left + width]
    assert (inside >= 128).all() == (not goes)
    np.testing.assert_array_equal(
        again.masks[20:300, 20:200], reading.segmentation.masks[20:300, 20:200]
    )
    if goes:
        name = ("femur", "implant")[channel - 1]
        note = after.prepared.notes[-1]
        assert (note.code, f"1 of {name}" in note.text) == (STRAYS_DROPPED, True)


def test_a_corner_of_a_bone_is_sure_somewhere():
    corner = (FEMUR, (360, 300, 40, 40), DOUBTFUL), (FEMUR, (390, 320, 10, 10), 245)
    reading = reading_of(BONE, *corner)
    assert without_strays(reading, HALVES) is reading
    within = (FEMUR, (350, 300, 40, 40), DOUBTFUL), (FEMUR, (370, 320, 10, 10), 245)
    reading = reading_of(BONE, *within)
    assert without_strays(reading, HALVES) is not reading


def test_a_clear_film_keeps_its_small_screws():
    screws = [(IMPLANT, (300, 40 * i, 20, 4), DOUBTFUL) for i in range(1, 5)]
    reading = reading_of(BONE, (IMPLANT, (20, 300, 60, 30), SURE), *screws)
    assert without_strays(reading, HALVES) is reading
