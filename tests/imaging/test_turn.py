"""All eight ways in which a frontal film can lie, and the way back of what is found on it."""

from itertools import product

import numpy as np
import pytest

from hoseg.imaging.turn import Turn, possible_quarters, stored_orientation, turn_of
from hoseg.radiograph import Orientation, Radiograph, Side, Spacing, SpacingSource

HEIGHT, WIDTH = 5, 7
EIGHT = [
    Orientation(columns, to_feet, "attribute", transposed)
    for columns, to_feet, transposed in product(
        (Side.LEFT, Side.RIGHT), (True, False), (True, False)
    )
]


def lying(orientation: Orientation) -> Radiograph:
    """A film whose pixels say where they are in the patient: 100 x towards feet + towards left."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    across, along = (rows, columns) if orientation.transposed else (columns, rows)
    if orientation.columns is Side.RIGHT:
        across = -across
    if not orientation.rows_to_feet:
        along = -along
    spacing = Spacing(0.2, 0.3, 0.0, SpacingSource.USER)
    pixels = (100 * along + across).astype(np.int32)
    return Radiograph(pixels, "film", spacing, orientation=orientation, valid=pixels > 0)


@pytest.mark.parametrize("orientation", EIGHT)
def test_a_film_stands_with_the_head_up(orientation):
    stored = lying(orientation)
    turn = turn_of(stored)
    film = turn.film(stored)
    assert film.orientation.rows_to_feet
    assert not film.orientation.transposed
    assert (np.diff(film.pixels, axis=0) == 100).all()
    step = 1 if film.orientation.columns is Side.LEFT else -1
    assert (np.diff(film.pixels, axis=1) == step).all()
    assert film.shape == turn.upright_shape
    swapped = turn.quarters % 2 == 1
    assert film.spacing is not None
    assert film.spacing.mm == ((0.3, 0.2) if swapped else (0.2, 0.3))
    assert film.valid is not None
    np.testing.assert_array_equal(film.valid, film.pixels > 0)


@pytest.mark.parametrize("quarters", range(4))
def test_pictures_points_vectors_and_boxes_find_their_way_back(quarters):
    stored = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    turn = Turn(quarters, (HEIGHT, WIDTH))
    upright = turn.picture(stored)
    np.testing.assert_array_equal(turn.picture_back(upright), stored)
    for row, column in np.ndindex(upright.shape):
        there = turn.point_back((row, column))
        assert stored[int(there[0]), int(there[1])] == upright[row, column]
    start, end = turn.point_back((1, 1)), turn.point_back((2, 4))
    assert turn.vector_back((1, 3)) == (end[0] - start[0], end[1] - start[1])
    top, left, bottom, right = (int(edge) for edge in turn.box_back((1, 0, 3, 4)))
    inside = stored[top:bottom, left:right]
    assert sorted(inside.ravel()) == sorted(upright[1:3, 0:4].ravel())


@pytest.mark.parametrize("quarters", range(4))
def test_a_film_turned_by_its_picture_says_how_it_is_stored(quarters):
    turn = Turn(quarters, (HEIGHT, WIDTH))
    stored = lying(stored_orientation(turn, "picture"))
    assert turn_of(stored) == turn
    assert turn.film(stored).orientation == Orientation(source="picture")


@pytest.mark.parametrize("quarters", range(4))
def test_femora_hang_below_the_pelvis(quarters):
    bones = np.zeros((4, 60, 80), np.uint8)
    bones[0, 5:30, 10:70] = 255
    bones[1, 32:58, 12:24] = bones[1, 32:58, 56:68] = 255
    lies = np.rot90(bones, -quarters, axes=(1, 2))
    assert possible_quarters(lies) == [quarters]
    assert possible_quarters(np.zeros_like(bones)) == [0]


def test_one_hip_beside_its_pelvis_may_be_turned():
    bones = np.zeros((4, 60, 80), np.uint8)
    bones[0, 5:40, 5:45] = 255
    bones[1, 26:60, 46:58] = 255
    assert possible_quarters(bones) == [3, 0]
