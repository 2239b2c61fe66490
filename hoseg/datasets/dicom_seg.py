"""DICOM images with the DICOM Segmentation objects (PS3.3 A.51) that refer to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import highdicom
import numpy as np
import pydicom
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage, generate_uid

from hoseg.datasets.folder import to_uint16
from hoseg.datasets.labelled import (
    LabelledImage,
    LazyFilm,
    read_image,
    structure_of,
    unknown_label,
)
from hoseg.errors import InputError
from hoseg.radiograph import STRUCTURES

_CODES = {
    "pelvis": (codes.SCT.AnatomicalStructure, codes.SCT.Pelvis),
    "femur": (codes.SCT.AnatomicalStructure, codes.SCT.Femur),
    "implant": (codes.SCT.PhysicalObject, codes.SCT.Implant),
    "ossification": (
        codes.SCT.MorphologicallyAbnormalStructure,
        CodedConcept("HO", "99HOSEG", "Heterotopic ossification"),
    ),
}
_TAGS = ["SOPInstanceUID", "SOPClassUID", "PatientID", "ReferencedSeriesSequence"]


def recognises(path: Path) -> bool:
    """Whether ``path`` is a folder that holds at least one DICOM Segmentation."""
    return path.is_dir() and any(
        header is not None and header.SOPClassUID == SegmentationStorage
        for header in map(_header, sorted(p for p in path.rglob("*.dcm")))
    )


def films(path: Path, spacing_mm: float | None = None) -> list[LazyFilm]:
    """Images that some Segmentation in the folder refers to, sorted by file name."""
    images: dict[str, tuple[Path, str]] = {}
    segmentations: dict[str, list[Path]] = {}
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        header = _header(file)
        if header is None:
            continue
        if header.SOPClassUID == SegmentationStorage:
            for uid in _referenced(header):
                segmentations.setdefault(uid, []).append(file)
        else:
            images[str(header.SOPInstanceUID)] = (file, str(header.get("PatientID", "")))
    return [
        LazyFilm(
            case=file.relative_to(path).with_suffix("").as_posix(),
            patient=patient or file.stem,
            path=file,
            reader=partial(_read, path, file, patient, uid, segmentations[uid], spacing_mm),
        )
        for uid, (file, patient) in images.items()
        if uid in segmentations
    ]


def write(images: Iterable[LabelledImage], out: Path) -> int:
    """Write ``NAME.dcm`` (computed radiography) and ``NAME.seg.dcm`` (BINARY, one segment each)."""
    count = 0
    for image in images:
        if image.masks is None:
            raise InputError(image.radiograph.source, "has grades alone, no masks", code="no_mask")
        source = _as_dicom(image)
        target = out / f"{image.case}.dcm"
        target.parent.mkdir(parents=True, exist_ok=True)
        source.save_as(target, enforce_file_format=True)
        present = [c for c in range(len(STRUCTURES)) if (image.masks >> c & 1).any()]
        if present:
            segmentation = _segmentation(source, image.masks, present)
            segmentation.save_as(out / f"{image.case}.seg.dcm")
        count += 1
    return count


def _read(
    root: Path, file: Path, patient: str, uid: str, found: list[Path], spacing_mm: float | None
) -> LabelledImage:
    radiograph = read_image(file, spacing_mm)
    masks: NDArray[np.uint8] = np.zeros(radiograph.shape, np.uint8)
    for path in found:
        for plane, description in _planes(path, uid):
            if plane.shape != masks.shape:
                raise InputError(
                    str(path),
                    f"segmentation is {plane.shape[0]} x {plane.shape[1]}, its image "
                    f"{masks.shape[0]} x {masks.shape[1]} (rows x columns)",
                    code="size_mismatch",
                )
            masks[plane] |= np.uint8(_bit(description, path))
    case = file.relative_to(root).with_suffix("").as_posix()
    return LabelledImage(case, patient or file.stem, radiograph, masks)


def _planes(path: Path, uid: str) -> Iterator[tuple[NDArray[np.bool_], pydicom.Dataset]]:
    """Frames that refer to one image, each with the description of its segment.

    Reads the functional groups itself (PS3.3 C.8.20.3): highdicom wants a slice thickness, which
    segmentations of radiographs rarely have.
    """
    try:
        dataset = pydicom.dcmread(path)
        frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    except (InvalidDicomError, OSError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(str(path), f"not a readable segmentation ({error})") from error
    if dataset.SegmentationType == "LABELMAP":
        raise InputError(str(path), "is a LABELMAP; export it as BINARY", code="bad_annotation")
    segments = {int(item.SegmentNumber): item for item in dataset.SegmentSequence}
    half = int(dataset.get("MaximumFractionalValue", 1)) / 2
    shared = dataset.get("SharedFunctionalGroupsSequence", [pydicom.Dataset()])[0]
    for frame, group in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        sources = _sources(group) or _sources(shared)
        if sources and uid not in sources:
            continue
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        yield frame > half, segments[int(number)]


def _sources(group: pydicom.Dataset) -> list[str]:
    """UIDs of the images that a frame was derived from."""
    return [
        str(source.ReferencedSOPInstanceUID)
        for derivation in group.get("DerivationImageSequence", [])
        for source in derivation.get("SourceImageSequence", [])
    ]


def _bit(description: pydicom.Dataset, path: Path) -> int:
    """Structure of a segment by its label, else by the meaning of its coded type."""
    names = [str(description.get("SegmentLabel", ""))]
    names += [
        str(code.get("CodeMeaning", ""))
        for code in description.get("SegmentedPropertyTypeCodeSequence", [])
    ]
    for name in names:
        try:
            return structure_of(name)
        except KeyError:
            continue
    raise unknown_label(path, names[0])


def _header(file: Path) -> pydicom.Dataset | None:
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_TAGS)
    except (InvalidDicomError, OSError, EOFError):
        return None
    return header if "SOPInstanceUID" in header and "SOPClassUID" in header else None


def _referenced(header: pydicom.Dataset) -> list[str]:
    return [
        str(instance.ReferencedSOPInstanceUID)
        for series in header.get("ReferencedSeriesSequence", [])
        for instance in series.get("ReferencedInstanceSequence", [])
    ]


def _as_dicom(image: LabelledImage) -> pydicom.Dataset:
    """A minimal CR object (PS3.3 A.2) with the pixels and the spacing of the film."""
    pixels, _ = to_uint16(image.radiograph)
    dataset = pydicom.Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    entropy = [image.patient, image.case]
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[*entropy, "image"])
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[*entropy, "study"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[*entropy, "series"])
    dataset.PatientID = image.patient[:64]
    dataset.PatientName = ""
    dataset.PatientBirthDate = dataset.PatientSex = dataset.StudyDate = dataset.StudyTime = ""
    dataset.StudyID = dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "CR", "HIP", "AP"
    spacing = image.radiograph.spacing
    if spacing is not None:
        dataset.PixelSpacing = [f"{spacing.row_mm:.8g}", f"{spacing.column_mm:.8g}"]
        dataset.PixelSpacingCalibrationType = "FIDUCIAL"
        dataset.PixelSpacingCalibrationDescription = "at the plane of the hip"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelData = pixels.tobytes()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _without_spacing(source: pydicom.Dataset) -> pydicom.Dataset:
    """Copy without the spacing, of which highdicom makes measures that it then cannot read."""
    bare = pydicom.Dataset(source)
    if "PixelSpacing" in bare:
        del bare.PixelSpacing
    bare.file_meta = source.file_meta
    return bare


def _segmentation(
    source: pydicom.Dataset, masks: NDArray[np.uint8], present: list[int]
) -> highdicom.seg.Segmentation:
    descriptions = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=STRUCTURES[channel],
            segmented_property_category=_CODES[STRUCTURES[channel]][0],
            segmented_property_type=_CODES[STRUCTURES[channel]][1],
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, channel in enumerate(present, start=1)
    ]
    planes = np.stack([(masks >> channel) & 1 for channel in present], axis=-1)[None]
    return highdicom.seg.Segmentation(
        source_images=[_without_spacing(source)],
        pixel_array=planes.astype(np.uint8),
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=descriptions,
        series_instance_uid=generate_uid(entropy_srcs=[str(source.SOPInstanceUID), "seg series"]),
        series_number=2,
        sop_instance_uid=generate_uid(entropy_srcs=[str(source.SOPInstanceUID), "seg"]),
        instance_number=1,
        manufacturer="hoseg",
        manufacturer_model_name="hoseg dataset",
        software_versions="1",
        device_serial_number="1",
        omit_empty_frames=False,
    )


__all__ = ["films", "recognises", "write"]
