"""People drawn from the LLP26 statistical shape model (MPL-2.0, see ``data/NOTICE``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from hoseg.radiograph import Side
from hoseg.simulate.body.meshes import Faces, Mesh, Points, subdivision
from hoseg.simulate.body.skeleton import SIDES, Surfaces, fit_sphere

THIN_MM, LEAST_MM = 12.0, 2.4
"""A sheet of bone is thinner than the first; none is thinner than the second."""


@dataclass(frozen=True, eq=False)
class _Model:
    """Arrays of the shape model, and matrices that subdivide its surfaces once.

    opposite: for both hemipelves, the vertex on the other side of a thin sheet, or -1
    """

    pelvis_mean: Points
    pelvis_modes: NDArray[np.float32]
    femur_mean: Points
    femur_modes: NDArray[np.float32]
    weights: Points
    head: NDArray[np.int64]
    sockets: dict[Side, NDArray[np.int64]]
    components: tuple[tuple[NDArray[np.int64], csr_matrix, Faces], ...]
    femur_finer: csr_matrix
    femur_faces: Faces
    opposite: tuple[NDArray[np.int64], ...]


@lru_cache(maxsize=1)
def _model() -> _Model:
    with (
        (files("hoseg.simulate.body") / "data" / "llp26.npz").open("rb") as stream,
        np.load(stream) as data,
    ):
        faces = data["pelvis_faces"].astype(np.int32)
        parts = []
        for component in range(3):  # right hemipelvis, left hemipelvis, sacrum
            own = faces[data["pelvis_component"] == component]
            used, own = np.unique(own, return_inverse=True)
            matrix, finer = subdivision(own.reshape(-1, 3).astype(np.int32))
            parts.append((used.astype(np.int64), matrix, finer))
        femur_finer, femur_faces = subdivision(data["femur_faces"].astype(np.int32))
        mean = data["pelvis_mean"].astype(np.float64)
        return _Model(
            mean,
            data["pelvis_modes"].astype(np.float32),
            data["femur_mean"].astype(np.float64),
            data["femur_modes"].astype(np.float32),
            data["weights"],
            data["head"].astype(np.int64),
            {
                Side.LEFT: data["socket_left"].astype(np.int64),
                Side.RIGHT: data["socket_right"].astype(np.int64),
            },
            tuple(parts),
            femur_finer,
            femur_faces,
            tuple(_opposite(Mesh(finer @ mean[used], faces)) for used, finer, faces in parts[:2]),
        )


def _opposite(mesh: Mesh) -> NDArray[np.int64]:
    """(N,) vertex on the other side of the bone where it is a thin sheet; -1 where it is not."""
    points, normals = mesh.vertices, mesh.normals()
    distance, index = map(
        np.asarray, cKDTree(points).query(points, k=80, distance_upper_bound=THIN_MM)
    )
    reached = np.isfinite(distance)
    away = points[np.where(reached, index, 0)] - points[:, None]
    depth = -np.einsum("ikj,ij->ik", away, normals)
    facing = np.einsum("ikj,ij->ik", normals[np.where(reached, index, 0)], normals)
    aside = np.sqrt(np.maximum((away**2).sum(axis=2) - depth**2, 0))
    score = np.where(reached & (facing < -0.7) & (depth > 0), aside, np.inf)
    best = score.argmin(axis=1)
    rows = np.arange(len(points))
    return np.where(score[rows, best] < 3.0, index[rows, best], -1).astype(np.int64)


def _thickened(mesh: Mesh, opposite: NDArray[np.int64]) -> tuple[Mesh, NDArray[np.float64]]:
    """A sheet of at least ``LEAST_MM``, and the thickness (N,) there (``THIN_MM`` elsewhere).

    Widened samples of the model push the two sides of the iliac wing through each other.
    """
    thin = np.flatnonzero(opposite >= 0)
    normals = mesh.normals()[thin]
    points = mesh.vertices.copy()
    for _ in range(2):
        gap = np.einsum("ij,ij->i", points[thin] - points[opposite[thin]], normals)
        points[thin] += normals * np.clip(0.5 * (LEAST_MM - gap), 0, 4)[:, None]
    thickness = np.full(len(points), THIN_MM)
    gap = np.einsum("ij,ij->i", points[thin] - points[opposite[thin]], normals)
    thickness[thin] = np.clip(gap, 0, THIN_MM)
    return mesh.moved(points), thickness


@dataclass(frozen=True)
class Llp26:
    """Both hemipelves, the sacrum and a left femur, mirrored for the right side.

    widening: range of the factor on the spread of the model's 26 people
    asymmetry: spread between the two femora of a person, as a share of the model's
    """

    widening: tuple[float, float] = (0.8, 1.25)
    asymmetry: float = 0.15

    def sample(self, rng: np.random.Generator) -> Surfaces:
        """Draw one person: scores of the modes, and a size."""
        model = _model()
        spread = np.sqrt(model.weights) * rng.uniform(*self.widening)
        scores = rng.normal(size=len(spread)) * spread
        size = float(rng.normal(1.0, 0.05))
        points = size * (model.pelvis_mean + np.tensordot(scores, model.pelvis_modes, 1))
        right, left, sacrum = (
            Mesh(finer @ points[used], faces) for used, finer, faces in model.components
        )
        right, thin_right = _thickened(right, model.opposite[0])
        left, thin_left = _thickened(left, model.opposite[1])
        femora, heads = {}, {}
        for side in SIDES:
            own = scores + rng.normal(size=len(scores)) * spread * self.asymmetry
            bone = size * (model.femur_mean + np.tensordot(own, model.femur_modes, 1))
            flip = 1.0 if side is Side.LEFT else -1.0
            bone = bone * (flip, 1, 1)
            faces = model.femur_faces if flip > 0 else model.femur_faces[:, ::-1]
            heads[side] = fit_sphere(bone[model.head])
            femora[side] = Mesh(model.femur_finer @ bone, np.ascontiguousarray(faces))
        sockets = {side: fit_sphere(points[model.sockets[side]]) for side in SIDES}
        thickness = {Side.RIGHT: thin_right, Side.LEFT: thin_left}
        pelvis = {Side.RIGHT: right, Side.LEFT: left}
        return Surfaces(pelvis, femora, sacrum, sockets, heads, thickness)
