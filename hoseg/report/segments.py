"""Split a mask into one region for each structure and side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.grade.finding import Component, HipFinding
from hoseg.radiograph import STRUCTURES, Side, Structure, View
from hoseg.report.schema import ResultFile

Point = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Segment:
    """One structure of one hip.

    mask: (H, W) bool on the original grid, never empty
    label: what to call it, e.g. "ossification right 2"
    """

    structure: str
    side: Side
    mask: NDArray[np.bool_]
    label: str = ""


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
                segments.append(Segment(structure, side, mask, f"{structure} {side.value}"))
    return segments


def lesions_of(result: ResultFile, side: Side) -> dict[int, tuple[Component, ...]]:
    """Number in a segment's label to the graded ossifications of one lesion of a side."""
    groups: dict[tuple[int, int], list[Component]] = {}
    for index, hip in enumerate(result.hips):
        for component in hip.ossifications if side in (hip.side, Side.UNKNOWN) else ():
            groups.setdefault((index, component.lesion), []).append(component)
    return {n: tuple(own) for n, own in enumerate(groups.values(), start=1)}


def split_lesions(segment: Segment, result: ResultFile) -> list[Segment]:
    """One segment for each lesion of a side's ossification, and one for what was not graded.

    Ossifications that touch each other are one lesion. Without findings that fit the mask, as after
    a correction, the ossification stays whole.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(segment.mask.view(np.uint8))
    places: dict[tuple[float, ...], int] = {}
    for k in range(1, count):
        left, top, width, height, area = (int(n) for n in stats[k])
        places[top, left, top + height, left + width, area] = k
    found, rest = [], segment.mask.copy()
    for number, components in lesions_of(result, segment.side).items():
        own = [places.get((*(c.bbox_px or ()), c.area_px), 0) for c in components]
        if not all(own):
            continue
        mask = np.isin(labels, own)
        rest &= ~mask
        label = f"{segment.label} {number}"
        found.append(replace(segment, mask=mask, label=label))
    if rest.any():
        label = f"{segment.label}, not graded" if found else segment.label
        found.append(replace(segment, mask=rest, label=label))
    return found


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
