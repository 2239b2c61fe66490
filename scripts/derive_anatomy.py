#!/usr/bin/env python3
"""Make the packaged anatomy from the PyPI package musculoskeletal-models 0.2.4 (MPL-2.0).

    pip download --no-deps musculoskeletal-models==0.2.4 && unzip musculoskeletal_models-*.whl
    pip install gias3.fieldwork "scipy<1.12" "numpy<1.27"
    python scripts/derive_anatomy.py musculoskeletal/models hoseg/simulate/body/data/llp26.npz

The package holds the LLP26 lower-limb shape model of the Auckland Bioengineering Institute. Its
meshes are evaluated to triangles here (vertices are linear in the scores of the modes), in mm:
both hemipelves, the sacrum and the left femur. The modes are kept in half precision, and the
vertices of the femoral head and of the two sockets are found by fitting spheres to the mean shape.
The shape files are pickles: they are read by an unpickler that knows plain arrays only.
"""

from __future__ import annotations

import importlib
import pickle
import sys
from pathlib import Path

import numpy as np
from gias3.fieldwork.field import geometric_field
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from hoseg.simulate.body.skeleton import fit_sphere

HEAD_RADIUS_MM, SOCKET_RADIUS_MM = (18, 30), (20, 34)
TRIES = 4000
PELVIS_POINTS, FEMUR_POINTS = 1946, 634
ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype"),
    ("numpy.core.multiarray", "scalar"), ("_codecs", "encode"),
}  # fmt: skip


class ArraysOnly(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not a plain array")
        return getattr(importlib.import_module(module), name)


def evaluated(models: Path) -> dict[str, np.ndarray]:
    """Mean, modes and faces of pelvis and left femur as triangles."""
    with (models / "shape_models/LLP26_rigid.pc").open("rb") as stream:
        shape = ArraysOnly(stream).load()
    meshes = {
        "pelvis": ("pelvis_combined_cubic_mean_rigid_LLP26.geof", "pelvis_combined_cubic_flat",
                   slice(0, PELVIS_POINTS), 8),
        "femur_l": ("femur_left_mean_rigid_LLP26.geof", "femur_left_quartic_flat",
                    slice(PELVIS_POINTS, PELVIS_POINTS + FEMUR_POINTS), 10),
    }  # fmt: skip
    data = {"weights": np.asarray(shape["weights"])}
    folder = f"{models}/atlas_meshes/"
    for name, (field_file, mesh, points, density) in meshes.items():
        field = geometric_field.load_geometric_field(
            folder + field_file, f"{folder}{mesh}.ens", f"{folder}{mesh}.mesh", path=folder
        )

        def triangles(parameters, field=field, density=density):
            field.set_field_parameters(parameters[:, :, None].copy())
            vertices, faces, *_ = field.triangulate([density, density])
            return np.asarray(vertices, float), np.asarray(faces)

        vertices, faces = triangles(shape["mean"].reshape(3, -1)[:, points])
        modes = [
            triangles(100 * shape["modes"][:, k].reshape(3, -1)[:, points])[0] / 100
            for k in range(shape["modes"].shape[1])
        ]
        data[f"{name}_mean"], data[f"{name}_faces"] = vertices, faces
        data[f"{name}_modes"] = np.stack(modes)
    data["pelvis_face_component"] = components(data["pelvis_mean"], data["pelvis_faces"])
    return data


def components(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Of each face: 0 right hemipelvis, 1 left, 2 sacrum."""
    ends = np.concatenate((faces[:, :2], faces[:, 1:]))
    graph = coo_matrix((np.ones(len(ends)), ends.T), shape=(len(vertices),) * 2)
    _, piece = connected_components(graph, directed=False)
    of_face = piece[faces[:, 0]]
    names = np.unique(of_face)
    across = [vertices[np.unique(faces[of_face == name]), 0].mean() for name in names]
    right, sacrum, left = names[np.argsort(across)]
    return np.select([of_face == right, of_face == left, of_face == sacrum], [0, 1, 2])


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
    data = evaluated(source)
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
