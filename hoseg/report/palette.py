"""One byte a pixel: 160 grey levels, 80 levels of tinted fill, and a few line colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.radiograph import Structure

GREYS, TINTS = 160, 80
GLASS = (1.0, 0.82, 0.62)
"""What ossification's fill lets through of red, green and blue: like coloured glass, it keeps the
differences between grey levels that trabeculae are seen by, in dark bone and in bright."""

# Colours that readers with any common colour blindness tell apart (Okabe and Ito 2008), drawn
# on a grey film: structure -> RGB.
COLOURS: dict[Structure, tuple[int, int, int]] = {
    Structure.PELVIS: (86, 180, 233),
    Structure.FEMUR: (240, 228, 66),
    Structure.IMPLANT: (204, 121, 167),
    Structure.OSSIFICATION: (230, 97, 0),
}
GAP_RGB = (255, 255, 255)

LINE = {structure: GREYS + TINTS + i for i, structure in enumerate(COLOURS)}
"""Index of a structure's line colour."""
GAP_LINE = GREYS + TINTS + len(COLOURS)
BLACK, WHITE = 0, GREYS - 1

TINTED = np.arange(256, dtype=np.uint8)
"""(256,) index -> index of the same level tinted as ossification; lines stay as they are."""
TINTED[:GREYS] = GREYS + np.arange(GREYS) * TINTS // GREYS


def fewer_greys(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Indices of the greys nearest to (H, W) display levels; in half the time of a table."""
    return np.asarray(cv2.convertScaleAbs(grey, alpha=(GREYS - 1) / 255), np.uint8)


def colour_table() -> NDArray[np.uint8]:
    """(256, 3) RGB: greys, greys tinted with the ossification colour, line colours."""
    grey = np.linspace(0, 255, GREYS)[:, None].repeat(3, axis=1)
    tint = np.linspace(0, 255, TINTS)[:, None] * np.array(GLASS)
    lines = np.array([*COLOURS.values(), GAP_RGB])
    table = np.zeros((256, 3), np.uint8)
    colours = np.vstack((grey, tint, lines))
    table[: len(colours)] = np.round(colours)
    return table
