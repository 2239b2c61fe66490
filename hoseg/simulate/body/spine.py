"""Lumbar vertebrae above the sacrum: scenery that a network must not call pelvis."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from hoseg.simulate.body.meshes import Mesh, Points, surface_noise, tube, unit_sphere
from hoseg.simulate.body.skeleton import Skeleton

COUNT = 3

# Ellipsoids of one vertebra: centre and radii (x, y, z) in mm from the middle of the lower plate.
_ARCH = (
    ((17, 17, 18), (6, 9, 8)),  # pedicle
    ((36, 22, 16), (19, 5, 5)),  # transverse process
    ((17, 32, 29), (7, 6, 11)),  # upper articular process
    ((13, 34, 0), (7, 6, 12)),  # lower articular process
    ((9, 34, 12), (9, 4, 10)),  # lamina
)
_SPINOUS = ((0, 48, 6), (4, 15, 12))


def lumbar_spine(skeleton: Skeleton, rng: np.random.Generator) -> tuple[Mesh, ...]:
    """Closed meshes of ``COUNT`` vertebrae, stacked on the sacrum with the lordosis.

    Empty where the anatomy has no sacrum.
    """
    sacra = [bone.outer.vertices for bone in skeleton.bones if bone.name == "sacrum"]
    if not sacra:
        return ()
    sacrum = sacra[0]
    top = sacrum[:, 2].max()
    front = sacrum[sacrum[:, 2] > top - 25]
    front = front[front[:, 1] < np.quantile(front[:, 1], 0.25)]
    place = np.array([np.median(front[:, 0]), np.median(front[:, 1]) + 14, front[:, 2].mean() + 4])
    sideways = float(rng.normal(0, 2.5))
    lordosis = float(rng.uniform(12, 28))
    meshes: list[Mesh] = []
    for _ in range(COUNT):
        height = float(rng.uniform(26, 31))
        tilt = Rotation.from_euler("xy", (-lordosis, sideways), degrees=True)
        meshes += [mesh.moved(tilt.apply(mesh.vertices) + place) for mesh in _vertebra(height, rng)]
        place = place + tilt.apply([0, 0, height + rng.uniform(6, 11)])
        lordosis *= 0.35
        sideways += float(rng.normal(0, 2))
    return tuple(meshes)


def _vertebra(height: float, rng: np.random.Generator) -> list[Mesh]:
    """A body with thicker end plates, and the arch behind it."""
    width, depth = rng.uniform(23, 27), rng.uniform(16, 19)
    waist = rng.uniform(0.1, 0.18)

    def radius(t: Points) -> Points:
        return (
            width
            * (1 - waist * np.sin(np.pi * t))
            * np.clip(18 * np.minimum(t, 1 - t), 0, 1) ** 0.3
        )

    body = tube(lambda t: np.stack((0 * t, 0 * t, height * t), axis=1), radius, 22, 40)
    points = body.vertices * (1, depth / width, 1)
    points = points + 0.5 * body.normals() * surface_noise(points, 12, rng, 10)[:, None]
    meshes = [body.moved(points)]
    plate = unit_sphere(16)
    for level in (1.2, height - 1.2):
        flat = plate.vertices * (0.93 * width, 0.93 * depth, 1.1) + (0, 0, level)
        meshes.append(plate.moved(flat))
    ball = unit_sphere(12)
    for centre, radii in (*_ARCH, _SPINOUS):
        for side in (1, -1) if centre[0] else (1,):
            where = np.array(centre) * (side, 1, 1) + rng.normal(0, 1.2, 3)
            lump = ball.vertices * (np.array(radii) * rng.uniform(0.85, 1.15, 3)) + where
            lump = lump + 1.1 * ball.vertices * surface_noise(lump, 14, rng, 10)[:, None]
            meshes.append(ball.moved(lump))
    return meshes
