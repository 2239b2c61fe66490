"""A scene on film: the camera of a view, path lengths and masks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hoseg.radiograph import Side, Structure
from hoseg.simulate.body.frame import BodyFrame, body_frame
from hoseg.simulate.body.materials import Material
from hoseg.simulate.body.meshes import Mesh
from hoseg.simulate.body.projector import Camera, ray_lengths, ray_lengths_boxed
from hoseg.simulate.body.skeleton import SIDES, Bone
from hoseg.simulate.body.texture import femoral_spongiosa, flat_spongiosa
from hoseg.simulate.patient.implants import ImplantPart
from hoseg.simulate.patient.layers import Layers
from hoseg.simulate.patient.scene import Scene

BONE_MM, OSSIFICATION_MM, IMPLANT_MM = 0.25, 0.6, 0.3
"""A pixel belongs to a structure when its ray runs at least this far inside it."""


def project(scene: Scene, spacing_mm: float, shape: tuple[int, int] | None = None) -> Layers:
    """Path lengths and masks of a scene on the film's pixels.

    spacing_mm: pixel spacing at the plane of the hips
    shape: (rows, columns); None = the whole field of the view
    """
    camera = film_camera(scene, spacing_mm, shape)
    return project_on(scene, camera)


def film_camera(scene: Scene, spacing_mm: float, shape: tuple[int, int] | None = None) -> Camera:
    """Camera whose pixels have a spacing at the plane of the hips, centred as the view is.

    shape: (rows, columns); None = the whole field
    """
    heads = np.array([hip.head for hip in scene.skeleton.hips])
    aim = heads.mean(axis=0) if scene.centred is Side.UNKNOWN else heads[SIDES.index(scene.centred)]
    centre = aim + [scene.field.offset_mm[0], 0, scene.field.offset_mm[1]]
    magnification = scene.camera.magnification(float(heads[:, 1].mean()))
    pixel = spacing_mm * magnification
    rows, columns = shape or tuple(round(side / spacing_mm) for side in scene.field.size_mm)
    source = np.asarray(scene.camera.source_mm)
    on_film = source + (centre - source) * magnification
    corner = (
        float(on_film[0] - pixel * (columns - 1) / 2),
        float(on_film[2] + pixel * (rows - 1) / 2),
    )
    return replace(scene.camera, corner_mm=corner, pixel_mm=pixel, shape=(rows, columns))


def project_on(scene: Scene, camera: Camera) -> Layers:
    """Path lengths and masks of a scene on a camera's pixels."""
    film = _Exposure(camera)
    rng = np.random.default_rng(scene.texture[0])
    for bone in scene.skeleton.bones:
        _project_bone(scene, bone, film, rng)
    for mesh in scene.vertebrae:
        body = film.see(mesh)
        film.sacrum[body.box] |= body.mm > BONE_MM
        film.add(Material.TRABECULAR, body, 0.75 * scene.trabecular)
        film.add(Material.CORTICAL, body, 0.1)
    for hip_scene in scene.hips:
        for outgrowth in hip_scene.osteophytes:
            spur = film.see(outgrowth.mesh)
            film.mark(outgrowth.structure, spur, BONE_MM)
            film.add(Material.CORTICAL, spur, 0.35)
            film.add(Material.TRABECULAR, spur, 0.5)
        for piece in hip_scene.growth.ossifications:
            grown = film.see(piece.mesh)
            film.mark(Structure.OSSIFICATION, grown, OSSIFICATION_MM)
            film.add(Material.OSSIFICATION, _mature(piece.maturity, piece.mesh, grown, film))
        for part in hip_scene.parts:
            _project_part(part, film)
    for part in scene.extras:
        _project_part(part, film)
    film.add(Material.URINE, film.see(scene.bladder.urine))
    coat = film.see(scene.bladder.coat)
    coat.mm[...] -= film.lengths(Material.URINE)[coat.box]
    film.add(Material.FAT, coat)
    return film.layers(body_frame(camera, scene.skeleton.hips))


@dataclass(frozen=True, eq=False)
class _Seen:
    """Lengths (h, w) mm on a part of the film."""

    box: tuple[slice, slice]
    mm: NDArray[np.float64]


class _Exposure:
    """What has been projected so far."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        # Rows are taken as materials turn up; memory of the others is never touched.
        self.rows: dict[Material, int] = {}
        self.stack = np.zeros((len(Material), *camera.shape), np.float32)
        self.masks = np.zeros(camera.shape, np.uint8)
        self.sacrum = np.zeros(camera.shape, bool)

    def see(self, mesh: Mesh) -> _Seen:
        return _Seen(*ray_lengths_boxed(self.camera, mesh.vertices, mesh.faces))

    def add(self, material: Material, seen: _Seen, share: float = 1.0) -> None:
        part = self.lengths(material)[seen.box]
        part += np.maximum(share * seen.mm, 0).astype(np.float32)

    def lengths(self, material: Material) -> NDArray[np.float32]:
        return self.stack[self.rows.setdefault(material, len(self.rows))]

    def mark(self, structure: Structure, seen: _Seen, least_mm: float) -> None:
        self.masks[seen.box] |= (seen.mm > least_mm) * np.uint8(structure)

    def layers(self, frame: BodyFrame) -> Layers:
        used = self.stack[: len(self.rows)]
        return Layers(tuple(self.rows), used, self.masks, self.sacrum, frame)


def _project_bone(scene: Scene, bone: Bone, film: _Exposure, rng: np.random.Generator) -> None:
    outer = film.see(bone.outer)
    if not outer.mm.any():
        return
    if bone.name == "sacrum":
        film.sacrum[outer.box] |= outer.mm > BONE_MM
    else:
        film.mark(Structure[bone.name.upper()], outer, BONE_MM)
    part = film.camera.window(
        outer.box[0].start, outer.box[1].start, 1.0, (outer.mm.shape[0], outer.mm.shape[1])
    )
    inner = np.clip(ray_lengths(part, bone.inner.vertices, bone.inner.faces), 0, outer.mm)
    dense = _island_mm(scene, bone, part, inner)
    film.add(Material.CORTICAL, _Seen(outer.box, outer.mm - inner + dense))
    spongy = (inner - dense) * _spongiosa(scene, bone, part, rng)
    film.add(Material.TRABECULAR, _Seen(outer.box, spongy))


def _island_mm(
    scene: Scene, bone: Bone, camera: Camera, inner_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Length (H, W) in bone islands, which take the place of spongy bone and never leave it."""
    structure = Structure.__members__.get(bone.name.upper())  # None: the sacrum has no label
    dense = np.zeros_like(inner_mm)
    for hip_scene in scene.hips:
        for island in hip_scene.bone_islands:
            if hip_scene.hip.side is bone.side and island.structure is structure:
                dense += ray_lengths(camera, island.mesh.vertices, island.mesh.faces)
    return np.clip(dense, 0, inner_mm)


def _project_part(part: ImplantPart, film: _Exposure) -> None:
    """Add a part; polyethylene is invisible and not labelled, a ball is no implant."""
    seen = film.see(part.mesh)
    film.add(part.material, seen)
    if part.material is not Material.POLYETHYLENE and part.name != "ball":
        film.mark(Structure.IMPLANT, seen, IMPLANT_MM)


def _mature(maturity: float, mesh: Mesh, grown: _Seen, film: _Exposure) -> _Seen:
    """Bone (mm) along each ray: a thin cloud at first, later a dense rim round spongy bone."""
    camera = film.camera.window(
        grown.box[0].start, grown.box[1].start, 1.0, (grown.mm.shape[0], grown.mm.shape[1])
    )
    inside = ray_lengths(camera, mesh.vertices - 1.3 * mesh.normals(), mesh.faces)
    core = np.clip(inside, 0, grown.mm)
    dense = 0.35 + 0.75 * maturity
    rim = dense * (1 + 0.8 * maturity) * (grown.mm - core)
    return _Seen(grown.box, rim + dense * (1 - 0.3 * maturity) * core)


def _spongiosa(
    scene: Scene, bone: Bone, camera: Camera, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Share (H, W) of the inside of a bone that is spongy bone, with its struts."""
    strength = scene.texture[1]
    if bone.name != "femur":
        return np.float32(scene.trabecular) * flat_spongiosa(camera, strength, rng)
    hip = next(h for h in scene.skeleton.hips if h.side is bone.side)
    return np.float32(scene.trabecular) * femoral_spongiosa(hip, camera, strength, rng)
