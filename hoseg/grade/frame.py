"""The frame of a hip: its landmarks, directions, and whether the picture shows enough of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from hoseg.grade.bones import Bones
from hoseg.grade.hips import Hip
from hoseg.radiograph import Orientation

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frame:
    """Positions (row, column) in mm; directions are unit vectors in mm.

    centre: of the head, or of the proximal femur where no head was found
    radius: of the head (mm), or the femur's inscribed radius
    distal: along the shaft towards the knee
    lateral: across the shaft, away from the head
    axis_offset: how far lateral of the centre the shaft axis runs (mm)
    trochanter, lesser, margin: tip of the greater trochanter, tip of the lesser trochanter,
        lateral acetabular margin; None when not visible
    cropped: what of the hip lies outside the field, in words; empty when all is inside
    """

    centre: Vector
    radius: float
    distal: Vector
    lateral: Vector
    axis_offset: float
    trochanter: Vector | None
    lesser: Vector | None
    margin: Vector | None
    cropped: str

    def local(self, points: Vector) -> tuple[Vector, Vector]:
        """(lateral, distal) coordinates of (N, 2) points, from the head's centre (mm)."""
        offset = points - self.centre
        return offset @ self.lateral, offset @ self.distal


def find_frame(bones: Bones, hip: Hip, orientation: Orientation) -> Frame:
    """Axes and landmarks of one hip, and what of it is cropped."""
    femur_px = np.concatenate([piece.points_px for piece in hip.outlines])
    femur = femur_px * bones.mm
    down = np.array([1.0 if orientation.rows_to_feet else -1.0, 0.0])
    if hip.head is not None:
        centre, radius = hip.head.centre, hip.head.radius
    else:
        radius = hip.radius_mm
        centre = femur[np.argmin(femur @ down)] + down * radius
    distal, offset = _shaft(bones, femur, centre, hip.radius_mm, down)
    lateral = np.array([-distal[1], distal[0]])
    if abs(offset @ lateral) > 0.3 * radius:
        lateral *= np.sign(offset @ lateral)
    elif hip.medial:
        lateral *= -np.sign(lateral[1] * hip.medial) or 1.0
    axis_offset = float(offset @ lateral)
    u, v = (femur - centre) @ lateral, (femur - centre) @ distal
    tip = _trochanter(u, v, axis_offset, radius)
    outside = ~bones.in_field(femur_px)
    tip_cut = tip is None or _near(femur[outside], femur[tip], 0.15 * radius)
    return Frame(
        centre=centre,
        radius=radius,
        distal=distal,
        lateral=lateral,
        axis_offset=axis_offset,
        trochanter=None if tip is None or tip_cut else femur[tip],
        lesser=_lesser(femur, u, v, axis_offset, radius),
        margin=_margin(bones, centre, lateral, distal, radius),
        cropped=_cropped(bones, centre, radius, down, tip_cut),
    )


def _shaft(
    bones: Bones, femur: Vector, centre: Vector, unit: float, down: Vector
) -> tuple[Vector, Vector]:
    """Direction of the shaft to the knee, and the vector from the head across to its axis.

    From the part of the femur beyond the trochanters; where the film ends before it, the image's
    own vertical.
    """
    low, high = femur.min(axis=0) - 1, femur.max(axis=0) + 1
    grid = bones.overview.points_mm(bones.overview.femur)
    grid = grid[((grid >= low) & (grid <= high)).all(axis=1)]
    if not len(grid):
        return down, femur.mean(axis=0) - centre
    distance = np.hypot(*(grid - centre).T)
    shaft = grid[distance > 2.8 * unit]
    if len(shaft) > 30:
        middle = shaft.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov((shaft - middle).T))
        if values[1] > 1.7 * values[0]:
            axis = vectors[:, 1] * np.sign(vectors[:, 1] @ (middle - centre) or 1.0)
            offset = middle - centre
            return axis, offset - (offset @ axis) * axis
    rest = grid[distance > 1.3 * unit]
    offset = (rest if len(rest) else grid).mean(axis=0) - centre
    return down, offset - (offset @ down) * down


def _trochanter(u: Vector, v: Vector, axis_offset: float, radius: float) -> int | None:
    """Index of the most proximal outline point lateral to the neck."""
    low = max(axis_offset - 0.5 * radius, 1.15 * radius)
    index = np.nonzero((u > low) & (np.abs(v) < 4 * radius))[0]
    if not len(index):
        index = np.nonzero(u > axis_offset - 0.3 * radius)[0]
    return int(index[np.argmin(v[index])]) if len(index) else None


def _lesser(
    femur: Vector, u: Vector, v: Vector, axis_offset: float, radius: float
) -> Vector | None:
    """The bump on the medial border below the neck, when it stands out."""
    step = 0.08 * radius
    medial = (u < axis_offset) & (v > 0.8 * radius) & (v < 4 * radius)
    if medial.sum() < 8:
        return None
    rows = ((v[medial] - 0.8 * radius) / step).astype(int)
    profile = np.full(rows.max() + 1, np.nan)
    order = np.argsort(-u[medial])
    profile[rows[order]] = axis_offset - u[medial][order]  # the last write is the most medial
    known = np.flatnonzero(~np.isnan(profile))
    profile = np.interp(np.arange(len(profile)), known, profile[known])
    # The neck slopes away above it: a bump is what stands out of the line across it.
    peaks, facts = find_peaks(profile, prominence=0.05 * radius)
    if not len(peaks):
        return None
    peak = peaks[np.argmax(facts["prominences"])]
    near = np.nonzero(medial)[0][rows == known[np.argmin(np.abs(known - peak))]]
    return np.asarray(femur[near[np.argmin(u[near])]])


def _margin(
    bones: Bones, centre: Vector, lateral: Vector, distal: Vector, radius: float
) -> Vector | None:
    """The most lateral pelvic edge about the upper half of the head."""
    if not bones.pelvis_outlines:
        return None
    points = np.concatenate([piece.points_px for piece in bones.pelvis_outlines]) * bones.mm
    offset = points - centre
    u, v = offset @ lateral, offset @ distal
    far = np.hypot(u, v)
    index = np.nonzero((far > 0.8 * radius) & (far < 1.6 * radius) & (v < 0.3 * radius))[0]
    return np.asarray(points[index[np.argmax(u[index])]]) if len(index) else None


def _cropped(bones: Bones, centre: Vector, radius: float, down: Vector, tip_cut: bool) -> str:
    """What of the space between ilium and trochanter the picture leaves out."""
    missing = []
    if tip_cut:
        missing.append("the greater trochanter")
    above = (centre - 2.0 * radius * down)[None] / bones.mm
    if not bones.in_field(above, 0.0).all():
        missing.append("the ilium above the joint")
    if not bones.in_field(centre[None] / bones.mm, 0.0).all():
        missing.append("the joint")
    return ", ".join(missing)


def _near(points: Vector, target: Vector, distance: float) -> bool:
    return bool(len(points)) and bool(np.hypot(*(points - target).T).min() < distance)
