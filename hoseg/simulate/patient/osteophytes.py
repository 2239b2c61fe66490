"""Bony outgrowths that belong to their bone: rim, head, and where tendons insert.

They are not ossification and carry the bone's label: a network has to learn the difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoseg.radiograph import Structure
from hoseg.simulate.body.meshes import Mesh, Points, surface_noise, tube
from hoseg.simulate.body.skeleton import Bone, HipJoint

_SHARE = 0.35  # of the places of a hip that has any


@dataclass(frozen=True, eq=False)
class Outgrowth:
    """One outgrowth and the bone it belongs to."""

    structure: Structure
    mesh: Mesh


def osteophytes(
    hip: HipJoint, pelvis: Bone, femur: Bone, rng: np.random.Generator, *, native: bool
) -> tuple[Outgrowth, ...]:
    """Outgrowths of one hip.

    native: the femoral head is still there and may have a rim of osteophytes
    """
    r, outward = hip.radius, hip.outward
    places = [
        (Structure.PELVIS, hip.head + np.array([outward * 0.95 * r, 0, 0.75 * r])),
        (Structure.PELVIS, hip.head + np.array([outward * 0.8 * r, -12, 0.9 * r])),
        (Structure.PELVIS, hip.head + np.array([-outward * 0.2 * r, 0, -1.25 * r])),
        (Structure.PELVIS, hip.head + np.array([outward * 0.5 * r, -10, 2.2 * r])),
        (Structure.PELVIS, hip.head + np.array([-outward * 0.3 * r, 20, -2.4 * r])),
        (Structure.FEMUR, hip.trochanter),
        (Structure.FEMUR, hip.trochanter + rng.normal(0, 5, 3)),
        (Structure.FEMUR, hip.trochanter + hip.shaft * 0.8 * r),
        (Structure.FEMUR, hip.lesser),
    ]
    if native:
        places += [
            (Structure.FEMUR, hip.head + np.array([outward * 0.7 * r, 0, 0.7 * r])),
            (Structure.FEMUR, hip.head + np.array([-outward * 0.5 * r, 0, -0.9 * r])),
        ]
    outer = {Structure.PELVIS: pelvis.outer, Structure.FEMUR: femur.outer}
    normals = {structure: mesh.normals() for structure, mesh in outer.items()}
    across = np.array([outward, 0, 0.3])
    grown = []
    for structure, place in places:
        if rng.random() > _SHARE:
            continue
        points = outer[structure].vertices
        near = int(np.argmin(np.linalg.norm(points - place - rng.normal(0, 3, 3), axis=1)))
        grown.append(
            Outgrowth(structure, _spike(points[near], normals[structure][near], across, rng))
        )
    return tuple(grown)


def _spike(start: Points, normal: Points, across: Points, rng: np.random.Generator) -> Mesh:
    """A knobbly cone, hooked, from a point of a surface."""
    pull = normal + rng.normal(0, 0.5, 3) + 0.4 * across
    length = float(np.exp(rng.uniform(np.log(2.5), np.log(12))))
    stop = start + pull / np.linalg.norm(pull) * length
    hook = rng.normal(0, 0.2 * length, 3)
    base = float(rng.uniform(2.0, 6.0))
    root = start - 2 * normal

    def spine(t: Points) -> Points:
        s = t[:, None]
        return root + s * (stop - root) + s * (1 - s) * hook

    def radius(t: Points) -> Points:
        return base * (1 - 0.75 * t) * np.sqrt(np.clip(12 * np.minimum(t, 1 - t), 0, 1))

    cone = tube(spine, radius, 12, 14)
    bumps = 0.12 * base * surface_noise(cone.vertices, 6, rng, 12)
    return cone.moved(cone.vertices + cone.normals() * bumps[:, None])
