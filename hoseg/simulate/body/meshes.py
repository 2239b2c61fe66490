"""Closed triangle surfaces: spheres, tubes, subdivision, noise on a surface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Points = NDArray[np.float64]
Faces = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Mesh:
    """A closed surface.

    vertices: (N, 3) mm
    faces: (F, 3) outward by the right-hand rule
    """

    vertices: Points
    faces: Faces

    def moved(self, vertices: Points) -> Mesh:
        """The same faces on other vertices."""
        return Mesh(vertices, self.faces)

    @property
    def volume_mm3(self) -> float:
        """Volume by the divergence theorem."""
        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)

    def normals(self) -> Points:
        """(N, 3) unit vertex normals, outward."""
        total = _normal_sums(self.vertices, self.faces)
        return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


@numba.njit(cache=True, nogil=True)
def _normal_sums(vertices, faces):  # type: ignore[no-untyped-def]
    total = np.zeros_like(vertices)
    for face in range(faces.shape[0]):
        i, j, k = faces[face, 0], faces[face, 1], faces[face, 2]
        ux, uy = vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1]
        vx, vy = vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1]
        uz, vz = vertices[j, 2] - vertices[i, 2], vertices[k, 2] - vertices[i, 2]
        normal = (uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
        for corner in (i, j, k):
            for axis in range(3):
                total[corner, axis] += normal[axis]
    return total


def subdivision(faces: Faces) -> tuple[csr_matrix, Faces]:
    """Loop's scheme (1987) once: a matrix that makes the new vertices, and the new faces.

    The surface has to be closed: every edge has two triangles.
    """
    count = int(faces.max()) + 1
    edges = np.concatenate((faces[:, (0, 1)], faces[:, (1, 2)], faces[:, (2, 0)]))
    opposite = np.concatenate((faces[:, 2], faces[:, 0], faces[:, 1]))
    key = np.sort(edges, axis=1)
    unique, where = np.unique(key[:, 0].astype(np.int64) * count + key[:, 1], return_inverse=True)
    low, high = unique // count, unique % count
    middle = np.arange(len(unique)) + count
    rows = [middle, middle, where + count]
    columns = [low, high, opposite]
    weights = [np.full(len(unique), 3 / 8), np.full(len(unique), 3 / 8), np.full(len(where), 1 / 8)]
    degree = np.bincount(np.concatenate((low, high)), minlength=count)
    beta = (5 / 8 - (3 / 8 + np.cos(2 * np.pi / degree) / 4) ** 2) / degree
    old = np.arange(count)
    rows += [old, low, high]
    columns += [old, high, low]
    weights += [1 - degree * beta, beta[low], beta[high]]
    matrix = csr_matrix(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))),
        shape=(count + len(unique), count),
    )
    third = len(faces)
    ab, bc, ca = (where[k * third : (k + 1) * third] + count for k in range(3))
    a, b, c = faces.T
    finer = np.concatenate(
        [np.stack(t, axis=1) for t in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))]
    )
    return matrix, finer.astype(np.int32)


@lru_cache(maxsize=8)
def unit_sphere(rings: int) -> Mesh:
    """A sphere of radius 1 about the origin, on rings x 2 rings quadrilaterals."""
    return tube(
        lambda t: np.stack((0 * t, 0 * t, -np.cos(np.pi * t)), axis=1),
        lambda t: np.sin(np.pi * t),
        rings,
        2 * rings,
    )


def tube(
    spine: Callable[[Points], Points],
    radius: Callable[[Points], Points],
    rings: int,
    around: int,
) -> Mesh:
    """A surface round a curve, closed by a point at both ends.

    spine: (N,) in [0, 1] to (N, 3) mm
    radius: (N,) in [0, 1] to (N,) mm; its ends are ignored
    rings: cross sections between the ends
    around: vertices of a cross section
    """
    t = np.linspace(0, 1, rings + 2)
    centre = np.asarray(spine(t), np.float64)
    tangent = np.gradient(centre, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
    first, second = _frames(tangent)
    angle = np.arange(around) * (2 * np.pi / around)
    size = np.maximum(np.asarray(radius(t), np.float64), 1e-6)[1:-1, None, None]
    ring = centre[1:-1, None] + size * (
        first[1:-1, None] * np.cos(angle)[None, :, None]
        + second[1:-1, None] * np.sin(angle)[None, :, None]
    )
    vertices = np.concatenate((centre[:1], ring.reshape(-1, 3), centre[-1:]))
    return Mesh(vertices, _tube_faces(rings, around))


def _frames(tangent: Points) -> tuple[Points, Points]:
    """Two unit vectors across each tangent that do not twist."""
    across = np.zeros_like(tangent)
    helper = np.eye(3)[np.argmin(np.abs(tangent[0]))]
    for k in range(len(tangent)):
        helper = helper - tangent[k] * (helper @ tangent[k])
        helper = helper / np.linalg.norm(helper)
        across[k] = helper
    return across, np.cross(tangent, across)


@lru_cache(maxsize=32)
def _tube_faces(rings: int, around: int) -> Faces:
    here = np.arange(around)
    after = (here + 1) % around
    faces = [np.stack((np.zeros_like(here), 1 + after, 1 + here), axis=1)]
    for ring in range(rings - 1):
        low, high = 1 + ring * around, 1 + (ring + 1) * around
        faces.append(np.stack((low + here, low + after, high + here), axis=1))
        faces.append(np.stack((low + after, high + after, high + here), axis=1))
    last = 1 + (rings - 1) * around
    end = np.full_like(here, 1 + rings * around)
    faces.append(np.stack((last + here, last + after, end), axis=1))
    return np.concatenate(faces).astype(np.int32)


def surface_noise(
    points: Points, wavelength_mm: float, rng: np.random.Generator, waves: int = 14
) -> NDArray[np.float64]:
    """(N,) smooth random field of about unit spread at 3-D points: a sum of plane waves."""
    direction = rng.normal(size=(waves, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = wavelength_mm * rng.uniform(0.6, 1.6, waves)
    phase = rng.uniform(0, 2 * np.pi, waves)
    matrix = (direction * (2 * np.pi / length)[:, None]).T.astype(np.float32)
    argument = points.astype(np.float32) @ matrix + phase.astype(np.float32)
    return np.asarray(np.cos(argument).sum(axis=1) * np.sqrt(2 / waves), np.float64)


def joined(meshes: list[Mesh]) -> Mesh:
    """Several surfaces as one list of triangles; lengths add where they overlap."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + np.int32(k) for mesh, k in zip(meshes, offsets, strict=True)]),
    )
