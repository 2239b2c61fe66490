"""Surface and shell of a bone: roughness outside, a cortex of varying thickness inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoseg.simulate.body.meshes import Mesh, Points, surface_noise
from hoseg.simulate.body.skeleton import Sphere


@dataclass(frozen=True)
class Density:
    """How thick a person's cortices are (mm): pelvis, ends and shaft of the femur."""

    pelvis_mm: float
    end_mm: float
    shaft_mm: float
    calcar_mm: float
    roof_mm: float


def sample_density(rng: np.random.Generator) -> Density:
    """Draw a person from osteoporotic to dense."""
    return Density(
        float(rng.uniform(0.8, 1.6)),
        float(rng.uniform(0.8, 1.4)),
        float(rng.uniform(3.5, 8.0)),
        float(rng.uniform(1.0, 3.0)),
        float(rng.gamma(2.0, 0.7)),
    )


def femoral_cortex(
    points: Points, lesser: Points, radius: float, flip: float, density: Density
) -> NDArray[np.float64]:
    """Thickness (mm) of the cortex: thin over the head, thick along the shaft and the calcar.

    points: (N, 3) about the centre of the head, shaft upright
    lesser: tip of the lesser trochanter; radius: of the head
    flip: sign of x away from the midline
    """
    below = np.clip((-points[:, 2] - 1.9 * radius) / (2.4 * radius), 0, 1)
    ends = np.clip((-points[:, 2] - 300) / 60, 0, 1)
    cortex = density.end_mm + (density.shaft_mm - density.end_mm) * below**1.5 * (1 - 0.7 * ends)
    # Calcar: the medial cortex from the lesser trochanter up to the neck is thick.
    level = np.array([-flip * 0.2 * radius, 0, 0.55 * lesser[2]])
    near = np.exp(-(((points - level) / (0.8 * radius, 0.9 * radius, 0.9 * radius)) ** 2).sum(1))
    medial = np.clip(-(points[:, 0] - lesser[0]) * flip / radius + 0.4, 0, 1)
    return np.asarray(cortex + density.calcar_mm * near * medial)


def socket_cortex(points: Points, socket: Sphere, density: Density) -> NDArray[np.float64]:
    """Thickness (mm) of the cortex of a hemipelvis: thin, but for the bearing roof (sourcil)."""
    away = points - socket[0]
    distance = np.linalg.norm(away, axis=1)
    upwards = away[:, 2] / np.maximum(distance, 1e-6)
    roof = np.clip((upwards - 0.45) / 0.35, 0, 1)
    close = np.exp(-(((distance - socket[1]) / 3.0) ** 2))
    return np.asarray(density.pelvis_mm + density.roof_mm * roof * close)


def roughened(
    mesh: Mesh,
    amount_mm: float | NDArray[np.float64],
    rng: np.random.Generator,
    tips: tuple[Points, ...] = (),
) -> Mesh:
    """Irregular outlines, more so about the trochanters: real bone is never smooth."""
    points = mesh.vertices
    amount = np.broadcast_to(amount_mm, len(points)) * rng.uniform(0.4, 1.6)
    for tip in tips:
        distance = np.linalg.norm(points - tip, axis=1)
        amount = amount + rng.uniform(0.0, 1.8) * np.exp(-((distance / rng.uniform(8, 18)) ** 2))
    shift = amount * (surface_noise(points, 9, rng) + 1.2 * surface_noise(points, 28, rng))
    return mesh.moved(points + mesh.normals() * shift[:, None])


def inner(
    outer: Mesh,
    thickness_mm: float | NDArray[np.float64],
    rng: np.random.Generator,
    variation: float = 0.25,
) -> Mesh:
    """Endosteal surface: the outer one moved inwards by a varying thickness."""
    # Waves are long along the body: the cortex of a shaft hardly changes from level to level.
    field = surface_noise(outer.vertices * (1, 1, 0.3), 25, rng, 12)
    depth = thickness_mm * np.clip(1 + variation * field, 0.4, 1.8)
    return outer.moved(outer.vertices - outer.normals() * depth[:, None])
