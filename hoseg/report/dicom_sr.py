"""Comprehensive SR of one study by TID 1500: one measurement group for each hip and image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    CoordinatesForMeasurement,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegmentationFrame,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    SourceImageForSegmentation,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from hoseg.errors import InputError
from hoseg.grade.finding import HipFinding
from hoseg.radiograph import Side
from hoseg.report import codes as hoseg_codes
from hoseg.report.dicom_identity import (
    MANUFACTURER,
    SR_SERIES,
    carry_character_set,
    common_arguments,
    derived_uid,
    forget_the_clock,
    instance_uid,
    reference_dataset,
    tracking,
)
from hoseg.report.schema import ResultFile


@dataclass(frozen=True, eq=False)
class Evidence:
    """One image of a study, as the report sees it.

    source: the radiograph's dataset
    result: its findings
    segmentation: its DICOM Segmentation, or None when nothing was segmented
    """

    source: Dataset
    result: ResultFile
    segmentation: Dataset | None = None

    @cached_property
    def reference(self) -> Dataset:
        """The source with every attribute that a reference needs."""
        return reference_dataset(self.source, self.result.source)

    @property
    def hips(self) -> tuple[HipFinding, ...]:
        """Hips to report: those found, else one that stands for an image without any."""
        result = self.result
        if result.hips or result.image is None or result.status != "abstained":
            return result.hips
        spacing = result.image.spacing
        stand_in = HipFinding(
            side=result.image.side,
            abstained=result.reason,
            spacing_source=spacing.source if spacing else None,
        )
        return (stand_in,)

    @property
    def frames(self) -> list[int] | None:
        """1-based frame to refer to; None for a single-frame image."""
        if int(self.source.get("NumberOfFrames") or 1) == 1 or self.result.image is None:
            return None
        return [self.result.image.frame + 1]


def structured_report(evidence: Sequence[Evidence], number: int = 1) -> ComprehensiveSR | None:
    """Comprehensive SR (PS3.16 TID 1500) of one study, or None when no hip was looked for.

    For each hip of each image: side, presence of ossification, classes, pattern, calibration,
    view, the reason when no class is given, P(class), the gap with both ends as spatial
    coordinates, total area and greatest length, and a reference to the ossification in the DICOM
    Segmentation. An image on which no hip could be graded has one group, which says why.

    Raises
    ------
    InputError
        ``no_identity`` when a UID of a source is missing, ``mixed_studies`` when the images
        are not of one study.
    """
    evidence = [item for item in evidence if item.hips]
    if not evidence:
        return None
    studies = {str(item.reference.StudyInstanceUID) for item in evidence}
    if len(studies) > 1:
        raise InputError(
            evidence[0].result.source,
            f"a report covers one study, got {len(studies)}: group images by StudyInstanceUID",
            code="mixed_studies",
        )
    first = evidence[0]
    groups = [group for item in evidence for hip in item.hips for group in _hip(item, hip)]
    report = MeasurementReport(
        observation_context=_observer(first.result),
        procedure_reported=hoseg_codes.PROCEDURE,
        imaging_measurements=groups,
        title=codes.cid7021.ImagingMeasurementReport,
    )
    arguments = common_arguments(first.reference, SR_SERIES, first.result)
    segmentations = [item.segmentation for item in evidence if item.segmentation is not None]
    uids = [str(segmentation.SOPInstanceUID).encode() for segmentation in segmentations]
    dataset = ComprehensiveSR(
        evidence=[item.reference for item in evidence] + segmentations,
        content=report,
        sop_instance_uid=instance_uid(SR_SERIES, [item.result for item in evidence], *uids),
        instance_number=number,
        is_complete=True,
        is_final=False,
        coding_schemes=[hoseg_codes.scheme_identification()],
        **arguments,
    )
    carry_character_set(dataset, first.source)
    forget_the_clock(dataset)
    return dataset


def _observer(result: ResultFile) -> ObservationContext:
    name, _, digest = result.model.partition("@")
    return ObservationContext(
        observer_device_context=ObserverContext(
            observer_type=codes.DCM.Device,
            observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
                uid=derived_uid("device", result.hoseg_version, result.model),
                name="hoseg",
                manufacturer_name=MANUFACTURER,
                model_name=name or "none",
                serial_number=digest or "none",
            ),
        )
    )


def _algorithm(result: ResultFile) -> AlgorithmIdentification:
    return AlgorithmIdentification(
        name="hoseg", version=result.hoseg_version, parameters=[f"model {result.model or 'none'}"]
    )


def _site(side: Side) -> list[FindingSite]:
    return [FindingSite(hoseg_codes.HIP_REGION, laterality=hoseg_codes.LATERALITY.get(side))]


def _hip(
    item: Evidence, hip: HipFinding
) -> list[MeasurementsAndQualitativeEvaluations | PlanarROIMeasurementsAndQualitativeEvaluations]:
    followed = tracking(item.reference, hip.side, "heterotopic ossification")
    image = (str(item.reference.SOPClassUID), str(item.reference.SOPInstanceUID), item.frames)
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(followed.uid, followed.identifier),
        finding_category=hoseg_codes.PATHOLOGY,
        finding_type=hoseg_codes.heterotopic_ossification(),
        finding_sites=_site(hip.side),
        algorithm_id=_algorithm(item.result),
        measurements=_gap(hip, image) + _probabilities(hip) + _sizes(hip) + _filled(hip),
        qualitative_evaluations=_evaluations(item.result, hip),
        source_images=[SourceImageForMeasurementGroup(*image)],
    )
    region = _segmented(item, hip, image)
    return [group] if region is None else [group, region]


def _evaluations(result: ResultFile, hip: HipFinding) -> list[QualitativeEvaluation]:
    pairs: list[tuple[Code | CodedConcept, Code | CodedConcept]] = [
        hoseg_codes.evaluation(system, value)
        for system, value in hip.classes.items()
        if value is not None
    ]
    pairs.append(hoseg_codes.presence(_presence(hip)))
    projection = hoseg_codes.projection(result.image.view) if result.image else None
    if projection is not None:
        pairs.append(projection)
    facts: dict[str, list[str | None]] = {
        "pattern": [hip.pattern],
        "abstained": [hip.abstained],
        "at_least": [None if hip.at_least is None else f"brooker_{hip.at_least}"],
        "spacing_source": [hip.spacing_source],
        "view": [result.image.view.value if result.image else None],
        "provisional": [*hip.provisional],
        "site": [site for c in hip.ossifications for site in c.sites],
        "maturity": [c.maturity for c in hip.ossifications],
    }
    for question, answers in facts.items():
        pairs += [hoseg_codes.fact(question, a) for a in dict.fromkeys(answers) if a]
    return [QualitativeEvaluation(name=name, value=value) for name, value in pairs]


def _presence(hip: HipFinding) -> bool | None:
    """Whether there is ossification; None when a hip without any was not graded either."""
    if hip.ossifications:
        return True
    return None if hip.abstained else False


def _gap(hip: HipFinding, image: tuple[str, str, list[int] | None]) -> list[Measurement]:
    if hip.gap_mm is None:
        return []
    coordinates = None
    if hip.gap_points_px is not None:
        # Spatial coordinates are (column, row) and (0, 0) is the CORNER of the first pixel
        # (PS3.3 C.18.6.1.2); ours are (row, column) of pixel centres.
        points = np.asarray(hip.gap_points_px, dtype=float)[:, ::-1] + 0.5
        coordinates = [CoordinatesForMeasurement("POLYLINE", points, SourceImageForRegion(*image))]
    gap = Measurement(
        name=hoseg_codes.DISTANCE,
        value=_rounded(hip.gap_mm),
        unit=hoseg_codes.MILLIMETRE,
        finding_sites=_site(hip.side),
        referenced_coordinates=coordinates,
    )
    if hip.gap_interval_mm is None:
        return [gap]
    names = (
        hoseg_codes.private("GAP-LOW95", "Gap, lower end of the 95 % interval"),
        hoseg_codes.private("GAP-HIGH95", "Gap, upper end of the 95 % interval"),
    )
    return [gap] + [
        _number(name, value, hoseg_codes.MILLIMETRE)
        for name, value in zip(names, hip.gap_interval_mm, strict=True)
    ]


def _probabilities(hip: HipFinding) -> list[Measurement]:
    return [
        _number(hoseg_codes.brooker_probability(k), p, hoseg_codes.UNITY)
        for k, p in enumerate(hip.brooker_probabilities)
    ]


def _sizes(hip: HipFinding) -> list[Measurement]:
    sizes = []
    if hip.ossification_area_mm2:
        unit = hoseg_codes.SQUARE_MILLIMETRE
        area = hip.ossification_area_mm2
        sizes.append(_number(hoseg_codes.AREA, area, unit, hoseg_codes.TOTAL))
    if hip.longest_mm:
        unit = hoseg_codes.MILLIMETRE
        sizes.append(_number(hoseg_codes.LENGTH, hip.longest_mm, unit, hoseg_codes.MAXIMUM))
    return sizes


def _filled(hip: HipFinding) -> list[Measurement]:
    if hip.filled_fraction is None:
        return []
    name = hoseg_codes.private("FILLED", "Filled fraction of trochanter-ilium space")
    return [_number(name, hip.filled_fraction, hoseg_codes.UNITY)]


def _segmented(
    item: Evidence, hip: HipFinding, image: tuple[str, str, list[int] | None]
) -> PlanarROIMeasurementsAndQualitativeEvaluations | None:
    """Group (TID 1410) that points at the ossification segment of this hip."""
    segment = _ossification_segment(item.segmentation, hip.side)
    if item.segmentation is None or segment is None:
        return None
    followed = tracking(item.reference, hip.side, "ossification")
    reference = ReferencedSegmentationFrame(
        sop_class_uid=str(item.segmentation.SOPClassUID),
        sop_instance_uid=str(item.segmentation.SOPInstanceUID),
        frame_number=segment,
        segment_number=segment,
        source_image=SourceImageForSegmentation(*image),
    )
    # A segment number stands instead of a frame number, not beside it (PS3.3 table 10-3).
    del reference[0].ReferencedSOPSequence[0].ReferencedFrameNumber
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(followed.uid, followed.identifier),
        referenced_segment=reference,
        finding_category=hoseg_codes.PATHOLOGY,
        finding_type=hoseg_codes.heterotopic_ossification(),
        finding_sites=_site(hip.side),
        algorithm_id=_algorithm(item.result),
        measurements=_sizes(hip) or None,
    )


def _ossification_segment(segmentation: Dataset | None, side: Side) -> int | None:
    """Segment number of the ossification of one side."""
    if segmentation is None:
        return None
    for item in segmentation.SegmentSequence:
        if item.SegmentLabel == f"ossification {side.value}":
            return int(item.SegmentNumber)
    return None


def _number(
    name: Code | CodedConcept, value: float, unit: Code, derivation: Code | None = None
) -> Measurement:
    return Measurement(name=name, value=_rounded(value), unit=unit, derivation=derivation)


def _rounded(value: float) -> float:
    """Six significant digits: a DICOM decimal string holds 16 characters."""
    return float(f"{value:.6g}")
