#!/usr/bin/env python3
"""Make the packaged anatomy from the exported LLP26 shape model (MPL-2.0).

    python3 scripts/derive_anatomy.py llp26_ssm.npz hoseg/simulate/data/llp26.npz

The input holds plain arrays evaluated from the shape model of the PyPI package
``musculoskeletal-models`` 0.2.4: mean vertices, modes and faces of both hemipelves, the sacrum
and the left femur, in mm. The output keeps them in half precision (modes) and adds the vertices
of the femoral head and of the two sockets, found here by fitting spheres to the mean shape.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from hoseg.simulate.anatomy import fit_sphere

HEAD_RADIUS_MM, SOCKET_RADIUS_MM = (18, 30), (20, 34)
TRIES = 4000


def sphere_vertices(points, near, radii, tolerance, rng):
    """Indices of the points on the sphere that most points agree on (RANSAC)."""
    best = np.empty(0, int)
    for _ in range(TRIES):
        centre, radius = fit_sphere(points[rng.choice(near, 5, replace=False)])
        if not radii[0] < radius < radii[1]:
            continue
        close = near[np.abs(np.linalg.norm(points[near] - centre, axis=1) - radius) < tolerance]
        if len(close) > len(best):
            best = close
    return best


def main(source: Path, target: Path) -> None:
    rng = np.random.default_rng(0)
    with np.load(source) as arrays:
        data = {name: arrays[name] for name in arrays.files}
    femur = data["femur_l_mean"].astype(float)
    top = np.flatnonzero(femur[:, 2] > femur[:, 2].max() - 60)
    head = sphere_vertices(femur, top, HEAD_RADIUS_MM, 0.7, rng)
    centre, radius = fit_sphere(femur[head])
    pelvis = data["pelvis_mean"].astype(float)
    left = np.unique(data["pelvis_faces"][data["pelvis_face_component"] == 1])
    near = left[np.linalg.norm(pelvis[left] - centre, axis=1) < radius + 7]
    socket_left = sphere_vertices(pelvis, near, SOCKET_RADIUS_MM, 1.0, rng)
    right = np.unique(data["pelvis_faces"][data["pelvis_face_component"] == 0])
    # The right socket: mirror of the left one across the plane between the hemipelves.
    middle = (pelvis[left].mean(0) + pelvis[right].mean(0)) / 2
    normal = pelvis[left].mean(0) - pelvis[right].mean(0)
    normal /= np.linalg.norm(normal)
    mirrored = centre - 2 * ((centre - middle) @ normal) * normal
    near = right[np.linalg.norm(pelvis[right] - mirrored, axis=1) < radius + 12]
    _, left_radius = fit_sphere(pelvis[socket_left])
    like_left = (left_radius - 1, left_radius + 1)
    socket_right = sphere_vertices(pelvis, near, like_left, 1.0, rng)
    for name, points in (("head", femur[head]), ("left socket", pelvis[socket_left]),
                         ("right socket", pelvis[socket_right])):  # fmt: skip
        c, r = fit_sphere(points)
        print(f"{name}: {len(points)} vertices, centre {c.round(1)}, radius {r:.1f} mm")
    np.savez_compressed(
        target,
        pelvis_mean=data["pelvis_mean"].astype(np.float32),
        pelvis_modes=data["pelvis_modes"].astype(np.float16),
        pelvis_faces=data["pelvis_faces"].astype(np.uint16),
        pelvis_component=data["pelvis_face_component"].astype(np.uint8),
        femur_mean=data["femur_l_mean"].astype(np.float32),
        femur_modes=data["femur_l_modes"].astype(np.float16),
        femur_faces=data["femur_l_faces"].astype(np.uint16),
        weights=data["weights"].astype(np.float64),
        head=head.astype(np.uint16),
        socket_left=socket_left.astype(np.uint16),
        socket_right=socket_right.astype(np.uint16),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
