"""A person on the table: bones, what surgery and disease have done to them, pose and beam.

What a scene holds is planned first (cheap: thousands of plans a second) and built afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hoseg.radiograph import Side, Structure, View
from hoseg.simulate import implants
from hoseg.simulate.anatomy import SIDES, AnatomySource, Bone, Hip, Pose, Skeleton, sample_skeleton
from hoseg.simulate.meshes import Mesh, Points
from hoseg.simulate.ossification import Growth, Surroundings, grow
from hoseg.simulate.osteophytes import Outgrowth, osteophytes
from hoseg.simulate.projector import Camera
from hoseg.simulate.settings import SITES_OF_CLASS, Frequencies, SceneSettings
from hoseg.simulate.spine import lumbar_spine

_ATTEMPTS = 8  # at growing the planned class before another gap or site is tried


@dataclass(frozen=True)
class HipPlan:
    """What one hip shall have. ``gap_mm`` is None where no gap is chosen."""

    brooker: int
    site: str
    gap_mm: float | None
    implant: str
    osteophytes: bool


@dataclass(frozen=True)
class Field:
    """Exposed field: height and width (mm at the hips), and its centre from the aiming point."""

    size_mm: tuple[float, float]
    offset_mm: tuple[float, float]


@dataclass(frozen=True)
class ScenePlan:
    """What a scene shall show, before anything is built. Hips are (right, left)."""

    view: View
    centred: Side
    pose: Pose
    field: Field
    hips: tuple[HipPlan, HipPlan]
    clips: int
    ball: bool


@dataclass(frozen=True, eq=False)
class HipScene:
    """One hip: landmarks, the class that grew, what was implanted.

    plan: what was asked for; ``growth.brooker`` and ``site`` are what came of it
    osteophytes: outgrowths that belong to a bone, with that bone
    """

    plan: HipPlan
    hip: Hip
    growth: Growth
    site: str
    implant: str
    parts: tuple[implants.Part, ...]
    osteophytes: tuple[Outgrowth, ...] = ()


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything a film of one person shows, in 3-D.

    extras: clips and balls; vertebrae: lumbar spine (belongs with the sacrum)
    trabecular: share of the inside of bones that is spongy bone
    texture: seed and strength of the trabecular pattern
    """

    skeleton: Skeleton
    hips: tuple[HipScene, HipScene]
    extras: tuple[implants.Part, ...]
    vertebrae: tuple[Mesh, ...]
    pose: Pose
    view: View
    centred: Side
    field: Field
    camera: Camera
    trabecular: float
    texture: tuple[int, float]


def choice(shares: Frequencies, rng: np.random.Generator) -> str:
    """Draw a key of a table of shares."""
    keys = list(shares)
    weights = np.array([shares[key] for key in keys], float)
    return str(rng.choice(keys, p=weights / weights.sum()))


def sample_scene(
    settings: SceneSettings, rng: np.random.Generator, source: AnatomySource | None = None
) -> Scene:
    """Draw a person, their hips and the view.

    source: where people come from; the LLP26 shape model by default
    """
    return build_scene(plan_scene(settings, rng), rng, source)


def plan_scene(settings: SceneSettings, rng: np.random.Generator) -> ScenePlan:
    """Draw what a scene shall show."""
    view = View(choice(settings.views, rng))
    centred = SIDES[int(rng.integers(2))] if view is not View.AP_PELVIS else Side.UNKNOWN
    hips = (_plan_hip(settings, rng), _plan_hip(settings, rng))
    clips = int(rng.integers(1, 7)) if rng.random() < settings.clips else 0
    ball = bool(rng.random() < settings.balls)
    spot = view is View.AP_HIP and rng.random() < settings.spots
    pose = _pose(view, centred, rng)
    if spot:
        pose = replace(pose, turn=float(rng.uniform(-30, 30)))
    return ScenePlan(view, centred, pose, _field(view, rng, spot=spot), hips, clips, ball)


def _plan_hip(settings: SceneSettings, rng: np.random.Generator) -> HipPlan:
    brooker = int(choice(settings.brooker, rng))
    site, gap = "", None
    if brooker:
        allowed = SITES_OF_CLASS[brooker]
        site = choice({k: v for k, v in settings.sites.items() if k in allowed}, rng)
    if brooker in (2, 3):
        low, high = settings.gap_iii_mm if brooker == 3 else settings.gap_ii_mm
        gap = float(rng.uniform(low, high))
    implant = choice(settings.implants, rng)
    return HipPlan(brooker, site, gap, implant, bool(rng.random() < settings.osteophytes))


def _field(view: View, rng: np.random.Generator, *, spot: bool) -> Field:
    if spot:  # fluoroscopy
        size = float(rng.uniform(160, 260))
        return Field((size, size), (float(rng.normal(0, 15)), float(rng.normal(-10, 20))))
    if view is View.AP_PELVIS:
        size_mm = (float(rng.uniform(300, 420)), float(rng.uniform(380, 460)))
        return Field(size_mm, (float(rng.normal(0, 8)), float(rng.normal(10, 20))))
    size_mm = (float(rng.uniform(300, 420)), float(rng.uniform(260, 370)))
    low = rng.random() < 0.2  # centred on the shaft, as after long stems and plates
    down = rng.uniform(-160, -60) if low else rng.normal(-20, 20)
    return Field(size_mm, (float(rng.normal(0, 15)), float(down)))


def build_scene(
    plan: ScenePlan, rng: np.random.Generator, source: AnatomySource | None = None
) -> Scene:
    """Make everything a plan asks for."""
    skeleton = sample_skeleton(plan.pose, rng, source)
    hips = []
    for hip, hip_plan in zip(skeleton.hips, plan.hips, strict=True):
        scene, skeleton = _hip_scene(hip, hip_plan, skeleton, rng)
        hips.append(scene)
    extras = []
    near = skeleton.hips[int(rng.integers(2))].head
    for _ in range(plan.clips):
        extras.append(implants.clip(near + rng.normal(0, 35, 3), rng))
    if plan.ball:
        hip = skeleton.hips[int(rng.integers(2))]
        aside = np.array([hip.outward * rng.uniform(70, 110), 0, rng.uniform(-120, -30)])
        extras.append(implants.ball(hip.head + aside, rng))
    return Scene(
        skeleton, (hips[0], hips[1]), tuple(extras), lumbar_spine(skeleton, rng), plan.pose,
        plan.view, plan.centred, plan.field, _camera(rng), float(rng.uniform(0.5, 1.0)),
        (int(rng.integers(2**31)), float(rng.uniform(0.03, 0.12))),
    )  # fmt: skip


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
        bent = (
            float(rng.uniform(25, 70)),
            float(rng.uniform(20, 50)),
            float(rng.uniform(-60, -20)),
        )
        side = SIDES.index(centred)
        flexed, spread, turned = (
            (new, old[1]) if side == 0 else (old[0], new)
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
    hip: Hip, plan: HipPlan, skeleton: Skeleton, rng: np.random.Generator
) -> tuple[HipScene, Skeleton]:
    """Operate on one hip and let ossification grow there."""
    femur = skeleton.bone("femur", hip.side)
    level, parts = implants.implant(plan.implant, hip, femur, rng)
    pelvis = skeleton.bone("pelvis", hip.side)
    if level is not None:
        cut = implants.cut_head(femur, hip, level)
        bones = tuple(cut if bone is femur else bone for bone in skeleton.bones)
        skeleton, femur = replace(skeleton, bones=bones), cut
    outgrowths: tuple[Outgrowth, ...] = ()
    if plan.osteophytes:
        outgrowths = osteophytes(hip, pelvis, femur, rng, native=level is None)
    around = Surroundings(
        hip,
        _surface_points(pelvis, hip, Structure.PELVIS, outgrowths),
        _surface_points(femur, hip, Structure.FEMUR, outgrowths),
    )
    growth, site = _grown(plan, around, rng)
    return HipScene(plan, hip, growth, site, plan.implant, tuple(parts), outgrowths), skeleton


def _surface_points(
    bone: Bone, hip: Hip, structure: Structure, outgrowths: tuple[Outgrowth, ...]
) -> Points:
    """Points (N, 3) on a bone near the hip and on what grew out of it, about 1.5 mm apart."""
    mesh = bone.outer
    close = np.linalg.norm(mesh.vertices - hip.head, axis=1) < 5.5 * hip.radius
    faces = mesh.faces[close[mesh.faces[:, 0]]]
    corners = mesh.vertices[faces]
    middles = (corners[:, 0] + corners[:, 1] + corners[:, 2]) / 3
    own = [o.mesh.vertices for o in outgrowths if o.structure is structure]
    return np.concatenate([mesh.vertices[close], middles, *own])


def _grown(plan: HipPlan, around: Surroundings, rng: np.random.Generator) -> tuple[Growth, str]:
    """Grow what was planned.

    Where it does not fit this hip, a smaller gap, then another site, then a lower class is tried.
    """
    for brooker in range(plan.brooker, 0, -1):
        others = [site for site in SITES_OF_CLASS[brooker] if site != plan.site]
        rng.shuffle(others)
        sites = [plan.site, *others] if plan.site in SITES_OF_CLASS[brooker] else others
        for site in sites:
            gap = plan.gap_mm or 12.0
            for _ in range(_ATTEMPTS):
                growth = grow(brooker, site, gap, around, rng)
                if growth is not None:
                    return growth, site
                gap = max(0.8 * gap, 10.4) if brooker == 2 else gap
    return Growth(0, (), None, None), ""
