"""A person on the table: bones, what surgery and disease have done to them, pose and beam."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hoseg.radiograph import Side, Structure, View
from hoseg.simulate.body.anatomy import sample_skeleton
from hoseg.simulate.body.bladder import Bladder, bladder
from hoseg.simulate.body.meshes import Mesh, Points
from hoseg.simulate.body.projector import Camera
from hoseg.simulate.body.skeleton import AnatomySource, Bone, HipJoint, Pose, Skeleton
from hoseg.simulate.body.spine import lumbar_spine
from hoseg.simulate.patient import implants
from hoseg.simulate.patient.bone_islands import BoneIsland, bone_islands
from hoseg.simulate.patient.gap import GapSpace
from hoseg.simulate.patient.implants import ImplantPart, ball, clip
from hoseg.simulate.patient.nonunion import Nonunion, trochanteric_nonunion
from hoseg.simulate.patient.ossification import Growth, grow
from hoseg.simulate.patient.osteophytes import Outgrowth, osteophytes
from hoseg.simulate.patient.plan import FieldPlan, HipPlan, ScenePlan, plan_scene
from hoseg.simulate.patient.settings import SITES_OF_CLASS, SceneSettings

_ATTEMPTS = 8  # at growing the planned class before another gap or site is tried


@dataclass(frozen=True, eq=False)
class HipScene:
    """One hip: landmarks, the class that grew, what was implanted.

    plan: what was asked for; ``growth.brooker`` and ``site`` are what came of it
    osteophytes: outgrowths that belong to a bone, with that bone
    nonunion: the greater trochanter in a piece of its own; the piece is a bone of the skeleton
    bone_islands: compact bone inside pelvis or femur
    """

    plan: HipPlan
    hip: HipJoint
    growth: Growth
    site: str
    implant: str
    parts: tuple[ImplantPart, ...]
    osteophytes: tuple[Outgrowth, ...] = ()
    nonunion: Nonunion | None = None
    bone_islands: tuple[BoneIsland, ...] = ()


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything a film of one person shows, in 3-D.

    extras: clips and balls; vertebrae: lumbar spine (belongs with the sacrum)
    bladder: urine, and fat round it
    trabecular: share of the inside of bones that is spongy bone
    texture: seed and strength of the trabecular pattern
    """

    skeleton: Skeleton
    hips: tuple[HipScene, HipScene]
    extras: tuple[ImplantPart, ...]
    vertebrae: tuple[Mesh, ...]
    bladder: Bladder
    pose: Pose
    view: View
    centred: Side
    field: FieldPlan
    camera: Camera
    trabecular: float
    texture: tuple[int, float]


def sample_scene(
    settings: SceneSettings, rng: np.random.Generator, source: AnatomySource | None = None
) -> Scene:
    """Draw a person, their hips and the view.

    source: where people come from; the LLP26 shape model by default
    """
    return build_scene(plan_scene(settings, rng), rng, source)


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
        extras.append(clip(near + rng.normal(0, 35, 3), rng))
    if plan.ball:
        hip = skeleton.hips[int(rng.integers(2))]
        aside = np.array([hip.outward * rng.uniform(70, 110), 0, rng.uniform(-120, -30)])
        extras.append(ball(hip.head + aside, rng))
    return Scene(
        skeleton=skeleton,
        hips=(hips[0], hips[1]),
        extras=tuple(extras),
        vertebrae=lumbar_spine(skeleton, rng),
        bladder=bladder(skeleton, plan.bladder_ml, rng),
        pose=plan.pose,
        view=plan.view,
        centred=plan.centred,
        field=plan.field,
        camera=_camera(rng),
        trabecular=float(rng.uniform(0.65, 1.4)),
        texture=(int(rng.integers(2**31)), float(rng.uniform(0.03, 0.12))),
    )


def _camera(rng: np.random.Generator) -> Camera:
    """Source and detector; pixels are chosen later."""
    distance = float(rng.uniform(950, 1300))
    behind = float(rng.uniform(90, 200))
    source = (float(rng.normal(0, 40)), behind - distance, float(rng.normal(0, 50)))
    return Camera(source, behind, (0.0, 0.0), 1.0, (1, 1))


def _hip_scene(
    hip: HipJoint, plan: HipPlan, skeleton: Skeleton, rng: np.random.Generator
) -> tuple[HipScene, Skeleton]:
    """Operate on one hip and let ossification grow there."""
    whole = skeleton.bone("femur", hip.side)
    level, parts = implants.implant(plan.implant, hip, whole, rng)
    pelvis = skeleton.bone("pelvis", hip.side)
    femur = whole if level is None else implants.cut_head(whole, hip, level)
    broken = trochanteric_nonunion(femur, hip, rng) if plan.nonunion else None
    pieces = (femur,) if broken is None else (broken.femur, broken.fragment)
    if broken is not None:
        parts = [*parts, *broken.wires]
    bones = [piece for bone in skeleton.bones for piece in (pieces if bone is whole else (bone,))]
    skeleton = replace(skeleton, bones=tuple(bones))
    outgrowths: tuple[Outgrowth, ...] = ()
    if plan.osteophytes:
        outgrowths = osteophytes(hip, pelvis, pieces[0], rng, native=level is None)
    around = GapSpace(
        hip,
        _triangles((pelvis,), hip, Structure.PELVIS, outgrowths),
        _triangles(pieces, hip, Structure.FEMUR, outgrowths),
    )
    growth, site = _grown(plan, around, rng)
    islands: tuple[BoneIsland, ...] = ()
    if plan.bone_islands:  # a stream of its own: all else is as without islands
        islands = bone_islands(hip, pelvis, pieces[0], rng.spawn(1)[0])
    scene = HipScene(
        plan, hip, growth, site, plan.implant, tuple(parts), outgrowths, broken, islands
    )
    return scene, skeleton


def _triangles(
    bones: tuple[Bone, ...], hip: HipJoint, structure: Structure, outgrowths: tuple[Outgrowth, ...]
) -> Points:
    """Triangles (F, 3, 3) of bones near the hip and of what grew out of them."""
    grown = [o.mesh.vertices[o.mesh.faces] for o in outgrowths if o.structure is structure]
    for mesh in (bone.outer for bone in bones):
        close = np.linalg.norm(mesh.vertices - hip.head, axis=1) < 5.5 * hip.radius
        grown.append(mesh.vertices[mesh.faces[close[mesh.faces[:, 0]]]])
    return np.concatenate(grown)


def _grown(plan: HipPlan, around: GapSpace, rng: np.random.Generator) -> tuple[Growth, str]:
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
