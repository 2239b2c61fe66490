"""The numbers of the grading rules that the literature leaves open, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from hoseg.errors import SettingError


@dataclass(frozen=True)
class GradeSettings:
    """Choices of this project; every result follows from these, the masks, and what a model's
    networks say of them (``hoseg.grade.closeup``).

    floor_mm2: an ossification smaller than this is noise: reported, not graded. 12.5 mm^2 is a
        disc 4 mm across, about the smallest island readers call.
    attach_mm: an ossification whose outline comes this near to a bone, or to another
        ossification, touches it. The least of 1-2 mm: as wide as the unsharpness of a cortical
        edge on a film. Of islands 1-2 mm from a bone on simulated films, few hang on it.
    joint_zone: the disc about the head, in head radii, in which no gap is measured.
    measuring_sd_mm: standard deviation of a distance read off a film (0.47 mm measured).
    logit_sd: standard deviation of the network's threshold, in logits. 1.0 moves a threshold
        of 0.5 between 0.27 and 0.73 (one sd).
    hidden_fraction: an implant over more than this share of the space between ilium and
        trochanter hides it.
    """

    floor_mm2: float = 12.5
    attach_mm: float = 1.0
    joint_zone: float = 1.2
    measuring_sd_mm: float = 0.47
    logit_sd: float = 1.0
    hidden_fraction: float = 0.5

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not (np.isfinite(value) and value >= 0):
                raise SettingError(item.name, value, "a finite number, zero or more")
        if self.joint_zone < 1:
            raise SettingError("joint_zone", self.joint_zone, "at least 1 head radius")
        if self.attach_mm == 0:
            raise SettingError("attach_mm", self.attach_mm, "more than 0 mm (1 to 2 is usual)")
