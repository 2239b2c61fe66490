"""Sides survive the way into files that do not say how a film lies."""

from dataclasses import replace

import numpy as np
import pytest

from hoseg.datasets import folder as folder_format
from hoseg.datasets import open_dataset
from hoseg.datasets.formats import convert
from hoseg.datasets.labelled import GradedHip, usual_way_up
from hoseg.radiograph import Orientation, Side, View


def lying(image, columns, rows_to_feet=True, source="attribute"):
    film = replace(
        image.radiograph,
        orientation=Orientation(columns, rows_to_feet, source),
        valid=image.masks > 0,
    )
    hips = (GradedHip(Side.LEFT, 2, centre_px=(10.0, 20.0)),)
    return replace(image, radiograph=film, ignore=image.masks & 8, hips=hips)


@pytest.mark.parametrize(
    ("columns", "rows_to_feet", "axes", "centre"),
    [
        (Side.RIGHT, True, (1,), (10, 69)),
        (Side.LEFT, False, (0,), (59, 20)),
        (Side.RIGHT, False, (0, 1), (59, 69)),
    ],
)
def test_a_film_is_turned_as_readers_assume_it(images, columns, rows_to_feet, axes, centre):
    image = lying(images[0], columns, rows_to_feet)
    turned = usual_way_up(image)
    for name in ("masks", "ignore"):
        np.testing.assert_array_equal(getattr(turned, name), np.flip(getattr(image, name), axes))
    for name in ("pixels", "valid"):
        expected = np.flip(getattr(image.radiograph, name), axes)
        np.testing.assert_array_equal(getattr(turned.radiograph, name), expected)
    assert turned.radiograph.orientation == Orientation(Side.LEFT, True, "attribute")
    assert turned.hips[0].centre_px == centre
    assert usual_way_up(turned) is turned


def test_an_assumed_orientation_turns_nothing(images):
    image = lying(images[0], Side.RIGHT, source="assumed")
    assert usual_way_up(image) is image


def test_conversion_turns_films(images, tmp_path):
    folder_format.write(images, tmp_path / "in")
    dataset = open_dataset(tmp_path / "in")
    film = lying(images[0], Side.RIGHT)
    turned = replace(dataset, films=[_Read(film)])
    assert convert(turned, "folder", tmp_path / "out") == 1
    (back,) = open_dataset(tmp_path / "out").films
    np.testing.assert_array_equal(back.read().masks, film.masks[:, ::-1])


class _Read:
    """A film that was read already."""

    def __init__(self, image):
        self.image, self.case, self.patient, self.split = image, image.case, image.patient, ""

    def read(self):
        return self.image


@pytest.mark.parametrize(
    ("view", "graded", "side"),
    [
        (View.AP_PELVIS, (Side.RIGHT,), Side.UNKNOWN),
        (View.AP_PELVIS, (Side.RIGHT, Side.LEFT), Side.UNKNOWN),
        (View.UNKNOWN, (Side.RIGHT, Side.LEFT), Side.UNKNOWN),
        (View.AP_HIP, (Side.RIGHT,), Side.RIGHT),
    ],
)
def test_the_side_of_a_graded_hip_is_not_that_of_a_film_of_both(
    images, tmp_path, view, graded, side
):
    hips = tuple(GradedHip(one, 2) for one in graded)
    image = replace(images[0], radiograph=replace(images[0].radiograph, view=view), hips=hips)
    folder_format.write([image], tmp_path / "data")
    (film,) = open_dataset(tmp_path / "data").films
    read = film.read()
    assert read.radiograph.side is side
    assert {hip.side for hip in read.hips} == set(graded)
