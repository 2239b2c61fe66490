"""Greys of the overlay's palette."""

import numpy as np

from hoseg.report.palette import GREYS, colour_table, fewer_greys


def test_every_display_level_takes_the_grey_nearest_to_it():
    every = np.arange(256, dtype=np.uint8)[None]
    table = colour_table()[:GREYS, 0].astype(int)
    nearest = np.abs(table[None] - every.T.astype(int)).min(axis=1)
    chosen = np.abs(table[fewer_greys(every)[0]] - every[0].astype(int))
    assert np.array_equal(chosen, nearest)
    assert fewer_greys(every)[0, [0, -1]].tolist() == [0, GREYS - 1]
