"""DICOM Segmentation of one image: BINARY, one segment for each structure and side."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentDescription
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.sr.codedict import codes

from hoseg.errors import InputError
from hoseg.report import codes as hoseg_codes
from hoseg.report.dicom_identity import (
    SEG_SERIES,
    carry_character_set,
    common_arguments,
    derived_uid,
    instance_uid,
    lesion_tracking,
    masks_bytes,
    patient_orientation,
    reference_dataset,
    set_the_clock,
    tracking,
)
from hoseg.report.schema import ResultFile
from hoseg.report.segments import Segment, split_lesions, split_segments
from hoseg.words import RESEARCH_USE


def segmentation_object(
    source: Dataset,
    masks: NDArray[np.uint8],
    result: ResultFile,
    number: int = 1,
    computed: datetime | None = None,
) -> Segmentation | None:
    """DICOM Segmentation (PS3.3 A.51) of one radiograph, or None when nothing was found.

    CR and DX images have no frame of reference: the pixels of the segmentation are those of
    the source image, one to one, and it says so by its Source Image Sequence.

    Parameters
    ----------
    source : Dataset
        The radiograph the masks belong to.
    masks : (H, W) uint8
        OR of the bits of ``Structure``, on the grid of the source image.
    result : ResultFile
        Findings of the same image: sides, model, frame.
    number : int
        Instance Number.
    computed : datetime, optional
        When the findings were computed, in local time; now by default.

    Raises
    ------
    InputError
        ``no_identity`` (a UID of the source is missing) or ``mask_size``.
    """
    computed = computed or datetime.now()
    reference = reference_dataset(source, result.source)
    expected = (int(reference.Rows), int(reference.Columns))
    if masks.shape != expected or masks.dtype != np.uint8:
        raise InputError(
            result.source,
            f"masks are {masks.shape} {masks.dtype}; expected {expected} uint8, the size of the "
            "image",
            code="mask_size",
        )
    segments = segments_of(masks, result)
    if not segments:
        return None
    frames = int(reference.get("NumberOfFrames") or 1)
    if frames > 1:  # highdicom then sees the one frame that the masks belong to
        del reference.NumberOfFrames
    descriptions = [_describe(k, s, reference, result) for k, s in enumerate(segments, start=1)]
    arguments = common_arguments(reference, SEG_SERIES, result, computed)
    uid = instance_uid(SEG_SERIES, [result], masks_bytes(masks))
    dataset = Segmentation(
        source_images=[reference],
        pixel_array=np.stack([segment.mask for segment in segments], axis=-1)[None],
        segmentation_type="BINARY",
        segment_descriptions=descriptions,
        sop_instance_uid=uid,
        instance_number=number,
        content_label="HOSEG",
        content_description=f"Hip segmentation. {RESEARCH_USE}"[:64],
        **arguments,
    )
    dataset.PatientOrientation = patient_orientation(result)
    if frames > 1 and result.image is not None:
        _refer_to_frame(dataset, result.image.frame + 1)
    _fix_dimension_uid(dataset, str(derived_uid("dimensions", uid)))
    carry_character_set(dataset, source)
    set_the_clock(dataset, computed)
    return dataset


def segments_of(masks: NDArray[np.uint8], result: ResultFile) -> list[Segment]:
    """Segments in their order: each structure and side, each lesion of the ossification."""
    found: list[Segment] = []
    for segment in split_segments(masks, result):
        lesions = segment.structure == "ossification"
        found += split_lesions(segment, result) if lesions else [segment]
    return found


def _refer_to_frame(dataset: Dataset, frame: int) -> None:
    """Point at one frame of a multi-frame source (PS3.3 C.7.6.16.2.6); ``frame`` from 1."""
    for groups in dataset.PerFrameFunctionalGroupsSequence:
        for derivation in groups.get("DerivationImageSequence", []):
            for image in derivation.SourceImageSequence:
                image.ReferencedFrameNumber = frame


def _describe(
    number: int, segment: Segment, source: Dataset, result: ResultFile
) -> SegmentDescription:
    category, kind = hoseg_codes.structure_codes(segment.structure)
    if segment.structure == "ossification":
        frame = 0 if result.image is None else result.image.frame
        followed = lesion_tracking(source, frame, segment.side, segment.mask)
    else:
        followed = tracking(source, segment.side, segment.structure)
    description = SegmentDescription(
        segment_number=number,
        segment_label=segment.label,
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name="hoseg",
            family=codes.cid7162.ArtificialIntelligence,
            version=result.hoseg_version,
            parameters={"model": result.model or "none"},
        ),
        tracking_uid=followed.uid,
        tracking_id=followed.identifier,
        anatomic_regions=[hoseg_codes.HIP_REGION],
    )
    laterality = hoseg_codes.LATERALITY.get(segment.side)
    if laterality is not None:
        side = DicomSequence([CodedConcept.from_code(laterality)])
        description.SegmentedPropertyTypeCodeSequence[
            0
        ].SegmentedPropertyTypeModifierCodeSequence = side
        region = description.AnatomicRegionSequence[0]
        region.AnatomicRegionModifierSequence = DicomSequence([CodedConcept.from_code(laterality)])
    return description


def _fix_dimension_uid(dataset: Dataset, uid: str) -> None:
    """Replace the random Dimension Organization UID that highdicom draws."""
    for item in dataset.DimensionOrganizationSequence:
        item.DimensionOrganizationUID = uid
    for item in dataset.DimensionIndexSequence:
        item.DimensionOrganizationUID = uid
