"""A greater trochanter that has not healed back after an osteotomy or a fracture.

The fragment was part of the femur and is labelled femur: it is no ossification, however much it
looks like one. Its wires are an implant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial.transform import Rotation

from hoseg.simulate.body.meshes import Mesh, Points, surface_noise
from hoseg.simulate.body.skeleton import Bone, HipJoint
from hoseg.simulate.patient.implants import ImplantPart, lateral_cortex, loop_of_wire, sideways

_TRIES = 6
_LEAST_SHARE, _MOST_SHARE = 0.004, 0.2  # of the vertices of a femur, in a fragment


@dataclass(frozen=True, eq=False)
class Nonunion:
    """A femur in two pieces.

    femur: what is left; fragment: the trochanter; both labelled femur
    gap_mm: chosen distance between the two faces of the cut
    wires: of a fixation that failed
    """

    femur: Bone
    fragment: Bone
    gap_mm: float
    wires: tuple[ImplantPart, ...]


def trochanteric_nonunion(bone: Bone, hip: HipJoint, rng: np.random.Generator) -> Nonunion | None:
    """Cut the greater trochanter off and draw it away; None where no cut leaves the neck whole."""
    tip = int(np.argmin(np.linalg.norm(bone.outer.vertices - hip.trochanter, axis=1)))
    for _ in range(_TRIES):
        steep = rng.uniform(0.45, 0.95)  # angle between the cut and the shaft
        normal = np.cos(steep) * sideways(hip) - np.sin(steep) * hip.shaft
        point = lateral_cortex(hip, bone, rng.uniform(0.7, 1.6) * hip.radius) - 0.5 * normal
        region = _beyond(bone.outer, point, normal, tip)
        share = region.mean()
        head = np.linalg.norm(bone.outer.vertices[region] - hip.head, axis=1)
        if _LEAST_SHARE < share < _MOST_SHARE and head.min() > 1.15 * hip.radius:
            return _separated(bone, hip, (point, normal, tip), rng)
    return None


def _separated(
    bone: Bone, hip: HipJoint, cut: tuple[Points, Points, int], rng: np.random.Generator
) -> Nonunion:
    point, normal, tip = cut
    plate = rng.uniform(0.8, 2.2)  # the faces of an old non-union are covered with cortex
    stump = replace(
        bone,
        outer=_cut(bone.outer, cut, rng, keep_tip=False),
        inner=_cut(bone.inner, (point - plate * normal, normal, tip), rng, keep_tip=False),
    )
    pieces = (
        _cut(bone.outer, cut, rng, keep_tip=True),
        _cut(bone.inner, (point + plate * normal, normal, tip), rng, keep_tip=True),
    )
    gap = float(np.exp(rng.uniform(np.log(2.5), np.log(16))))
    along = -hip.shaft + normal * (hip.shaft @ normal)
    drawn = normal * gap + along / np.linalg.norm(along) * rng.uniform(0, 12)
    turn = Rotation.from_rotvec(np.array([0, np.radians(rng.uniform(-6, 14)) * hip.outward, 0]))
    outer, inner = (
        piece.moved(turn.apply(piece.vertices - point) + point + drawn) for piece in pieces
    )
    fragment = replace(bone, outer=outer, inner=inner)
    wires = _wires(hip, outer, rng) if rng.random() < 0.45 else ()
    return Nonunion(stump, fragment, gap, wires)


def _beyond(mesh: Mesh, point: Points, normal: Points, tip: int) -> NDArray[np.bool_]:
    """(N,) vertices beyond a plane that hang together with vertex ``tip``; none if it is not."""
    beyond = (mesh.vertices - point) @ normal > 0
    if not beyond[tip]:
        return np.zeros(len(beyond), bool)
    edges = np.concatenate((mesh.faces[:, (0, 1)], mesh.faces[:, (1, 2)]))
    edges = edges[beyond[edges].all(axis=1)]
    size = len(beyond)
    links = csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(size, size))
    _, label = connected_components(links, directed=False)
    return np.asarray(beyond & (label == label[tip]))


def _cut(
    mesh: Mesh, cut: tuple[Points, Points, int], rng: np.random.Generator, *, keep_tip: bool
) -> Mesh:
    """One side of a plane, closed there by an uneven face.

    What lies on the other side shrinks to a point of that face, the rest of its rim onto it: the
    triangles stay those of the whole bone, and the surface stays closed.
    """
    point, normal, tip = cut
    region = _beyond(mesh, point, normal, tip)
    lost = region != keep_tip
    if lost.all():
        return mesh.moved(np.broadcast_to(mesh.vertices[tip], mesh.vertices.shape).copy())
    corners = lost[mesh.faces]
    crossing = mesh.faces[corners.any(axis=1) & ~corners.all(axis=1)]
    rim = np.unique(crossing[lost[crossing]])
    if not len(rim):
        return mesh
    points = mesh.vertices.copy()
    flat = points[rim] - np.outer((points[rim] - point) @ normal, normal)
    flat = flat + np.outer(0.5 * surface_noise(flat, 22, rng), normal)
    points[lost] = flat.mean(axis=0)
    points[rim] = flat
    return mesh.moved(points)


def _wires(hip: HipJoint, fragment: Mesh, rng: np.random.Generator) -> tuple[ImplantPart, ...]:
    """Wires round the fragment and the lesser trochanter, some of them broken."""
    outer = fragment.vertices[np.argmax(fragment.vertices @ sideways(hip))]
    wires = []
    for _ in range(int(rng.integers(1, 4))):
        high = outer + hip.shaft * rng.uniform(-8, 12)
        low = hip.lesser - sideways(hip) * 2 + hip.shaft * rng.uniform(-8, 14)
        across = (high - low) / 2
        depth = np.cross(across, rng.normal(0, 0.1, 3) + (0, 0, 1.0))
        depth = depth / np.linalg.norm(depth) * rng.uniform(15, 21)
        whole = 0.985 if rng.random() < 0.6 else rng.uniform(0.6, 0.95)
        wires.append(loop_of_wire((high + low) / 2, across * 1.06, depth, whole))
    return tuple(wires)
