"""How simulated films are written as DICOM: one tidy way and the awkward ones of vendors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from hoseg.errors import SettingError
from hoseg.radiograph import Side, View

SPACINGS = ("imager", "magnification", "fiducial", "geometry", "untyped", "none")
VOI = ("window", "two_windows", "lut", "none")
AWKWARD = ("none", "no_view", "no_side", "no_file_meta", "signed", "rescaled", "padded")
TRANSFER_SYNTAXES: dict[str, UID] = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg_lossless": JPEGLosslessSV1,
    "jpeg_ls": JPEGLSLossless,
    "jpeg_2000": JPEG2000Lossless,
}


@dataclass(frozen=True)
class DicomVariant:
    """How an object is written.

    modality: "DX" or "CR"; only CR may leave the detector spacing out
    spacing: one of ``SPACINGS``
    syntax: a key of ``TRANSFER_SYNTAXES``
    inverted: store as MONOCHROME1
    voi: one of ``VOI``
    awkward: one of ``AWKWARD``
    """

    modality: str = "DX"
    spacing: str = "imager"
    syntax: str = "jpeg_lossless"
    inverted: bool = False
    voi: str = "window"
    awkward: str = "none"

    def __post_init__(self) -> None:
        allowed = {
            "modality": ("DX", "CR"),
            "spacing": SPACINGS,
            "syntax": tuple(TRANSFER_SYNTAXES),
            "voi": VOI,
            "awkward": AWKWARD,
        }
        for key, values in allowed.items():
            if getattr(self, key) not in values:
                raise SettingError(key, getattr(self, key), "one of " + ", ".join(values))
        if self.modality == "DX" and self.awkward == "signed":
            raise SettingError("awkward", "signed", "unsigned pixels in DX (PS3.3 C.8.11.3)")
        if self.modality == "DX" and self.spacing in ("untyped", "none"):
            raise SettingError(
                "spacing", self.spacing, "a variant with ImagerPixelSpacing, or modality CR"
            )


@dataclass(frozen=True)
class Acquisition:
    """What the object says about how the film was taken.

    name: unique name of the film, from which patient and UIDs follow
    side: patient's side of a single hip; unknown stands for both
    columns: patient side towards which columns grow
    spacing_mm: at the plane of the hip
    magnification: source-detector over source-hip distance
    """

    name: str
    view: View
    side: Side
    columns: Side
    spacing_mm: float
    magnification: float
    kvp: float = 75.0
    source_detector_mm: float = 1150.0


def sample_variant(rng: np.random.Generator) -> DicomVariant:
    """Draw a way of writing; about a quarter are awkward."""
    modality = "DX" if rng.random() < 0.65 else "CR"
    odds = [0.45, 0.25, 0.15, 0.15, 0, 0] if modality == "DX" else [0.4, 0.1, 0.1, 0.1, 0.2, 0.1]
    awkward = str(rng.choice(AWKWARD)) if rng.random() < 0.25 else "none"
    if modality == "DX" and awkward == "signed":
        awkward = "padded"
    return DicomVariant(
        modality,
        str(rng.choice(SPACINGS, p=odds)),
        str(rng.choice(list(TRANSFER_SYNTAXES))),
        bool(rng.random() < 0.3),
        str(rng.choice(VOI, p=[0.5, 0.2, 0.15, 0.15])),
        awkward,
    )
