"""Turned and drawn shapes that implants are made of."""

from __future__ import annotations

import numpy as np

from hoseg.simulate.body.meshes import Mesh, Points, tube


def revolve(profile: Points, origin: Points, axis: Points, around: int = 40) -> Mesh:
    """Surface of revolution.

    profile: (N, 2) of (distance along the axis, radius), the first and last radius 0
    """
    axis = axis / np.linalg.norm(axis)
    inner = profile[1:-1]
    shape = tube(
        lambda t: np.stack((0 * t, 0 * t, np.linspace(0, 1, len(t))), axis=1),
        lambda t: np.ones(len(t)), len(inner), around,
    )  # fmt: skip
    first = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)
    angle = np.arange(around) * (2 * np.pi / around)
    ring = first * np.cos(angle)[:, None] + second * np.sin(angle)[:, None]
    body = origin + inner[:, 0, None, None] * axis + inner[:, 1, None, None] * ring
    ends = origin + profile[[0, -1], 0, None] * axis
    vertices = np.concatenate((ends[:1], body.reshape(-1, 3), ends[1:]))
    mesh = Mesh(vertices, shape.faces)
    return mesh if mesh.volume_mm3 > 0 else Mesh(vertices, shape.faces[:, ::-1])


def rod(start: Points, stop: Points, radius_mm: float, tip_mm: float | None = None) -> Mesh:
    """A straight, round rod, tapering to ``tip_mm``."""
    length = float(np.linalg.norm(stop - start))
    tip = radius_mm if tip_mm is None else tip_mm
    profile = np.array([[0, 0], [0, radius_mm], [length, tip], [length, 0]])
    fine = np.concatenate([profile[:1], np.linspace(profile[1], profile[2], 12), profile[3:]])
    return revolve(fine, start, stop - start, 24)


def screw(start: Points, stop: Points, radius_mm: float, head_mm: float = 0.0) -> Mesh:
    """A threaded screw, with a head at its start."""
    length = float(np.linalg.norm(stop - start))
    count = max(int(length / 0.7), 8)
    along = np.linspace(0, length, count)
    radius = radius_mm * (1 - 0.22 * (np.arange(count) % 3 == 0))
    radius = np.where(along > length - 5, radius * (length - along + 0.5) / 5.5, radius)
    if head_mm:
        radius = np.where(along < 3.5, head_mm, radius)
    profile = np.concatenate(
        ([[0, 0]], np.stack((along, np.maximum(radius, 0.3)), axis=1), [[length, 0]])
    )
    return revolve(profile, start, stop - start, 16)


def cup(centre: Points, opening: Points, outer_mm: float, wall_mm: float) -> Mesh:
    """A hemispherical shell that opens towards ``opening``."""
    polar = np.linspace(0, np.radians(88), 20)
    outside = np.stack((-np.cos(polar), np.sin(polar)), axis=1) * outer_mm
    inside = np.stack((-np.cos(polar), np.sin(polar)), axis=1)[::-1] * (outer_mm - wall_mm)
    return revolve(np.concatenate((outside, inside)), centre, opening, 48)
