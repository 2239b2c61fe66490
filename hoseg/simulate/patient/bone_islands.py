"""Bone islands (enostoses): compact bone inside spongy bone; harmless, and no ossification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoseg.radiograph import Structure
from hoseg.simulate.body.meshes import Mesh, surface_noise, unit_sphere
from hoseg.simulate.body.skeleton import Bone, HipJoint

_REACH = 3.0  # head radii round the head: acetabulum, ilium above it, proximal femur


@dataclass(frozen=True, eq=False)
class BoneIsland:
    """One island and the bone that it lies in."""

    structure: Structure
    mesh: Mesh


def bone_islands(
    hip: HipJoint, pelvis: Bone, femur: Bone, rng: np.random.Generator
) -> tuple[BoneIsland, ...]:
    """One to three islands of about 3 to 15 mm below the cortex, near one hip."""
    bones = ((Structure.PELVIS, pelvis), (Structure.FEMUR, femur))
    islands = []
    for _ in range(int(rng.integers(1, 4))):
        structure, bone = bones[int(rng.integers(2))]
        points = bone.inner.vertices
        near = np.flatnonzero(np.linalg.norm(points - hip.head, axis=1) < _REACH * hip.radius)
        at = int(rng.choice(near))
        half_mm = float(np.exp(rng.uniform(np.log(1.5), np.log(7.5))))
        centre = points[at] - half_mm * bone.inner.normals()[at]
        ball = unit_sphere(10)
        knobbly = 1 + 0.12 * surface_noise(half_mm * ball.vertices, 6, rng, 12)
        lengths = half_mm * rng.uniform(0.6, 1.0, 3)
        mesh = ball.moved(centre + lengths * knobbly[:, None] * ball.vertices)
        islands.append(BoneIsland(structure, mesh))
    return tuple(islands)
