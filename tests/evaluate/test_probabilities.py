"""Suspicion and pixel calibration on hand-made probabilities."""

import numpy as np
import pytest

from hoseg.evaluate.probabilities import calibration, suspicion
from hoseg.radiograph import Grid, Segmentation

GRID = Grid((40, 50), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0))


def segmentation(ho, grid=GRID, shape=None):
    probabilities = np.zeros((4, *grid.shape), np.uint8)
    probabilities[3] = ho
    return Segmentation(np.zeros(shape or grid.shape, np.uint8), probabilities, grid, "m")


def test_suspicion_is_the_probability_that_25_mm2_reach():
    ho = np.zeros((40, 50), np.uint8)
    ho[10:15, 10:15] = 204  # exactly 25 pixels of 1 mm2
    assert suspicion(segmentation(ho)) == pytest.approx(0.8)
    ho[10, 10] = 51
    assert suspicion(segmentation(ho)) == pytest.approx(0.2)
    ho[10, 10] = 0
    assert suspicion(segmentation(ho)) == 0


def test_suspicion_of_a_part_looks_at_that_part():
    ho = np.zeros((40, 50), np.uint8)
    ho[10:20, 30:40] = 255
    left = np.zeros((40, 50), bool)
    left[:, :25] = True
    assert suspicion(segmentation(ho), left) == 0
    assert suspicion(segmentation(ho), ~left) == 1
    assert suspicion(segmentation(ho), np.zeros((40, 50), bool)) == 0


def test_calibration_counts_pixels_by_probability_and_truth():
    ho = np.full((40, 50), 26, np.uint8)  # 0.102: second bin
    ho[:10] = 242  # 0.949: last bin
    masks = np.zeros((40, 50), np.uint8)
    masks[:5] = 8
    ignore = np.zeros((40, 50), np.uint8)
    ignore[:, :10] = 8
    row = calibration(masks, ignore, segmentation(ho))[3]
    assert row.name == "ossification"
    assert row.pixels[9] == 10 * 40
    assert row.outcome[9] == 5 * 40
    assert row.pixels[1] == 30 * 40
    assert row.outcome[1] == 0
    assert row.probability[9] == pytest.approx(400 * 242 / 255)
    assert sum(row.pixels) == 40 * 40


def test_calibration_samples_the_truth_where_the_grid_lies():
    grid = Grid((10, 10), (5.0, 20.0), (3.0, 2.0), (1.0, 1.0))
    masks = np.zeros((60, 60), np.uint8)
    masks[5 + 3 * 4, 20 + 2 * 7] = 8  # under grid pixel (4, 7) only
    found = segmentation(np.zeros((10, 10), np.uint8), grid, (60, 60))
    found.probabilities[3, 4, 7] = 255
    row = calibration(masks, np.zeros_like(masks), found)[3]
    assert (row.outcome[9], row.pixels[9], row.pixels[0]) == (1, 1, 99)
