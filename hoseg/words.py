"""Words that stand in many outputs, said once."""

from __future__ import annotations

from typing import Literal

RESEARCH_USE = "Research use only. Not a medical device."
"""On every output."""

BROOKER = ("0", "I", "II", "III", "IV")
"""Brooker classes as readers write them; the index is the class."""

Status = Literal["graded", "abstained", "skipped", "failed"]
"""What became of an input: the status of its row in ``images.csv``."""

VIEWS = {
    "ap_pelvis": "AP pelvis",
    "ap_hip": "AP hip",
    "frog_leg": "frog-leg lateral",
    "cross_table": "cross-table lateral",
    "judet": "Judet view",
    "other": "another view than AP",
    "unknown": "view not stated",
}
"""Values of ``View`` for readers."""

CALIBRATIONS = {
    "user_override": "given by the user in place of what the file carries",
    "fiducial": "calibrated with an object in the film",
    "implant_head": "from the known diameter of the implant head",
    "geometry": "corrected by the device for an assumed depth",
    "magnification": "detector pixel size over the stated magnification",
    "assumed_magnification": "detector pixel size over an ASSUMED magnification of 1.20",
    "untyped": "pixel size as the file states it, its plane not stated",
    "user": "given by the user",
    "none": "none: nothing is measured in millimetres",
}
"""Values of ``SpacingSource`` for readers; at most 64 characters each, as DICOM code meanings."""

PROVISIONAL = {
    "view_not_ap": "Brooker is defined on the AP view",
    "view_unknown": "view not stated",
    "cropped_hip": "part of the hip is outside the picture",
    "implant_hides_region": "metal or cement hides part of the hip",
}
"""Codes of reasons that make a class provisional, for readers."""


def plain(code: str | None) -> str:
    """A code as words: ``mature_discrete`` -> ``mature discrete``."""
    return (code or "").replace("_", " ").replace("supra acetabular", "supra-acetabular")
