"""Closed triangle meshes from STL, OBJ and PLY files (mm)."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np

from hoseg.errors import InputError
from hoseg.simulate.body.meshes import Mesh
from hoseg.simulate.body.projector import check_closed

SUFFIXES = (".stl", ".obj", ".ply")


def read_mesh(path: Path) -> Mesh:
    """Read one closed surface; faces are turned outwards.

    Raises
    ------
    InputError: not a mesh that can be read
    SettingError: the surface is open (names the file and its open edges)
    """
    import trimesh

    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise InputError(str(path), f"expected one of {', '.join(SUFFIXES)}")
    try:
        data = path.read_bytes()
        if kind == ".obj":  # materials and groups would tear the surface apart
            data = b"\n".join(line for line in data.splitlines() if line[:2] in (b"v ", b"f "))
        loaded = trimesh.load_mesh(
            BytesIO(data), file_type=kind[1:],
            process=False, maintain_order=True, skip_materials=True, fix_texture=False,
        )  # fmt: skip
        vertices, faces = np.asarray(loaded.vertices, np.float64), np.asarray(loaded.faces)
    except Exception as error:  # trimesh raises whatever its parsers stumble over
        raise InputError(str(path), f"cannot be read as a triangle mesh ({error})") from error
    if kind == ".stl":  # holds corners, not vertices: equal ones are one vertex
        corners = vertices[faces.ravel()].astype(np.float32)
        unique, index = np.unique(corners, axis=0, return_inverse=True)
        vertices, faces = unique.astype(np.float64), index.reshape(-1, 3)
    if len(faces) == 0 or faces.max() >= len(vertices) or faces.min() < 0:
        raise InputError(str(path), "has no triangles, or triangles without vertices")
    if not np.isfinite(vertices).all():
        raise InputError(str(path), "has vertices that are no finite numbers")
    check_closed(faces, path.name)
    mesh = Mesh(vertices, faces.astype(np.int32))
    return mesh if mesh.volume_mm3 > 0 else Mesh(vertices, mesh.faces[:, ::-1].copy())
