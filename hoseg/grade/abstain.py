"""When not to grade: reasons with stable codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoseg.grade.bones import Bones, sample
from hoseg.grade.hips import Hip
from hoseg.grade.surfaces import BoneSurfaces

NEAR_RADII = 3.0
"""A hip whose head has no pelvis within so many radii has none in the picture."""


@dataclass(frozen=True)
class Abstention:
    """Why a hip is not graded."""

    code: str
    text: str


REASONS: dict[str, str] = {
    "no_hip": "neither pelvis nor femur was found",
    "no_femur": "no femur was found",
    "no_pelvis": "no pelvis was found near the femur",
    "cropped_hip": "the picture leaves out {}",
    "no_femoral_head": "no femoral or prosthetic head was found, so the joint cannot be told from "
    "a gap, nor whether all of the hip is in the picture",
    "implant_hides_region": "metal or cement covers most of the space between ilium and trochanter",
    "unlikely_class": "the rules give {}",
    "no_calibration": "a rule in millimetres decides and the picture has no calibration",
}
"""Every reason a finding can give, with its sentence."""


def abstention(code: str, detail: str = "") -> Abstention:
    """A reason with its sentence."""
    return Abstention(code, REASONS[code].format(detail))


def nothing_to_grade(bones: Bones) -> Abstention | None:
    """Why there is no hip in the picture at all, or None."""
    if not bones.femur_outlines:
        return abstention("no_femur" if bones.pelvis_outlines else "no_hip")
    return None if bones.pelvis_outlines else abstention("no_pelvis")


def check_hip(bones: Bones, hip: Hip, around: BoneSurfaces) -> Abstention | None:
    """Why one hip can't be graded, or None. Calibration is judged with the rules.

    Whether ossification was found plays no part: where a hip cannot be seen, none found says no
    more than some found.
    """
    frame = around.frame
    if frame.cropped:
        return abstention("cropped_hip", frame.cropped)
    over = sample(bones.pelvis, frame.centre[None] / bones.mm)[0] > 0
    if not over and around.to_pelvis_mm(frame.centre) > NEAR_RADII * frame.unit:
        return abstention("no_pelvis")
    if hip.head is None:
        return abstention("no_femoral_head")
    if bones.implant_outlines and hidden_share(around) > around.settings.hidden_fraction:
        return abstention("implant_hides_region")
    return None


def hidden_share(around: BoneSurfaces) -> float:
    """Share of the space between ilium and trochanter that lies under metal, 0-1.

    The space: a quarter ring about the head, from the joint zone to 2.2 radii, on the lateral
    upper side.
    """
    frame = around.frame
    inner = around.settings.joint_zone * frame.radius
    radii = np.linspace(inner, max(2.2 * frame.unit, 1.2 * inner), 12)
    angles = np.linspace(0, np.pi / 2, 16)
    r, a = (grid.ravel() for grid in np.meshgrid(radii, angles))
    points = (
        frame.centre
        + np.outer(r * np.cos(a), frame.lateral)
        - np.outer(r * np.sin(a), frame.distal)
    )
    return float((sample(around.bones.implant, points / around.bones.mm) > 0).mean())
