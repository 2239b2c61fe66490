"""Where about the hip an ossification lies.

In the frame of the femur (lateral across the shaft, distal along it, in mm from the head's
centre) the plane is divided into five regions; an ossification has every site that holds at
least ``MIN_SHARE`` of it. Lateral, central and trochanteric follow CORR 1990;252:156 and PubMed
16124962; medial and supra-acetabular are this project's.

- trochanteric: distal to the tip of the greater trochanter, lateral of the shaft axis
- medial: below the neck's axis (centre of the head to the shaft axis a radius below the tip),
  medial of the shaft axis
- supra-acetabular: above the head, medial of the trochanter tip
- lateral: proximal to the tip, lateral of the line halfway between tip and head's edge
- central: the rest, around the neck
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hoseg.grade.frame import Frame

SITES = ("lateral", "central", "medial", "trochanteric", "supra_acetabular")
MIN_SHARE = 0.25


def find_sites(points_mm: NDArray[np.float64], frame: Frame) -> tuple[str, ...]:
    """Sites of an ossification from (N, 2) positions of its pixels; ("central",) at worst."""
    shares = np.bincount(regions(points_mm, frame), minlength=len(SITES)) / max(len(points_mm), 1)
    chosen = shares >= min(MIN_SHARE, shares.max())
    return tuple(name for name, use in zip(SITES, chosen, strict=True) if use)


def regions(points_mm: NDArray[np.float64], frame: Frame) -> NDArray[np.intp]:
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
