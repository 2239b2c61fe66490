"""Where about a hip a piece lies, and which pieces of bone or metal are nobody's.

Places follow from the hip's own head, trochanter and shaft, in radii of its head: they say where
to look, not what the anatomy is.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.grade import HipFinding
from hoseg.grade.finding import Landmarks, Point
from hoseg.radiograph import Side, Structure

PLACES = (
    "head",
    "neck",
    "greater trochanter",
    "lesser trochanter or ischium",
    "lateral rim",
    "AIIS",
    "ilium",
    "elsewhere",
)
_BOXES: tuple[tuple[str, float, float, float, float], ...] = (
    ("greater trochanter", 1.2, 3.5, -0.8, 2.2),
    ("neck", 0.0, 1.2, 0.0, 1.7),
    ("lesser trochanter or ischium", -2.5, 1.2, 0.8, 4.5),
    ("lateral rim", 0.6, 2.2, -2.0, 0.3),
    ("AIIS", -0.6, 1.4, -3.2, -1.0),
    ("ilium", -3.0, 4.0, -9.0, -1.0),
)
"""Place, then from and to laterally and distally, in radii; the first that holds the point."""


def place_of(point: Point, marks: Landmarks, side: Side) -> str:
    """Place of a point (row, column) about a hip; "elsewhere" where the hip has no head.

    Lateral is away from the head across the shaft, to the trochanter where that was found, else
    as the side has it on a film that is not mirrored.
    """
    if marks.head_px is None or not marks.head_radius_px:
        return "elsewhere"
    away = np.subtract(point, marks.head_px) / marks.head_radius_px
    if np.hypot(*away) <= 1:
        return "head"
    distal = np.array(marks.shaft_axis or (1.0, 0.0))
    lateral = np.array([-distal[1], distal[0]])
    if marks.trochanter_tip_px is not None:
        towards = float(lateral @ np.subtract(marks.trochanter_tip_px, marks.head_px))
    else:
        towards = lateral[1] * (-1.0 if side is Side.RIGHT else 1.0)
    u, v = float(away @ lateral) * (1 if towards >= 0 else -1), float(away @ distal)
    return next(
        (name for name, u0, u1, v0, v1 in _BOXES if u0 <= u <= u1 and v0 <= v <= v1), "elsewhere"
    )


def stray_bones(
    masks: NDArray[np.uint8], hips: Sequence[HipFinding], floor_px: float
) -> tuple[int, ...]:
    """Areas (pixels) of pelvis and femur pieces over ``floor_px`` apart from every main bone.

    A main bone is the largest piece nearest to a head, or of the film without heads; pieces that
    metal joins are one.
    """
    heads = [hip.landmarks.head_px for hip in hips if hip.landmarks.head_px is not None]
    stray: list[int] = []
    metal = (masks & Structure.IMPLANT) > 0
    for bone in (Structure.PELVIS, Structure.FEMUR):
        own = (masks & bone) > 0
        count, labels = cv2.connectedComponents((own | metal).astype(np.uint8))
        area = np.bincount(labels[own], minlength=count)
        rows, columns = np.nonzero(own)
        label = labels[rows, columns]
        sums = np.stack([np.bincount(label, x, count) for x in (rows, columns)], axis=1)
        centre = sums / np.maximum(area, 1)[:, None]
        present = np.flatnonzero(area)
        apart = [[float(np.hypot(*(centre[i] - head))) for head in heads] or [0.0] for i in present]
        nearest = np.array([int(np.argmin(row)) for row in apart], int)
        for hip in set(nearest.tolist()):
            mine = present[nearest == hip]
            main = mine[np.argmax(area[mine])]
            stray += [int(area[i]) for i in mine if i != main and area[i] > floor_px]
    return tuple(stray)


def pieces(masks: NDArray[np.uint8], structure: Structure, floor_px: float) -> int:
    """How many pieces of a structure are at least ``floor_px`` large."""
    plane = ((masks & structure) > 0).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(plane)
    return int(np.count_nonzero(stats[1:, cv2.CC_STAT_AREA] >= floor_px))
