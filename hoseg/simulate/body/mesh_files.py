"""Closed triangle meshes from STL, OBJ and PLY files (mm)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoseg.errors import InputError
from hoseg.simulate.body.meshes import Mesh
from hoseg.simulate.body.projector import check_closed

SUFFIXES = (".stl", ".obj", ".ply")
_PLY_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "float": "f4", "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2",
    "int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8",
}  # fmt: skip


def read_mesh(path: Path) -> Mesh:
    """Read one closed surface; faces are turned outwards.

    Raises
    ------
    InputError: not a mesh that can be read
    SettingError: the surface is open (names the file and its open edges)
    """
    try:
        vertices, faces = {".stl": _stl, ".obj": _obj, ".ply": _ply}[path.suffix.lower()](path)
    except KeyError:
        raise InputError(str(path), f"expected one of {', '.join(SUFFIXES)}") from None
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"cannot be read as a triangle mesh ({error})") from error
    if len(faces) == 0 or faces.max() >= len(vertices) or faces.min() < 0:
        raise InputError(str(path), "has no triangles, or triangles without vertices")
    check_closed(faces, path.name)
    mesh = Mesh(vertices, faces.astype(np.int32))
    return mesh if mesh.volume_mm3 > 0 else Mesh(vertices, mesh.faces[:, ::-1].copy())


Arrays = tuple[NDArray[np.float64], NDArray[np.int64]]


def _stl(path: Path) -> Arrays:
    data = path.read_bytes()
    count = int.from_bytes(data[80:84], "little")
    if len(data) == 84 + 50 * count:
        record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("rest", "<u2")])
        corners = np.frombuffer(data, record, count, 84)["corners"].reshape(-1, 3)
    else:
        words = data.decode("ascii").split()
        at = [k for k, word in enumerate(words) if word == "vertex"]
        corners = np.array([[float(x) for x in words[k + 1 : k + 4]] for k in at], np.float32)
    # A corner is stored with every triangle: equal ones are one vertex.
    vertices, index = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    return vertices.astype(np.float64), index.reshape(-1, 3).astype(np.int64)


def _obj(path: Path) -> Arrays:
    vertices, faces = [], []
    for line in path.read_text("utf-8").splitlines():
        words = line.split()
        if words[:1] == ["v"]:
            vertices.append([float(x) for x in words[1:4]])
        elif words[:1] == ["f"]:
            corners = [int(word.split("/")[0]) for word in words[1:]]
            corners = [k - 1 if k > 0 else len(vertices) + k for k in corners]
            faces += [[corners[0], *pair] for pair in pairwise(corners[1:])]
    return np.array(vertices, float).reshape(-1, 3), np.array(faces, np.int64).reshape(-1, 3)


def _ply(path: Path) -> Arrays:
    data = path.read_bytes()
    end = data.index(b"end_header")
    header = data[:end].decode("ascii").split("\n")
    body = data[data.index(b"\n", end) + 1 :]
    form = next(line.split()[1] for line in header if line.startswith("format"))
    counts, columns = {}, []
    for line in header:
        words = line.split()
        if words[:1] == ["element"]:
            counts[words[1]], element = int(words[2]), words[1]
        elif words[:1] == ["property"] and element == "vertex":
            columns.append((words[2], _PLY_TYPES[words[1]]))
        elif words[:2] == ["property", "list"] and element == "face":
            size_type, index_type = _PLY_TYPES[words[2]], _PLY_TYPES[words[3]]
    names = [name for name, _ in columns]
    where = [names.index(axis) for axis in "xyz"]
    count, triangles = counts["vertex"], counts["face"]
    if form == "ascii":
        lines = body.decode("ascii").splitlines()
        rows = [[float(x) for x in line.split()] for line in lines[:count]]
        listed = np.array([line.split()[:4] for line in lines[count : count + triangles]], np.int64)
        return np.array(rows)[:, where], _triangles(listed[:, 0], listed[:, 1:])
    order = "<" if form == "binary_little_endian" else ">"
    record = np.dtype([(name, order + kind) for name, kind in columns])
    table = np.frombuffer(body, record, count)
    face = np.dtype([("size", order + size_type), ("corners", order + index_type, 3)])
    table_of_faces = np.frombuffer(body, face, triangles, count * record.itemsize)
    vertices = np.stack([table[axis].astype(np.float64) for axis in "xyz"], axis=1)
    return vertices, _triangles(table_of_faces["size"], table_of_faces["corners"].astype(np.int64))


def _triangles(sizes: NDArray[np.integer], corners: NDArray[np.int64]) -> NDArray[np.int64]:
    if not (sizes == 3).all():
        raise ValueError("a face is not a triangle")
    return corners
