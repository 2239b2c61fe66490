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
from pydicom.dataset import Dataset, FileMetaDataset
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
from hoseg.datasets.places import inside, target
from hoseg.dicom.read import PARSE_ERRORS, looks_like_dicom
from hoseg.dicom.source import Source
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
_TAGS = [
    "SOPInstanceUID", "SOPClassUID", "StudyInstanceUID", "PatientID", "Rows", "Columns",
]  # fmt: skip


def recognises(path: Path) -> bool:
    """Whether ``path`` is a folder that holds at least one DICOM Segmentation."""
    return path.is_dir() and any(
        header is not None and header.SOPClassUID == SegmentationStorage
        for header in map(_header, _files(path))
    )


def films(path: Path, spacing_mm: float | None = None) -> list[LazyFilm]:
    """Images that some Segmentation in the folder refers to, sorted by file name.

    A Segmentation that names no image is taken for that of the one image of its study and size.
    """
    images: dict[str, tuple[Path, Dataset]] = {}
    found: list[tuple[Path, Dataset]] = []
    for file in _files(path):
        header = _header(file)
        if header is None:
            continue
        if header.SOPClassUID == SegmentationStorage:
            found.append((file, header))
        else:
            images[str(header.SOPInstanceUID)] = (file, header)
    segmentations: dict[str, list[Path]] = {}
    for file, header in found:
        for uid in _referenced(file) or _alike(header, images):
            segmentations.setdefault(uid, []).append(file)
    if found and not segmentations.keys() & images.keys():
        text = f"{len(found)} segmentations refer to none of the {len(images)} DICOM images here"
        raise InputError(str(path), f"{text}; put the images there", code="no_image")
    return [
        LazyFilm(
            case=file.relative_to(path).with_suffix("").as_posix(),
            patient=str(header.get("PatientID", "")) or file.stem,
            path=file,
            reader=partial(_read, path, file, uid, segmentations[uid], spacing_mm),
        )
        for uid, (file, header) in images.items()
        if uid in segmentations
    ]


def write(images: Iterable[LabelledImage], out: Path) -> int:
    """Write ``NAME.dcm`` (computed radiography) and ``NAME.seg.dcm`` (BINARY, one segment each)."""
    count = 0
    for image in images:
        if image.masks is None:
            raise InputError(image.radiograph.source, "has grades alone, no masks", code="no_mask")
        source = _as_dicom(image)
        path = target(out, f"{image.case}.dcm")
        path.parent.mkdir(parents=True, exist_ok=True)
        source.save_as(path, enforce_file_format=True)
        present = [c for c in range(len(STRUCTURES)) if (image.masks >> c & 1).any()]
        if present:
            segmentation = _segmentation(source, image.masks, present)
            segmentation.save_as(target(out, f"{image.case}.seg.dcm"))
        count += 1
    return count


def _read(
    root: Path, file: Path, uid: str, found: list[Path], spacing_mm: float | None
) -> LabelledImage:
    radiograph = read_image(inside(root, file), spacing_mm)
    masks: NDArray[np.uint8] = np.zeros(radiograph.shape, np.uint8)
    for path in found:
        for plane, description in _planes(inside(root, path), uid):
            if plane.shape != masks.shape:
                raise InputError(
                    str(path),
                    f"segmentation is {plane.shape[0]} x {plane.shape[1]}, its image "
                    f"{masks.shape[0]} x {masks.shape[1]} (rows x columns)",
                    code="size_mismatch",
                )
            masks[plane] |= np.uint8(_bit(description, path))
    case = file.relative_to(root).with_suffix("").as_posix()
    patient = radiograph.attributes.patient_id or file.stem
    return LabelledImage(case, patient, radiograph, masks)


def _planes(path: Path, uid: str) -> list[tuple[NDArray[np.bool_], Dataset]]:
    """Frames that refer to one image, each with the description of its segment.

    Reads the functional groups itself (PS3.3 C.8.20.3): highdicom wants a slice thickness, which
    segmentations of radiographs rarely have.
    """
    try:
        dataset = pydicom.dcmread(path)
        if str(dataset.SegmentationType) == "LABELMAP":
            text = "is a LABELMAP; export it as BINARY"
            raise InputError(str(path), text, code="bad_annotation")
        return list(_frames(dataset, uid))
    except InputError:
        raise
    except (*PARSE_ERRORS, MemoryError, RuntimeError) as error:
        text = f"not a readable segmentation ({type(error).__name__}: {error})"
        raise InputError(str(path), text, code="corrupt") from error


def _frames(dataset: Dataset, uid: str) -> Iterator[tuple[NDArray[np.bool_], Dataset]]:
    frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    segments = {int(item.SegmentNumber): item for item in dataset.SegmentSequence}
    half = int(dataset.get("MaximumFractionalValue", 1)) / 2
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    for frame, group in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        sources = _sources(group) or _sources(shared)
        if sources and uid not in sources:
            continue
        number = _segment_of(group, shared, segments)
        yield frame > half, segments[number]


def _segment_of(group: Dataset, shared: Dataset, segments: dict[int, Dataset]) -> int:
    """Number of a frame's segment, which the frames of one segment may share."""
    for place in (group, shared):
        for item in place.get("SegmentIdentificationSequence") or ():
            return int(item.ReferencedSegmentNumber)
    if len(segments) == 1:
        return next(iter(segments))
    raise ValueError("a frame does not say which segment it is of")


def _sources(group: Dataset) -> list[str]:
    """UIDs of the images that a frame was derived from."""
    return [
        str(source.ReferencedSOPInstanceUID)
        for derivation in group.get("DerivationImageSequence") or ()
        for source in derivation.get("SourceImageSequence") or ()
        if "ReferencedSOPInstanceUID" in source
    ]


def _bit(description: Dataset, path: Path) -> int:
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


def _files(path: Path) -> list[Path]:
    """Files that begin as DICOM does, whatever their names; links out of the folder are none."""
    found = []
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        if looks_like_dicom(Source(file, str(file)).head(132)):
            found.append(inside(path, file))
    return found


def _header(file: Path) -> Dataset | None:
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_TAGS, force=True)
        return header if header.get("SOPInstanceUID") and header.get("SOPClassUID") else None
    except PARSE_ERRORS:
        return None


def _referenced(file: Path) -> list[str]:
    """Images that a Segmentation is of, wherever it names them (PS3.3 C.8.20, C.7.6.16.2.6)."""
    try:
        whole = pydicom.dcmread(file, stop_before_pixels=True, force=True)
        series = whole.get("ReferencedSeriesSequence") or ()
        named = [i for s in series for i in s.get("ReferencedInstanceSequence") or ()]
        for keyword in ("SourceImageSequence", "ReferencedImageSequence"):
            named += whole.get(keyword) or ()
        uids = [str(i.ReferencedSOPInstanceUID) for i in named if "ReferencedSOPInstanceUID" in i]
        for keyword in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
            for group in whole.get(keyword) or ():
                uids += _sources(group)
    except PARSE_ERRORS as error:
        text = f"not a readable segmentation ({type(error).__name__}: {error})"
        raise InputError(str(file), text, code="corrupt") from error
    return list(dict.fromkeys(uids))


def _alike(header: Dataset, images: dict[str, tuple[Path, Dataset]]) -> list[str]:
    """The one image of the same study and size; none when several are."""
    keys = ("StudyInstanceUID", "Rows", "Columns")
    wanted = [header.get(key) for key in keys]
    found = [uid for uid, (_, image) in images.items() if [image.get(k) for k in keys] == wanted]
    return found if len(found) == 1 else []


def _as_dicom(image: LabelledImage) -> Dataset:
    """A minimal CR object (PS3.3 A.2) with the pixels and the spacing of the film."""
    pixels, _ = to_uint16(image.radiograph)
    dataset = Dataset()
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
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _without_spacing(source: Dataset) -> Dataset:
    """Copy without the spacing, of which highdicom makes measures that it then cannot read."""
    bare = Dataset(source)
    if "PixelSpacing" in bare:
        del bare.PixelSpacing
    bare.file_meta = source.file_meta
    return bare


def _segmentation(
    source: Dataset, masks: NDArray[np.uint8], present: list[int]
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
