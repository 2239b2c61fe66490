"""A scene: one person on the table, with what surgery and disease have done, and the camera."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hoseg.radiograph import Side, Structure, View
from hoseg.simulate import implants
from hoseg.simulate.anatomy import SIDES, Bone, Hip, Pose, Skeleton, sample_skeleton
from hoseg.simulate.geometry import body_frame
from hoseg.simulate.layers import Layers
from hoseg.simulate.materials import Material
from hoseg.simulate.meshes import Mesh, Points, surface_noise, tube, unit_sphere
from hoseg.simulate.ossification import Growth, Surroundings, grow
from hoseg.simulate.projector import Camera, ray_lengths, ray_lengths_boxed
from hoseg.simulate.settings import BRIDGING_SITES, Frequencies, SceneSettings
from hoseg.simulate.soft_tissue import BodyFrame
from hoseg.simulate.texture import femoral_spongiosa, flat_spongiosa

BONE_MM, OSSIFICATION_MM, IMPLANT_MM = 0.25, 0.6, 0.3
"""A pixel belongs to a structure when its ray runs at least this far inside it."""

_ATTEMPTS = 6  # at growing the chosen class before another site is tried


@dataclass(frozen=True, eq=False)
class HipScene:
    """One hip: landmarks, the chosen class, what grew, what was implanted."""

    hip: Hip
    growth: Growth
    site: str
    implant: str
    parts: tuple[implants.Part, ...]
    osteophytes: tuple[tuple[Structure, Mesh], ...] = ()


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything a film of one person shows, in 3-D.

    extras: clips and balls; vertebrae: lumbar spine (belongs with the sacrum)
    texture: seed and strength of the trabecular pattern
    """

    skeleton: Skeleton
    hips: tuple[HipScene, HipScene]
    extras: tuple[implants.Part, ...]
    vertebrae: tuple[Mesh, ...]
    pose: Pose
    view: View
    centred: Side
    camera: Camera
    trabecular: float
    texture: tuple[int, float]


def choice(shares: Frequencies, rng: np.random.Generator) -> str:
    """Draw a key of a table of shares."""
    keys = list(shares)
    weights = np.array([shares[key] for key in keys], float)
    return str(rng.choice(keys, p=weights / weights.sum()))


def sample_scene(settings: SceneSettings, rng: np.random.Generator) -> Scene:
    """Draw a person, their hips and the view."""
    view = View(choice(settings.views, rng))
    centred = SIDES[int(rng.integers(2))] if view is not View.AP_PELVIS else Side.UNKNOWN
    pose = _pose(view, centred, rng)
    skeleton = sample_skeleton(pose, rng)
    hips = []
    for hip in skeleton.hips:
        scene, skeleton = _hip_scene(hip, skeleton, settings, rng)
        hips.append(scene)
    extras = []
    if rng.random() < settings.clips:
        near = skeleton.hips[int(rng.integers(2))].head
        for _ in range(int(rng.integers(1, 7))):
            extras.append(implants.clip(near + rng.normal(0, 35, 3), rng))
    if rng.random() < settings.balls:
        hip = skeleton.hips[int(rng.integers(2))]
        aside = np.array([hip.outward * rng.uniform(70, 110), 0, rng.uniform(-120, -30)])
        extras.append(implants.ball(hip.head + aside, rng))
    return Scene(
        skeleton, (hips[0], hips[1]), tuple(extras), tuple(_vertebrae(skeleton, rng)), pose, view,
        centred, _camera(rng), float(rng.uniform(0.5, 1.0)),
        (int(rng.integers(2**31)), float(rng.uniform(0.03, 0.16))),
    )  # fmt: skip


def project(scene: Scene, spacing_mm: float, shape: tuple[int, int] | None = None) -> Layers:
    """Path lengths and masks of a scene on the film's pixels.

    spacing_mm: pixel spacing at the plane of the hips
    shape: (rows, columns); None = the whole field of the view
    """
    camera = film_camera(scene, spacing_mm, shape)
    return project_on(scene, camera)


def film_camera(
    scene: Scene, spacing_mm: float, shape: tuple[int, int] | None = None
) -> Camera:
    """Camera whose pixels have a spacing at the plane of the hips, centred as the view is."""
    heads = np.array([hip.head for hip in scene.skeleton.hips])
    if scene.centred is Side.UNKNOWN:
        centre, size_mm = heads.mean(axis=0) + [0, 0, 10], (380.0, 440.0)
    else:
        centre = heads[SIDES.index(scene.centred)] + [0, 0, -20]
        size_mm = (360.0, 300.0)
    magnification = scene.camera.magnification(float(heads[:, 1].mean()))
    pixel = spacing_mm * magnification
    shape = shape or (round(size_mm[0] / spacing_mm), round(size_mm[1] / spacing_mm))
    source = np.asarray(scene.camera.source_mm)
    on_film = source + (centre - source) * magnification
    corner = (
        on_film[0] - pixel * (shape[1] - 1) / 2,
        on_film[2] + pixel * (shape[0] - 1) / 2,
    )
    return replace(
        scene.camera, corner_mm=(float(corner[0]), float(corner[1])), pixel_mm=pixel, shape=shape
    )


def project_on(scene: Scene, camera: Camera) -> Layers:
    """Path lengths and masks of a scene on a camera's pixels."""
    film = _Exposure(camera)
    rng = np.random.default_rng(scene.texture[0])
    for bone in scene.skeleton.bones:
        _project_bone(scene, bone, film, rng)
    for mesh in scene.vertebrae:
        body = film.see(mesh)
        film.sacrum[body.box] |= body.mm > BONE_MM
        film.add(Material.TRABECULAR, body, 0.55)
        film.add(Material.CORTICAL, body, 0.1)
    for hip_scene in scene.hips:
        for structure, mesh in hip_scene.osteophytes:
            spur = film.see(mesh)
            film.mark(structure, spur, BONE_MM)
            film.add(Material.CORTICAL, spur, 0.35)
            film.add(Material.TRABECULAR, spur, 0.5)
        for lesion in hip_scene.growth.lesions:
            grown = film.see(lesion.mesh)
            film.mark(Structure.OSSIFICATION, grown, OSSIFICATION_MM)
            film.add(Material.OSSIFICATION, _mature(lesion.maturity, lesion.mesh, grown, film))
        for part in hip_scene.parts:
            _project_part(part, film)
    for part in scene.extras:
        _project_part(part, film)
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
        self.lengths: dict[Material, NDArray[np.float32]] = {}
        self.masks = np.zeros(camera.shape, np.uint8)
        self.sacrum = np.zeros(camera.shape, bool)

    def see(self, mesh: Mesh) -> _Seen:
        return _Seen(*ray_lengths_boxed(self.camera, mesh.vertices, mesh.faces))

    def add(self, material: Material, seen: _Seen, share: float = 1.0) -> None:
        if material not in self.lengths:
            self.lengths[material] = np.zeros(self.camera.shape, np.float32)
        self.lengths[material][seen.box] += np.maximum(share * seen.mm, 0).astype(np.float32)

    def mark(self, structure: Structure, seen: _Seen, least_mm: float) -> None:
        self.masks[seen.box] |= (seen.mm > least_mm) * np.uint8(structure)

    def layers(self, frame: BodyFrame) -> Layers:
        used = tuple(sorted(self.lengths))
        stack = np.zeros((len(used), *self.camera.shape), np.float32)
        for row, material in zip(stack, used, strict=True):
            row[:] = self.lengths[material]
        return Layers(used, stack, self.masks, self.sacrum, frame)


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
    film.add(Material.CORTICAL, _Seen(outer.box, outer.mm - inner))
    spongy = inner * _spongiosa(scene, bone, part, rng)
    film.add(Material.TRABECULAR, _Seen(outer.box, spongy))


def _project_part(part: implants.Part, film: _Exposure) -> None:
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


def _pose(view: View, centred: Side, rng: np.random.Generator) -> Pose:
    def pair(mean: float, spread: float) -> tuple[float, float]:
        return (float(rng.normal(mean, spread)), float(rng.normal(mean, spread)))

    narrow = rng.random(2) < 0.25
    joint = tuple(float(rng.uniform(0.5, 2.0) if n else rng.uniform(2.5, 5.0)) for n in narrow)
    pose = Pose(
        tilt=float(rng.normal(0, 8)),
        turn=float(rng.normal(0, 5)),
        lean=float(rng.normal(0, 2.5)),
        abduction=pair(2, 7),
        flexion=pair(0, 4),
        rotation=pair(8, 14),
        joint_mm=(joint[0], joint[1]),
    )
    if view is View.FROG_LEG:
        bent = (float(rng.uniform(25, 70)), float(rng.uniform(20, 50)), float(rng.uniform(-60, -20)))
        side = SIDES.index(centred)
        flexed, spread, turned = (
            tuple(new if k == side else old[k] for k in range(2))
            for new, old in zip(bent, (pose.flexion, pose.abduction, pose.rotation), strict=True)
        )
        pose = replace(pose, flexion=flexed, abduction=spread, rotation=turned)
    if view is View.JUDET:
        pose = replace(pose, turn=float(rng.choice([-1, 1]) * rng.uniform(25, 48)))
    return pose


def _camera(rng: np.random.Generator) -> Camera:
    """Source and detector; pixels are chosen later."""
    distance = float(rng.uniform(950, 1300))
    behind = float(rng.uniform(90, 200))
    source = (float(rng.normal(0, 40)), behind - distance, float(rng.normal(0, 50)))
    return Camera(source, behind, (0.0, 0.0), 1.0, (1, 1))


def _hip_scene(
    hip: Hip, skeleton: Skeleton, settings: SceneSettings, rng: np.random.Generator
) -> tuple[HipScene, Skeleton]:
    """Operate on one hip and let ossification grow there."""
    kind = choice(settings.implants, rng)
    level, parts = -1.0, list[implants.Part]()
    if kind in ("total", "hemi"):
        level, parts = implants.total_hip(hip, rng, with_cup=kind == "total")
    elif kind == "resurfacing":
        level, parts = implants.resurfacing(hip, rng)
    elif kind == "nail":
        parts = implants.nail(hip, rng)
    elif kind == "plate":
        parts = implants.plate(hip, rng)
    femur = skeleton.bone("femur", hip.side)
    if level > 0:
        cut = implants.cut_head(femur, hip, level)
        bones = tuple(cut if bone is femur else bone for bone in skeleton.bones)
        skeleton, femur = replace(skeleton, bones=bones), cut
    spurs = _osteophytes(hip, skeleton, level, rng) if rng.random() < settings.osteophytes else ()
    pelvis = skeleton.bone("pelvis", hip.side).outer.vertices
    around = Surroundings(
        hip,
        np.concatenate((pelvis, *(m.vertices for s, m in spurs if s is Structure.PELVIS))),
        np.concatenate((femur.outer.vertices, *(m.vertices for s, m in spurs if s is Structure.FEMUR))),
    )
    growth, site = _grown(settings, around, rng)
    return HipScene(hip, growth, site, kind, tuple(parts), spurs), skeleton


def _grown(
    settings: SceneSettings, around: Surroundings, rng: np.random.Generator
) -> tuple[Growth, str]:
    """Draw class, site and gap until they fit this hip."""
    brooker = int(choice(settings.brooker, rng))
    if brooker == 0:
        return Growth(0, (), None, None), ""
    allowed = settings.sites
    if brooker >= 2:
        allowed = {site: share for site, share in allowed.items() if site in BRIDGING_SITES}
    while True:
        site = choice(allowed, rng)
        low, high = settings.gap_iii_mm if brooker == 3 else settings.gap_ii_mm
        for _ in range(_ATTEMPTS):
            growth = grow(brooker, site, float(rng.uniform(low, high)), around, rng)
            if growth is not None:
                return growth, site


def _osteophytes(
    hip: Hip, skeleton: Skeleton, level: float, rng: np.random.Generator
) -> tuple[tuple[Structure, Mesh], ...]:
    """Bony outgrowths that belong to their bone: rim, head, and where tendons insert."""
    bones = {
        Structure.PELVIS: skeleton.bone("pelvis", hip.side).outer,
        Structure.FEMUR: skeleton.bone("femur", hip.side).outer,
    }
    r, outward = hip.radius, hip.outward
    places = [
        (Structure.PELVIS, hip.head + np.array([outward * 0.95 * r, 0, 0.75 * r])),
        (Structure.PELVIS, hip.head + np.array([-outward * 0.2 * r, 0, -1.25 * r])),
        (Structure.PELVIS, hip.head + np.array([outward * 0.5 * r, -10, 2.2 * r])),
        (Structure.PELVIS, hip.head + np.array([-outward * 0.3 * r, 20, -2.4 * r])),
        (Structure.FEMUR, hip.trochanter),
        (Structure.FEMUR, hip.trochanter + hip.shaft * 0.8 * r),
        (Structure.FEMUR, hip.lesser),
    ]
    if level < 0:
        places += [
            (Structure.FEMUR, hip.head + np.array([outward * 0.7 * r, 0, 0.7 * r])),
            (Structure.FEMUR, hip.head + np.array([-outward * 0.5 * r, 0, -0.9 * r])),
        ]
    grown = []
    for structure, place in places:
        if rng.random() > 0.35:
            continue
        mesh = bones[structure]
        near = int(np.argmin(np.linalg.norm(mesh.vertices - place - rng.normal(0, 3, 3), axis=1)))
        start, normal = mesh.vertices[near], mesh.normals()[near]
        pull = normal + rng.normal(0, 0.5, 3) + 0.4 * np.array([outward, 0, 0.3])
        length = float(np.exp(rng.uniform(np.log(2.5), np.log(11))))
        stop = start + pull / np.linalg.norm(pull) * length
        base = float(rng.uniform(2.0, 5.0))
        outgrowth = tube(
            lambda t, a=start - 2 * normal, b=stop: a + t[:, None] * (b - a),
            lambda t, b=base: b * (1 - 0.75 * t) * np.sqrt(np.clip(12 * np.minimum(t, 1 - t), 0, 1)),
            12, 14,
        )  # fmt: skip
        bumps = 0.12 * base * surface_noise(outgrowth.vertices, 6, rng, 12)
        grown.append(
            (structure, outgrowth.moved(outgrowth.vertices + outgrowth.normals() * bumps[:, None]))
        )
    return tuple(grown)


def _vertebrae(skeleton: Skeleton, rng: np.random.Generator) -> list[Mesh]:
    """Three lumbar vertebrae above the sacrum: body, processes, arch."""
    sacrum = skeleton.bone("sacrum", Side.UNKNOWN).outer.vertices
    top = sacrum[sacrum[:, 2] > sacrum[:, 2].max() - 12].mean(axis=0)
    meshes = []
    place = np.array([top[0], top[1] - 14, sacrum[:, 2].max() - 3])
    for _ in range(3):
        height, width, depth = rng.uniform(27, 31), rng.uniform(24, 29), rng.uniform(16, 19)

        def waist(t: Points, w: float = width) -> Points:
            return w * (1 - 0.14 * np.sin(np.pi * t)) * np.clip(16 * np.minimum(t, 1 - t), 0, 1) ** 0.3

        low = place
        body = tube(
            lambda t, a=low, h=height: a + np.stack((0 * t, 0 * t, h * t), axis=1), waist, 16, 40
        )
        flat = body.vertices.copy()
        flat[:, 1] = place[1] + (flat[:, 1] - place[1]) * depth / width
        meshes.append(body.moved(flat))
        for offset, radii in (
            ((0, 42, 8), (4, 14, 12)),
            ((34, 20, 16), (17, 5, 5)),
            ((-34, 20, 16), (17, 5, 5)),
            ((15, 20, 12), (6, 6, 15)),
            ((-15, 20, 12), (6, 6, 15)),
        ):
            ball = unit_sphere(14)
            points = ball.vertices * radii + place + np.array(offset)
            points = points + 1.2 * ball.vertices * surface_noise(points, 14, rng, 10)[:, None]
            meshes.append(ball.moved(points))
        place = place + np.array([rng.normal(0, 2), rng.normal(-4, 2), height + rng.uniform(6, 12)])
    return meshes
