"""What a scene shall show, drawn from the settings: thousands of plans a second."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hoseg.radiograph import Side, View
from hoseg.simulate.body.skeleton import SIDES, Pose
from hoseg.simulate.patient.settings import SITES_OF_CLASS, Frequencies, SceneSettings


@dataclass(frozen=True)
class HipPlan:
    """What one hip shall have. ``gap_mm`` is None where no gap is chosen.

    nonunion: the greater trochanter is a fragment that has not healed
    bone_islands: compact bone lies inside pelvis or femur
    """

    brooker: int
    site: str
    gap_mm: float | None
    implant: str
    osteophytes: bool
    nonunion: bool = False
    bone_islands: bool = False


@dataclass(frozen=True)
class FieldPlan:
    """Exposed field: height and width (mm at the hips), and its centre from the aiming point."""

    size_mm: tuple[float, float]
    offset_mm: tuple[float, float]


@dataclass(frozen=True)
class ScenePlan:
    """What a scene shall show, before anything is built. Hips are (right, left)."""

    view: View
    centred: Side
    pose: Pose
    field: FieldPlan
    hips: tuple[HipPlan, HipPlan]
    clips: int
    ball: bool
    bladder_ml: float = 150.0


def choice(shares: Frequencies, rng: np.random.Generator) -> str:
    """Draw a key of a table of shares."""
    keys = list(shares)
    weights = np.array([shares[key] for key in keys], float)
    return str(rng.choice(keys, p=weights / weights.sum()))


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
    field = _field(view, rng, spot=spot)
    filling = float(np.exp(rng.uniform(*np.log(settings.bladder_ml))))
    return ScenePlan(view, centred, pose, field, hips, clips, ball, filling)


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
    osteophytes, nonunion = rng.random(2) < (settings.osteophytes, settings.nonunions)
    # Nothing is drawn at 0: films of earlier settings stay the same to the byte.
    islands = settings.bone_islands > 0 and bool(rng.random() < settings.bone_islands)
    return HipPlan(brooker, site, gap, implant, bool(osteophytes), bool(nonunion), islands)


def _field(view: View, rng: np.random.Generator, *, spot: bool) -> FieldPlan:
    if spot:  # fluoroscopy
        size = float(rng.uniform(160, 260))
        return FieldPlan((size, size), (float(rng.normal(0, 15)), float(rng.normal(-10, 20))))
    if view is View.AP_PELVIS:
        size_mm = (float(rng.uniform(300, 420)), float(rng.uniform(380, 460)))
        return FieldPlan(size_mm, (float(rng.normal(0, 8)), float(rng.normal(10, 20))))
    size_mm = (float(rng.uniform(300, 420)), float(rng.uniform(260, 370)))
    low = rng.random() < 0.2  # centred on the shaft, as after long stems and plates
    down = rng.uniform(-160, -60) if low else rng.normal(-20, 20)
    return FieldPlan(size_mm, (float(rng.normal(0, 15)), float(down)))


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
