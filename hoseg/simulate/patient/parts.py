"""Pieces of implants, and where on a femur they go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoseg.simulate.body.anatomy import Bone, Hip
from hoseg.simulate.body.materials import Material
from hoseg.simulate.body.meshes import Mesh, Points, unit_sphere
from hoseg.simulate.body.shapes import rod


@dataclass(frozen=True, eq=False)
class Part:
    """One piece of an implant."""

    name: str
    mesh: Mesh
    material: Material


def clip(place: Points, rng: np.random.Generator) -> Part:
    """A surgical clip."""
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    length = float(rng.uniform(4, 9))
    return Part("clip", rod(place, place + direction * length, 0.7), Material.TITANIUM)


def ball(place: Points, rng: np.random.Generator) -> Part:
    """A calibration ball of 25 mm."""
    sphere = unit_sphere(30)
    return Part("ball", sphere.moved(sphere.vertices * 12.5 + place), Material.STEEL)


def canal_axis(hip: Hip) -> tuple[Points, Points]:
    """(point, direction) of the line in the middle of the shaft, from the trochanter's level."""
    return hip.canal + hip.shaft * ((hip.trochanter - hip.canal) @ hip.shaft), hip.shaft


def sideways(hip: Hip) -> Points:
    """Unit vector outwards, across the shaft, in the plane of shaft and neck."""
    side = -hip.neck + hip.shaft * (hip.neck @ hip.shaft)
    return np.asarray(side / np.linalg.norm(side))


def lateral_cortex(hip: Hip, femur: Bone, down_mm: float) -> Points:
    """Point of the lateral surface of the shaft, ``down_mm`` below the tip of the trochanter."""
    point, down = canal_axis(hip)
    out = sideways(hip)
    centre = point + down * down_mm
    offsets = femur.outer.vertices - centre
    level = offsets @ down
    across = np.linalg.norm(offsets - np.outer(level, down), axis=1)
    ring = (np.abs(level) < 4) & (across < 1.4 * hip.radius)
    reach = float((offsets[ring] @ out).max()) if ring.any() else 0.7 * hip.radius
    return np.asarray(centre + reach * out)
