"""Simulated films as CR and DX objects, tidy ones and the awkward variants that vendors write."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

from hoseg.errors import SettingError
from hoseg.radiograph import Side, View
from hoseg.words import RESEARCH_USE

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


def dicom_dataset(
    pixels: NDArray[np.uint16], bits: int, acquisition: Acquisition, variant: DicomVariant
) -> Dataset:
    """A CR (PS3.3 A.2) or DX (PS3.3 A.26) object of ``pixels`` (H, W), bright = dense."""
    dataset = Dataset()
    _identity(dataset, acquisition, variant)
    _positioning(dataset, acquisition, variant)
    _spacing(dataset, acquisition, variant)
    _pixels(dataset, pixels, bits, variant)
    _display(dataset, pixels, bits, variant)
    return dataset


def write_dicom(
    path: Path,
    pixels: NDArray[np.uint16],
    bits: int,
    acquisition: Acquisition,
    variant: DicomVariant,
) -> None:
    """Write the object of ``dicom_dataset`` to ``path``; same arguments, same bytes."""
    dataset = dicom_dataset(pixels, bits, acquisition, variant)
    if variant.awkward == "no_file_meta":
        dataset.file_meta = FileMetaDataset()
        with path.open("wb") as stream:
            dataset.save_as(stream, implicit_vr=True, little_endian=True, enforce_file_format=False)
        return
    dataset.save_as(path, enforce_file_format=True)


def _uid(*parts: str) -> str:
    """A UID under the UUID root (PS3.5 B.2) that follows from ``parts`` alone."""
    digest = hashlib.sha256("/".join(parts).encode()).digest()[:16]
    return f"2.25.{int.from_bytes(digest, 'big')}"


def _code(value: str, meaning: str, scheme: str = "SCT") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _identity(ds: Dataset, acquisition: Acquisition, variant: DicomVariant) -> None:
    name = acquisition.name
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    is_dx = variant.modality == "DX"
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = (
        DigitalXRayImageStorageForPresentation if is_dx else ComputedRadiographyImageStorage
    )
    ds.SOPInstanceUID = _uid(name, "image")
    ds.StudyInstanceUID = _uid(name, "study")
    ds.SeriesInstanceUID = _uid(name, "series")
    ds.PatientName = f"SIMULATED^HIP {name}"
    ds.PatientID = f"SIM-{name}"
    ds.PatientBirthDate = ""
    ds.PatientSex = "MFO"[number % 3]
    ds.PatientAge = f"{20 + number % 70:03d}Y"
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = (
        f"2020{1 + number % 12:02d}15"
    )
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = ds.AcquisitionTime = "120000"
    ds.AccessionNumber = ds.ReferringPhysicianName = ""
    ds.StudyID = "1"
    ds.SeriesNumber = ds.InstanceNumber = 1
    ds.AcquisitionNumber = 1
    ds.Modality = variant.modality
    ds.Manufacturer = "hoseg simulator"
    ds.ManufacturerModelName = "simulated"
    ds.DeviceSerialNumber = "0"
    ds.SoftwareVersions = "1"
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.ImageComments = f"Simulated image. {RESEARCH_USE}"
    ds.BurnedInAnnotation = "NO"
    ds.LossyImageCompression = "00"
    ds.KVP = f"{acquisition.kvp:.1f}"
    if is_dx:
        ds.PresentationIntentType = "FOR PRESENTATION"
        ds.DetectorType = "SCINTILLATOR"
        ds.PositionerType = "COLUMN"
        ds.AcquisitionContextSequence = Sequence()


_VIEWS = {
    View.AP_PELVIS: ("399348003", "antero-posterior", "AP"),
    View.AP_HIP: ("399348003", "antero-posterior", "AP"),
    View.FROG_LEG: ("399348003", "antero-posterior", "AP"),
    View.JUDET: ("399312000", "antero-posterior oblique", ""),
}
_MODIFIERS = {View.JUDET: ("260496000", "Judet projection")}  # CID 4010 and CID 4012
_DESCRIPTIONS = {
    View.AP_PELVIS: "Pelvis AP",
    View.AP_HIP: "Hip AP",
    View.FROG_LEG: "Hip frog leg",
    View.JUDET: "Hip Judet",
}


def _positioning(ds: Dataset, acquisition: Acquisition, variant: DicomVariant) -> None:
    left = acquisition.columns is not Side.RIGHT
    ds.PatientOrientation = ["L" if left else "R", "F"]
    ds.BodyPartExamined = "PELVIS" if acquisition.view is View.AP_PELVIS else "HIP"
    ds.SeriesDescription = ds.StudyDescription = _DESCRIPTIONS.get(acquisition.view, "Hip")
    side = {Side.LEFT: "L", Side.RIGHT: "R"}.get(acquisition.side, "B")
    is_dx = variant.modality == "DX"
    if is_dx:
        ds.ImageLaterality = side if variant.awkward != "no_side" else "U"
        region = ("29836001", "Hip") if ds.BodyPartExamined == "HIP" else ("12921003", "Pelvis")
        ds.AnatomicRegionSequence = Sequence([_code(*region)])
    elif ds.BodyPartExamined == "HIP":  # type 2C for a paired part (PS3.3 C.7.3.1)
        ds.Laterality = side if variant.awkward != "no_side" and side != "B" else ""
    code, meaning, position = _VIEWS.get(acquisition.view, _VIEWS[View.AP_HIP])
    if variant.awkward == "no_view":
        if not is_dx:
            ds.ViewPosition = ""
        ds.SeriesDescription = ds.StudyDescription = ""
        return
    if position or not is_dx:
        ds.ViewPosition = position
    if is_dx:
        view = _code(code, meaning)
        modifiers = [_code(*_MODIFIERS[acquisition.view])] if acquisition.view in _MODIFIERS else []
        view.ViewModifierCodeSequence = Sequence(modifiers)
        ds.ViewCodeSequence = Sequence([view])


def _decimal(value: float) -> str:
    """A decimal string (PS3.5 6.2: 16 characters at most)."""
    return f"{value:.6g}"


def _spacing(ds: Dataset, acquisition: Acquisition, variant: DicomVariant) -> None:
    hip = [_decimal(acquisition.spacing_mm)] * 2
    detector = [_decimal(acquisition.spacing_mm * acquisition.magnification)] * 2
    if variant.spacing == "none":
        return
    if variant.spacing == "untyped":
        ds.PixelSpacing = detector
        return
    ds.ImagerPixelSpacing = detector
    if variant.spacing == "magnification":
        ds.EstimatedRadiographicMagnificationFactor = _decimal(acquisition.magnification)
        ds.DistanceSourceToDetector = _decimal(acquisition.source_detector_mm)
        ds.DistanceSourceToPatient = _decimal(
            acquisition.source_detector_mm / acquisition.magnification
        )
    if variant.spacing in ("fiducial", "geometry"):
        ds.PixelSpacing = hip
        ds.PixelSpacingCalibrationType = variant.spacing.upper()
        ds.PixelSpacingCalibrationDescription = "simulated"


def _pixels(ds: Dataset, pixels: NDArray[np.uint16], bits: int, variant: DicomVariant) -> None:
    top = 2**bits - 1
    stored = (top - pixels if variant.inverted else pixels).astype(np.uint16)
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME1" if variant.inverted else "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated = 16
    ds.BitsStored, ds.HighBit = bits, bits - 1
    ds.PixelRepresentation = 0
    if variant.awkward == "signed":
        # Signed values are centred on zero; one more bit keeps them all (PS3.5 8.1.1).
        ds.PixelRepresentation = 1
        stored = (stored.astype(np.int32) - 2 ** (bits - 1)).astype(np.int16).view(np.uint16)
    syntax = TRANSFER_SYNTAXES[variant.syntax]
    if variant.awkward == "signed" and syntax.is_compressed and syntax != RLELossless:
        syntax = ExplicitVRLittleEndian
    if variant.awkward == "no_file_meta":
        syntax = ImplicitVRLittleEndian
    if syntax == RLELossless and bits <= 8:  # pydicom writes one segment for such values
        ds.BitsAllocated = 8
    ds.PixelData = stored.astype(f"<u{ds.BitsAllocated // 8}").tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = (
        ImplicitVRLittleEndian if syntax == ImplicitVRLittleEndian else ExplicitVRLittleEndian
    )
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    if syntax in (JPEGLosslessSV1, JPEG2000Lossless):
        if syntax == JPEGLosslessSV1:
            frame = imagecodecs.ljpeg_encode(stored, bitspersample=bits)
        else:
            frame = imagecodecs.jpeg2k_encode(
                stored, level=0, codecformat="j2k", bitspersample=bits, reversible=True
            )
        ds.PixelData = encapsulate([bytes(frame)])
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
        ds.file_meta.TransferSyntaxUID = syntax
    elif syntax.is_compressed:
        # Named, because GDCM, where it happens to be installed, aborts the process on some films.
        plugin = "pyjpegls" if syntax in JPEGLSTransferSyntaxes else "pydicom"
        ds.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)


def _display(ds: Dataset, pixels: NDArray[np.uint16], bits: int, variant: DicomVariant) -> None:
    top = 2**bits - 1
    offset = -(2 ** (bits - 1)) if variant.awkward == "signed" else 0
    intercept = 0.0
    if variant.modality == "DX":
        ds.PixelIntensityRelationship = "LOG"
        ds.PixelIntensityRelationshipSign = 1 if variant.inverted else -1
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
        ds.PresentationLUTShape = "INVERSE" if variant.inverted else "IDENTITY"
    elif variant.awkward == "rescaled":
        intercept = -1024.0
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "US"
    low, high = (float(v) for v in np.percentile(pixels[::4, ::4], [0.5, 99.8]))
    if variant.inverted:
        low, high = top - high, top - low
    centre, width = (low + high) / 2 + offset + intercept, max(high - low, 2.0)
    if variant.voi == "window":
        ds.WindowCenter, ds.WindowWidth = _decimal(centre), _decimal(width)
    elif variant.voi == "two_windows":
        ds.WindowCenter = [_decimal(centre), _decimal(centre)]
        ds.WindowWidth = [_decimal(width), _decimal(1.4 * width)]
        ds.WindowCenterWidthExplanation = ["NORMAL", "SOFTER"]
    elif variant.voi == "lut" and variant.awkward not in ("signed", "rescaled"):
        curve = (np.linspace(0, 1, top + 1) ** 0.8 * 65535).astype("<u2")
        item = Dataset()
        item.LUTDescriptor = [(top + 1) % 65536, 0, 16]
        item.LUTExplanation = "SIMULATED"
        item.LUTData = curve.tobytes()
        item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "OW"
        ds.VOILUTSequence = Sequence([item])
    elif variant.modality == "DX":  # a VOI transform is mandatory for presentation (C.8.11.5)
        ds.WindowCenter, ds.WindowWidth = _decimal(top / 2 + offset), _decimal(top + 1)
    if variant.awkward == "padded":
        ds.PixelPaddingValue = int(top if variant.inverted else 0)
