"""A reading holds what belongs together, and derives what several rooms want of it once."""

from dataclasses import replace

import numpy as np
import pytest

from hoseg.errors import SettingError
from hoseg.imaging.display import display
from hoseg.imaging.reading import Reading
from hoseg.imaging.resample import GridWindow, make_grid
from hoseg.radiograph import (
    Display,
    Prepared,
    Radiograph,
    Segmentation,
    Spacing,
    SpacingSource,
    Structure,
)

SHAPE = (60, 80)


def film(inverted=False) -> Radiograph:
    pixels = np.random.default_rng(0).integers(0, 4096, SHAPE).astype(np.uint16)
    shown = Display((2048.0, 3000.0), inverted=inverted)
    return Radiograph(pixels, "film.png", Spacing(0.2, 0.2, 0.0, SpacingSource.USER), display=shown)


def read(inverted=False, stated=False) -> Reading:
    radiograph = film(stated)
    grid = make_grid(GridWindow(0, 0, *SHAPE), (0.2, 0.2), (0.4, 0.4))
    levels, field = np.zeros(grid.shape, np.float32), np.ones(grid.shape, bool)
    prepared = Prepared(levels, field, grid, SHAPE, inverted)
    masks = np.zeros(SHAPE, np.uint8)
    masks[10:20, 30:50] = Structure.PELVIS | Structure.OSSIFICATION
    masks[15:40, 5:9] |= np.uint8(Structure.FEMUR)
    probabilities = np.stack([np.full(grid.shape, level, np.uint8) for level in range(4)])
    return Reading(radiograph, prepared, Segmentation(masks, probabilities, grid, "m"))


def test_a_structure_has_its_channel():
    assert [structure.channel for structure in Structure] == [0, 1, 2, 3]
    found = read().segmentation
    assert [int(found.probability(structure).max()) for structure in Structure] == [0, 1, 2, 3]


def test_layers_hold_each_structure_and_nothing_around_it():
    reading = read()
    painted = np.zeros(SHAPE, np.uint8)
    for structure, layer in reading.layers.items():
        row, column = layer.corner
        height, width = layer.mask.shape
        painted[row : row + height, column : column + width] |= layer.mask
        assert not (layer.mask & ~np.uint8(structure)).any()
    assert np.array_equal(painted, reading.segmentation.masks)
    assert reading.layers[Structure.PELVIS].mask.shape == (10, 20)
    assert not reading.layers[Structure.IMPLANT].mask.any()
    assert reading.layers is reading.layers


@pytest.mark.parametrize("stated", [False, True])
def test_bone_is_bright_whatever_the_file_says(stated):
    plain, turned = (read(inverted, stated).grey for inverted in (False, True))
    assert np.array_equal(plain, display(film(inverted=False)))
    assert np.array_equal(turned, display(film(inverted=True)))


@pytest.mark.parametrize(
    ("part", "changes", "words"),
    [
        ("segmentation", {"masks": np.zeros((60, 81), np.uint8)}, "masks shape"),
        ("prepared", {"field": np.ones((3, 4), bool)}, "field shape"),
        ("segmentation", {"probabilities": np.zeros((3, 30, 40), np.uint8)}, "probabilities shape"),
        ("segmentation", {"probabilities": np.zeros((4, 30, 40))}, "probabilities type"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(part, changes, words):
    reading = read()
    assert reading.prepared.grid.shape == (30, 40)
    with pytest.raises(SettingError, match=rf"film\.png.*{words}"):
        replace(reading, **{part: replace(getattr(reading, part), **changes)})
