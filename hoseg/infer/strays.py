"""Pieces of bone and metal that are none: on tape, between the legs, at the collimator's edge.

A pelvis and a femur are large and the network is sure of them, also of the corner of one that the
film's edge cuts off. A stray piece is small, lies by itself, and the network is half sure of it
throughout. Metal is dense: where there is any, the network is sure of some of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.imaging.reading import Reading
from hoseg.infer.components import Region, drop, pieces
from hoseg.radiograph import STRUCTURES, Note, Structure
from hoseg.segment.peaks import byte_level

STRAYS_DROPPED = "strays_dropped"
"""Code of the note of a film on which there were some."""

LARGE_MM2 = 1500.0
"""A piece of bone of this size is no stray, whatever the network thinks of it."""

BESIDE_MM = 5.0
"""What lies so near a large piece of its own name is a part of it, perhaps broken off."""

SURE_MEAN = 0.85
"""The network is sure of a small piece whose mean probability reaches this."""

SURE_AT_EDGE = 0.94
"""Of a small piece at the edge of the field it is sure when it reaches this somewhere: the film may
show just a corner of a bone."""

SURE_METAL = 0.98
"""Nothing is metal on a film where the network is nowhere surer than this of metal."""

_AROUND = np.ones((3, 3), np.uint8)


def without_strays(reading: Reading, thresholds: Sequence[float]) -> Reading:
    """The reading without stray pieces, in masks and probabilities, and with a note of them.

    thresholds: probability from which a pixel belongs to a structure, in bit order

    Returns the reading itself when it has none.
    """
    found = reading.segmentation
    strays = {
        structure: _strays(reading, structure, thresholds[structure.channel])
        for structure in (Structure.PELVIS, Structure.FEMUR, Structure.IMPLANT)
    }
    if not any(strays.values()):
        return reading
    masks, probabilities = found.masks.copy(), found.probabilities.copy()
    for structure, some in strays.items():
        values, level = probabilities[structure.channel], byte_level(thresholds[structure.channel])
        gone = [(piece, level - 1) for piece in some]
        drop(values, masks, found.grid, int(structure), values >= level, gone)
    prepared = replace(reading.prepared, notes=(*reading.prepared.notes, _note(strays)))
    rest = replace(found, masks=masks, probabilities=probabilities)
    return Reading(reading.radiograph, prepared, rest)


def _strays(reading: Reading, structure: Structure, threshold: float) -> list[Region]:
    """Stray pieces of one structure."""
    values, grid = reading.segmentation.probability(structure), reading.segmentation.grid
    drawn = values >= byte_level(threshold)
    if structure is Structure.IMPLANT:
        return [] if (values >= byte_level(SURE_METAL)).any() else pieces(drawn)
    found = sorted(pieces(drawn), key=lambda piece: int(piece.inside.sum()), reverse=True)
    large_px = LARGE_MM2 / (grid.spacing_mm[0] * grid.spacing_mm[1])
    small = [piece for piece in found[1:] if piece.inside.sum() < large_px]
    doubtful = [piece for piece in small if _doubtful(piece, values, reading.prepared.field)]
    if not doubtful:
        return []
    rest = drawn.copy()
    for piece in doubtful:
        rest[piece.box][piece.inside] = False
    reach_px = BESIDE_MM / grid.spacing_mm[0]
    far = cv2.distanceTransform((~rest).view(np.uint8), cv2.DIST_L2, 5) > reach_px
    return [piece for piece in doubtful if far[piece.box][piece.inside].all()]


def _doubtful(piece: Region, values: NDArray[np.uint8], field: NDArray[np.bool_]) -> bool:
    """Whether the network is not sure of a small piece; values: (h, w) probability x 255."""
    own = values[piece.box][piece.inside]
    if own.mean() >= 255 * SURE_MEAN:
        return False
    around = np.pad(field, 1)[tuple(slice(side.start, side.stop + 2) for side in piece.box)]
    at_edge = (cv2.erode(around.view(np.uint8), _AROUND)[1:-1, 1:-1][piece.inside] == 0).any()
    return not at_edge or own.max() < byte_level(SURE_AT_EDGE)


def _note(strays: dict[Structure, list[Region]]) -> Note:
    """Say how many there were of what."""
    counts = [f"{len(some)} of {STRUCTURES[name.channel]}" for name, some in strays.items() if some]
    text = f"Small pieces that belong to no bone or implant were left out: {', '.join(counts)}."
    return Note(STRAYS_DROPPED, text)
