"""The frame of a hip: landmarks, directions, sites, and whether the picture shows enough of it.

In the frame (lateral across the shaft, distal along it, in mm from the head's centre) the plane is
divided into five sites. Lateral, central and trochanteric follow CORR 1990;252:156 and PubMed
16124962; medial and supra-acetabular are this project's.

- trochanteric: distal to the tip of the greater trochanter, lateral of the shaft axis
- medial: below the neck's axis (centre of the head to the shaft axis a radius below the tip),
  medial of the shaft axis
- supra-acetabular: above the head, medial of the trochanter tip
- lateral: proximal to the tip, lateral of the line halfway between tip and head's edge
- central: the rest, around the neck
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoseg.grade.bones import ADULT_HEAD_MM, Bones
from hoseg.grade.hips import Hip
from hoseg.radiograph import Orientation

MIN_FEMUR_DISCS = 1.25
"""A femur smaller than so many discs of its head is a sliver that the field cut off."""

MIN_JOINT_SEEN = 0.7
"""With less of the head's circle inside the field, half of the joint is cut off or nearly so."""

SITES = ("lateral", "central", "medial", "trochanteric", "supra_acetabular")
MIN_SITE_SHARE = 0.25
"""An ossification has every site that holds at least this share of it."""

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HipFrame:
    """Positions (row, column) in mm; directions are unit vectors in mm.

    centre: of the head, or of the proximal femur where no head was found
    radius: of the head (mm), or the femur's inscribed radius
    unit: yardstick for places about the hip (mm): the radius of a native head, an adult's mean
        where an implant replaced it
    distal: along the shaft towards the knee
    lateral: across the shaft, away from the head
    axis_offset: how far lateral of the centre the shaft axis runs (mm)
    trochanter, lesser, margin: tip of the greater trochanter, tip of the lesser trochanter,
        lateral acetabular margin; None when not visible
    cropped: what of the hip lies outside the field, in words; empty when all is inside
    """

    centre: Vector
    radius: float
    unit: float
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


def find_frame(bones: Bones, hip: Hip, orientation: Orientation) -> HipFrame:
    """Axes and landmarks of one hip, and what of it is cropped."""
    femur_px = np.concatenate([piece.points_px for piece in hip.outlines])
    femur = femur_px * bones.mm
    down = np.array([1.0 if orientation.rows_to_feet else -1.0, 0.0])
    if hip.head is not None:
        centre, radius = hip.head.centre, hip.head.radius
        unit = radius if hip.head_source == "femur" else ADULT_HEAD_MM
    else:
        radius = unit = hip.radius_mm
        centre = femur[np.argmin(femur @ down)] + down * radius
    seen = np.concatenate([bones.seen(piece) for piece in hip.outlines])
    distal, offset = _shaft(femur, seen, centre, unit, down)
    lateral = np.array([-distal[1], distal[0]])
    if hip.medial and abs(lateral[1]) > 0.35:
        lateral *= -np.sign(lateral[1]) * hip.medial
    elif offset @ lateral < 0:
        lateral = -lateral
    axis_offset = float(offset @ lateral)
    u, v = (femur - centre) @ lateral, (femur - centre) @ distal
    tip = _trochanter(u, v, axis_offset, unit)
    tip_cut = tip is None or _near(femur[~seen], femur[tip], 0.15 * unit)
    return HipFrame(
        centre=centre,
        radius=radius,
        unit=unit,
        distal=distal,
        lateral=lateral,
        axis_offset=axis_offset,
        trochanter=None if tip is None or tip_cut else femur[tip],
        lesser=_lesser(femur, u, v, axis_offset, unit),
        margin=_margin(bones, centre, lateral, distal, unit),
        cropped=_cropped(bones, hip, (centre, unit, down), tip_cut),
    )


def _shaft(
    femur: Vector, inside: NDArray[np.bool_], centre: Vector, unit: float, down: Vector
) -> tuple[Vector, Vector]:
    """Direction of the shaft to the knee, and the vector from the head across to its axis.

    The axis runs along the lateral edge of the shaft, half the shaft's width inside it: that edge
    is straight from the trochanter down, where the lesser trochanter bulges on the other side, so
    a film that shows little of the shaft, or cuts it obliquely, does not turn the axis. Where the
    film ends before the shaft, the image's own vertical.
    """
    far = np.hypot(*(femur - centre).T)
    upper = femur[inside & (far > 1.3 * unit) & (far <= 2.5 * unit)]
    shaft, cut = femur[inside & (far > 2.5 * unit)], femur[~inside & (far > 2.5 * unit)]
    axis, origin = down, femur.mean(axis=0)
    if len(shaft) > 20 and len(upper):
        origin = shaft.mean(axis=0)
        guess = origin - upper.mean(axis=0)
        axis = guess / max(float(np.hypot(*guess)), 1e-9)
        for _ in range(4):
            axis, origin = _along_lateral_edge(shaft, cut, (axis, origin), centre, unit)
    offset = origin - centre
    return axis, offset - (offset @ axis) * axis


def _along_lateral_edge(
    edge: Vector, cut: Vector, line: tuple[Vector, Vector], centre: Vector, unit: float
) -> tuple[Vector, Vector]:
    """One step of refining a shaft axis by slices across it.

    The slope is the median of the slopes between slices (Theil 1950), which a bulge in less than
    a third of them does not move. Slices that reach the cut at the film's edge are left out.
    """
    axis, origin = line
    lateral = np.array([-axis[1], axis[0]])
    if (origin - centre) @ lateral < 0:
        lateral = -lateral
    thickness = 0.12 * unit
    t, u = (edge - origin) @ axis, (edge - origin) @ lateral
    start = t.min()
    slices = ((t - start) / thickness).astype(int)
    low, high = np.full(slices.max() + 1, np.inf), np.full(slices.max() + 1, -np.inf)
    np.minimum.at(low, slices, u)
    np.maximum.at(high, slices, u)
    width = np.where(high >= low, high - low, 0.0)
    where = (np.arange(len(width)) + 0.5) * thickness + start
    usable = width > 0.5 * unit  # both edges are there
    if len(cut):
        usable &= where < ((cut - origin) @ axis).min() - thickness
    if usable.sum() < 4:
        return line
    where, high, width = where[usable], high[usable], width[usable]
    i, j = np.triu_indices(len(where), 1)
    slope = float(np.clip(np.median((high[j] - high[i]) / (where[j] - where[i])), -0.5, 0.5))
    middle = np.median(high - slope * where) - 0.5 * np.percentile(width, 20)
    turned = axis + slope * lateral
    return turned / np.hypot(*turned), origin + middle * lateral


def _trochanter(u: Vector, v: Vector, axis_offset: float, unit: float) -> int | None:
    """Index of the most proximal outline point lateral to the neck.

    A tip has lower points on both sides. Where the highest point is the first one allowed, it lies
    on the neck, and the search begins further out.
    """
    low = max(axis_offset - 0.6 * unit, 1.1 * unit)
    for start in np.arange(low, axis_offset + 0.5 * unit, 0.1 * unit):
        index = np.nonzero((u > start) & (np.abs(v) < 4 * unit))[0]
        if len(index):
            best = int(index[np.argmin(v[index])])
            if u[best] > start + 0.08 * unit:
                return best
    index = np.nonzero(u > axis_offset - 0.3 * unit)[0]
    return int(index[np.argmin(v[index])]) if len(index) else None


def _lesser(femur: Vector, u: Vector, v: Vector, axis_offset: float, unit: float) -> Vector | None:
    """The bump on the medial border below the neck, when it stands out."""
    step = 0.08 * unit
    medial = (u < axis_offset) & (v > 0.8 * unit) & (v < 4 * unit)
    if medial.sum() < 8:
        return None
    rows = ((v[medial] - 0.8 * unit) / step).astype(int)
    profile = np.full(rows.max() + 1, np.nan)
    order = np.argsort(-u[medial])
    profile[rows[order]] = axis_offset - u[medial][order]  # the last write is the most medial
    known = np.flatnonzero(~np.isnan(profile))
    profile = np.interp(np.arange(len(profile)), known, profile[known])
    # The neck slopes away above it: a bump is what stands out of the line across it.
    peak, height = _highest_bump(profile)
    if height < 0.05 * unit:
        return None
    near = np.nonzero(medial)[0][rows == known[np.argmin(np.abs(known - peak))]]
    return np.asarray(femur[near[np.argmin(u[near])]])


def _highest_bump(profile: Vector) -> tuple[int, float]:
    """Index and prominence of the most prominent inner maximum; prominence 0 without one.

    The prominence is the height over the deeper way down before higher ground on either side.
    """
    best = (0, 0.0)
    rising = np.flatnonzero((profile[1:-1] > profile[:-2]) & (profile[1:-1] >= profile[2:])) + 1
    for i in rising:
        saddles = []
        for side in (profile[:i][::-1], profile[i + 1 :]):
            higher = np.flatnonzero(side > profile[i])
            saddles.append(side[: higher[0]].min() if len(higher) else side.min())
        height = float(profile[i] - max(saddles))
        if height > best[1]:
            best = (int(i), height)
    return best


def _margin(
    bones: Bones, centre: Vector, lateral: Vector, distal: Vector, unit: float
) -> Vector | None:
    """The most lateral pelvic edge about the upper half of the head."""
    if not bones.pelvis_outlines:
        return None
    points = np.concatenate([piece.points_px for piece in bones.pelvis_outlines]) * bones.mm
    offset = points - centre
    u, v = offset @ lateral, offset @ distal
    far = np.hypot(u, v)
    index = np.nonzero((far > 0.8 * unit) & (far < 1.6 * unit) & (v < 0.3 * unit))[0]
    return np.asarray(points[index[np.argmax(u[index])]]) if len(index) else None


def _cropped(bones: Bones, hip: Hip, place: tuple[Vector, float, Vector], tip_cut: bool) -> str:
    """What of the space between ilium and trochanter the picture leaves out."""
    centre, unit, down = place
    missing = []
    area_mm2 = sum(piece.area_px for piece in hip.outlines) * float(bones.mm.prod())
    if area_mm2 < MIN_FEMUR_DISCS * np.pi * unit**2:
        missing.append("most of the femur")
    if tip_cut:
        missing.append("the greater trochanter")
    above = (centre - 2.0 * unit * down)[None] / bones.mm
    if not bones.in_field(above, 0.0).all() and not _ilium_seen(bones, place):
        missing.append("the ilium above the joint")
    turns = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    joint = centre + unit * np.stack((np.cos(turns), np.sin(turns)), axis=1)
    if bones.in_field(joint / bones.mm, 0.0).mean() < MIN_JOINT_SEEN:
        missing.append("the joint")
    return ", ".join(missing)


def _ilium_seen(bones: Bones, place: tuple[Vector, float, Vector]) -> bool:
    """Whether the pelvis' edge beside the joint reaches two radii above it inside the field."""
    centre, unit, down = place
    if not bones.pelvis_outlines:
        return False
    pieces = bones.pelvis_outlines
    points = np.concatenate([piece.points_px[bones.seen(piece)] for piece in pieces])
    offset = points * bones.mm - centre
    height = -(offset @ down)
    aside = np.abs(offset[:, 1])
    return bool(((height > 2.0 * unit) & (aside < 2.0 * unit)).any())


def _near(points: Vector, target: Vector, distance: float) -> bool:
    return bool(len(points)) and bool(np.hypot(*(points - target).T).min() < distance)


def find_sites(points_mm: Vector, frame: HipFrame) -> tuple[str, ...]:
    """Sites of an ossification from (N, 2) positions of its pixels; ("central",) at worst."""
    shares = np.bincount(_regions(points_mm, frame), minlength=len(SITES)) / max(len(points_mm), 1)
    chosen = shares >= min(MIN_SITE_SHARE, shares.max())
    return tuple(name for name, use in zip(SITES, chosen, strict=True) if use)


def _regions(points_mm: Vector, frame: HipFrame) -> NDArray[np.intp]:
    """Index into ``SITES`` of each of (N, 2) points."""
    u, v = frame.local(points_mm)
    unit, axis = frame.unit, max(frame.axis_offset, 0.5 * frame.unit)
    tip_u, tip_v = axis, 0.0
    if frame.trochanter is not None:
        tips = frame.local(frame.trochanter[None])
        tip_u, tip_v = float(tips[0][0]), float(tips[1][0])
    neck_v = (tip_v + unit) * u / axis
    edge_u = 0.5 * (tip_u + unit)
    return np.select(
        [
            (v > tip_v) & (u > axis),
            (v > np.maximum(neck_v, 0.3 * unit)) & (u <= axis),
            (v < -unit) & (u < edge_u),
            (v <= tip_v) & (u >= edge_u),
        ],
        [3, 2, 4, 0],
        default=1,
    )
