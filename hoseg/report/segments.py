"""Split a mask into one region for each structure and side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.grade.finding import HipFinding
from hoseg.radiograph import STRUCTURES, Side, Structure, View
from hoseg.report.schema import ResultFile

Point = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Segment:
    """One structure of one hip.

    mask: (H, W) bool on the original grid, never empty
    """

    structure: str
    side: Side
    mask: NDArray[np.bool_]


def split_segments(masks: NDArray[np.uint8], result: ResultFile) -> list[Segment]:
    """Regions of a mask by structure (bit order), then side.

    Two hips are parted by the perpendicular bisector of their centres, so a tilted pelvis is
    cut along its own midline. A film of one hip has one side.

    Parameters
    ----------
    masks : (H, W) uint8
        OR of the bits of ``Structure``.
    result : ResultFile
        Findings of the same image.
    """
    halves = _halves(masks, result)
    segments = []
    for bit, structure in enumerate(STRUCTURES):
        whole = (masks & (1 << bit)) != 0
        for side, half in halves:
            mask = whole if half is None else whole & half
            if mask.any():
                segments.append(Segment(structure, side, mask))
    return segments


def _halves(
    masks: NDArray[np.uint8], result: ResultFile
) -> list[tuple[Side, NDArray[np.bool_] | None]]:
    image = result.image
    right_of_film = image.columns_to if image is not None else Side.LEFT
    centres = _hip_centres(result.hips)
    if len(centres) != 2 and image is not None and image.view is View.AP_PELVIS:
        centres = _femur_centres(masks)
    if len(centres) != 2:
        sides = {hip.side for hip in result.hips} or {image.side if image else Side.UNKNOWN}
        return [(sides.pop() if len(sides) == 1 else Side.UNKNOWN, None)]
    (row_a, column_a), (row_b, column_b) = sorted(centres, key=lambda centre: centre[1])
    rows = np.arange(masks.shape[0])[:, None] - (row_a + row_b) / 2
    columns = np.arange(masks.shape[1])[None, :] - (column_a + column_b) / 2
    beyond = rows * (row_b - row_a) + columns * (column_b - column_a) >= 0
    return [(right_of_film.opposite, ~beyond), (right_of_film, beyond)]


def _hip_centres(hips: Sequence[HipFinding]) -> list[Point]:
    centres = [hip.landmarks.head_px for hip in hips]
    return [centre for centre in centres if centre is not None]


def _femur_centres(masks: NDArray[np.uint8]) -> list[Point]:
    """Centroids of the two largest pieces of femur, when they are of like size."""
    femur = ((masks & Structure.FEMUR) != 0).astype(np.uint8)
    count, _, stats, centroids = cv2.connectedComponentsWithStats(femur, connectivity=8)
    areas = stats[1:count, cv2.CC_STAT_AREA]
    largest = np.argsort(areas)[::-1][:2]
    if len(largest) < 2 or areas[largest[1]] < 0.2 * areas[largest[0]]:
        return []
    return [(float(centroids[k + 1][1]), float(centroids[k + 1][0])) for k in largest]
