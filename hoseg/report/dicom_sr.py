"""Comprehensive SR of one study by TID 1500: one measurement group for each hip and image."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    ContainerContentItem,
    ContentSequence,
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
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    SourceImageForSegmentation,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from hoseg.errors import InputError
from hoseg.grade.combine import combine
from hoseg.grade.finding import Component, HipFinding
from hoseg.radiograph import Side
from hoseg.report import codes as hoseg_codes
from hoseg.report.dicom_identity import (
    MANUFACTURER,
    SR_SERIES,
    carry_character_set,
    common_arguments,
    derived_uid,
    instance_uid,
    reference_dataset,
    replaced_uids,
    set_the_clock,
    tracking,
)
from hoseg.report.schema import ResultFile
from hoseg.report.segments import lesions_of
from hoseg.words import RESEARCH_USE


@dataclass(frozen=True, eq=False)
class Evidence:
    """One image of a study, as the report sees it.

    source: the radiograph's dataset
    result: its findings
    segmentation: its DICOM Segmentation, or None when nothing was segmented
    computed: when the findings were computed, in local time; None = now
    """

    source: Dataset
    result: ResultFile
    segmentation: Dataset | None = None
    computed: datetime | None = None

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
    Segmentation, lesion by lesion. Beside that in words: the summary, every caveat, the notes on
    the images, and what the report may be used for. An image on which no hip could be graded has
    one group, which says why.

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
    groups = [group for item, hip in _with_contradictions(evidence) for group in _hip(item, hip)]
    report = MeasurementReport(
        observation_context=_observer(first.result),
        procedure_reported=hoseg_codes.procedure(),
        imaging_measurements=groups,
        title=codes.cid7021.ImagingMeasurementReport,
    )
    report[0].ContentSequence.append(_about_the_study(evidence))
    computed = max((item.computed for item in evidence if item.computed), default=datetime.now())
    arguments = common_arguments(first.reference, SR_SERIES, first.result, computed)
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
    set_the_clock(dataset, computed)
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
    sizes = _sizes(hip.ossifications)
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(followed.uid, followed.identifier),
        finding_category=hoseg_codes.PATHOLOGY,
        finding_type=hoseg_codes.heterotopic_ossification(),
        finding_sites=_site(hip.side),
        algorithm_id=_algorithm(item.result),
        measurements=_gap(hip, image) + _probabilities(hip) + sizes + _filled(hip),
        qualitative_evaluations=_evaluations(item.result, hip),
        source_images=[SourceImageForMeasurementGroup(*image)],
    )
    group[0].ContentSequence.extend(_texts(item.result, hip))
    return [group, *_segmented(item, hip)]


def _evaluations(result: ResultFile, hip: HipFinding) -> list[QualitativeEvaluation]:
    pairs: list[tuple[Code | CodedConcept, Code | CodedConcept]] = [
        hoseg_codes.evaluation(system, value)
        for system, value in hip.classes.items()
        if value is not None
    ]
    pairs.append(hoseg_codes.presence(_presence(hip)))
    if hip.brooker_every_contact not in (None, hip.brooker):
        pairs.append(hoseg_codes.every_contact(int(hip.brooker_every_contact or 0)))
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


def _sizes(components: Sequence[Component]) -> list[Measurement]:
    """Total area and greatest length of some ossifications, where they are known and any."""
    areas = [c.area_mm2 for c in components if c.area_mm2]
    lengths = [c.length_mm for c in components if c.length_mm]
    sizes = []
    if areas:
        unit = hoseg_codes.SQUARE_MILLIMETRE
        sizes.append(_number(hoseg_codes.AREA, sum(areas), unit, hoseg_codes.TOTAL))
    if lengths:
        unit = hoseg_codes.MILLIMETRE
        sizes.append(_number(hoseg_codes.LENGTH, max(lengths), unit, hoseg_codes.MAXIMUM))
    return sizes


def _texts(result: ResultFile, hip: HipFinding) -> list[TextContentItem]:
    """The finding in a sentence, what a reader should know of it, and what it may be used for."""
    summary = hip.summary or f"not graded: {result.sentence or hip.abstained_because}"
    lines = [(hoseg_codes.CONCLUSION, summary)]
    lines += [(hoseg_codes.COMMENT, note.text) for note in hip.caveats]
    return [_text(name, text) for name, text in (*lines, (hoseg_codes.COMMENT, RESEARCH_USE))]


def _text(name: Code, text: str) -> TextContentItem:
    """Everything hoseg adds is ASCII and fits any character set."""
    plain = unicodedata.normalize("NFKD", text.replace("\N{EN DASH}", "-"))
    ascii_only = plain.encode("ascii", "replace").decode()
    return TextContentItem(name, ascii_only, RelationshipTypeValues.CONTAINS)


def _about_the_study(evidence: Sequence[Evidence]) -> ContainerContentItem:
    """TID 1500 "Qualitative Evaluations": of the whole report, and of films, as text."""
    texts = [RESEARCH_USE]
    texts += [
        f"{keyword} of the source, {text[:64]}, is no valid UID; {valid}, derived from it, stands "
        "in its place"
        for item in evidence
        for keyword, text, valid in replaced_uids(item.source)
    ]
    texts += [note.text for item in evidence for note in item.result.notes]
    container = ContainerContentItem(
        hoseg_codes.QUALITATIVE, relationship_type=RelationshipTypeValues.CONTAINS
    )
    items = [_text(hoseg_codes.COMMENT, text) for text in dict.fromkeys(texts)]
    container.ContentSequence = ContentSequence(items)
    return container


@dataclass(frozen=True)
class _Shown:
    """An image as its study's other images are told of it: no path of it stands in a report."""

    item: Evidence

    @property
    def name(self) -> str:
        return f"image {self.item.reference.SOPInstanceUID}"

    @property
    def film_id(self) -> str:
        return self.item.result.film_id

    @property
    def study_uid(self) -> str:
        return str(self.item.reference.StudyInstanceUID)

    @property
    def patient_id(self) -> str:
        return self.item.result.patient_id

    @property
    def hips(self) -> tuple[HipFinding, ...]:
        return self.item.hips


def _with_contradictions(evidence: Sequence[Evidence]) -> list[tuple[Evidence, HipFinding]]:
    """Every hip of every image; the one that decides says which other image contradicts it."""
    deciding = combine([_Shown(item) for item in evidence])
    pairs = []
    for item in evidence:
        for hip in item.hips:
            same = (
                hip_of_study.finding
                for hip_of_study in deciding
                if hip_of_study.image.item is item
                and hip_of_study.finding.model_copy(update={"caveats": hip.caveats}) == hip
            )
            pairs.append((item, next(same, hip)))
    return pairs


def _filled(hip: HipFinding) -> list[Measurement]:
    if hip.filled_fraction is None:
        return []
    name = hoseg_codes.private("FILLED", "Filled fraction of trochanter-ilium space")
    return [_number(name, hip.filled_fraction, hoseg_codes.UNITY)]


def _segmented(
    item: Evidence, hip: HipFinding
) -> list[PlanarROIMeasurementsAndQualitativeEvaluations]:
    """Groups (TID 1410) that point at the segments of a hip's lesions, under the same identifiers.

    What was not graded is pointed at where no other hip of the film can be meant.
    """
    if item.segmentation is None:
        return []
    groups = []
    lesions = lesions_of(item.result, hip.side)
    alone = sum(other.side is hip.side for other in item.hips) == 1
    for segment in item.segmentation.SegmentSequence:
        structure, _, where = str(segment.SegmentLabel).partition(" ")
        side, _, number = where.partition(" ")
        if structure != "ossification" or side.rstrip(",") != hip.side.value:
            continue
        components = lesions.get(int(number), ()) if number.isdigit() else ()
        if components[0] not in hip.ossifications if components else not alone:
            continue
        sizes = components if components else hip.ossifications
        whole = not number  # the ossification of a side in one piece
        groups.append(_region(item, hip, segment, _sizes(sizes) if components or whole else []))
    return groups


def _region(
    item: Evidence, hip: HipFinding, segment: Dataset, sizes: list[Measurement]
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    image = (str(item.reference.SOPClassUID), str(item.reference.SOPInstanceUID), item.frames)
    assert item.segmentation is not None
    reference = ReferencedSegmentationFrame(
        sop_class_uid=str(item.segmentation.SOPClassUID),
        sop_instance_uid=str(item.segmentation.SOPInstanceUID),
        frame_number=int(segment.SegmentNumber),
        segment_number=int(segment.SegmentNumber),
        source_image=SourceImageForSegmentation(*image),
    )
    # A segment number stands instead of a frame number, not beside it (PS3.3 table 10-3).
    del reference[0].ReferencedSOPSequence[0].ReferencedFrameNumber
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(segment.TrackingUID, segment.TrackingID),
        referenced_segment=reference,
        finding_category=hoseg_codes.PATHOLOGY,
        finding_type=hoseg_codes.heterotopic_ossification(),
        finding_sites=_site(hip.side),
        algorithm_id=_algorithm(item.result),
        measurements=sizes or None,
    )


def _number(
    name: Code | CodedConcept, value: float, unit: Code, derivation: Code | None = None
) -> Measurement:
    return Measurement(name=name, value=_rounded(value), unit=unit, derivation=derivation)


def _rounded(value: float) -> float:
    """Six significant digits: a DICOM decimal string holds 16 characters."""
    return float(f"{value:.6g}")
