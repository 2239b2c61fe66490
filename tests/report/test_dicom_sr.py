"""The structured report says what the findings say, and points at image and segmentation."""

from io import BytesIO

import highdicom as hd
import pytest

from hoseg.errors import InputError
from hoseg.radiograph import Side, View
from hoseg.report.dicom_seg import segmentation_object
from hoseg.report.dicom_sr import Evidence, structured_report
from hoseg.report.schema import result_for_image

from .samples import NO_CLASS, hip, radiograph, result, source_dataset, two_hip_masks


def evidence(number=1, **changes):
    source = source_dataset(number, **changes)
    facts = result(source)
    return Evidence(source, facts, segmentation_object(source, two_hip_masks(), facts))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("sr") / "report.dcm"
    structured_report([evidence(1), evidence(2)]).save_as(path, enforce_file_format=True)
    return hd.sr.srread(path)


def reopened(dataset):
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return hd.sr.srread(BytesIO(buffer.getvalue()))


def groups(report):
    return report.content.get_image_measurement_groups()


def measurements(group):
    return {m.name.meaning: m for m in group.get_measurements()}


def evaluations(group):
    return {
        (e.name.value, e.value.value): e.value.scheme_designator
        for e in group.get_qualitative_evaluations()
    }


def test_one_group_for_each_hip_of_each_image(report):
    sides = [group.finding_sites[0].laterality.meaning for group in groups(report)]
    assert sides == ["Right", "Left", "Right", "Left"]
    sources = [group.source_images[0].referenced_sop_instance_uid for group in groups(report)]
    assert sources[0] == sources[1] != sources[2] == sources[3]


def test_numbers_and_units(report):
    found = measurements(groups(report)[0])
    assert (found["Distance"].value, found["Distance"].unit.value) == (8.7, "mm")
    assert found["Gap, lower end of the 95 % interval"].value == 7.9
    assert found["Gap, upper end of the 95 % interval"].value == 9.6
    assert (found["Area"].value, found["Area"].unit.value) == (144.0, "mm2")
    assert found["Area"].derivation.meaning == "Total"
    assert found["Length"].value == 18.2
    assert found["Length"].derivation.meaning == "Maximum"
    assert found["Probability of Brooker class III"].value == 0.86
    assert sum(m.value for n, m in found.items() if n.startswith("Prob")) == pytest.approx(1)


def test_gap_ends_are_column_row_from_the_corner_of_the_first_pixel(report):
    (coordinates,) = measurements(groups(report)[0])["Distance"].referenced_coordinates
    assert coordinates.graphic_type.value == "POLYLINE"
    assert coordinates.value.tolist() == [[52.5, 118.5], [56.5, 127.5]]
    image = coordinates.ContentSequence[0].ReferencedSOPSequence[0]
    assert image.ReferencedSOPInstanceUID == source_dataset(1).SOPInstanceUID


def test_classes_and_facts_are_coded(report):
    found = evaluations(groups(report)[0])
    for pair in (
        ("BROOKER", "BROOKER-3"),
        ("DELLA-VALLE", "DELLA-VALLE-C"),
        ("PATTERN", "OPPOSING-SPURS"),
        ("SPACING-SOURCE", "ASSUMED-MAGNIFICATION"),
        ("SITE", "SUPRA-ACETABULAR"),
    ):
        assert found[pair] == "99HOSEG"
    assert found[("111031", "399348003")] == "SCT"  # Image View, antero-posterior
    assert found[("HO-PRESENCE", "52101004")] == "SCT"  # Present
    assert ("SITE", "MEDIAL") not in found  # below the size floor
    scheme = report.CodingSchemeIdentificationSequence
    assert "99HOSEG" in [item.CodingSchemeDesignator for item in scheme]


def test_algorithm_and_model_are_named(report):
    texts = {}
    for item in report.ContentSequence[-1].ContentSequence[0].ContentSequence:
        if item.ValueType == "TEXT":
            texts[item.ConceptNameCodeSequence[0].CodeValue] = item.TextValue
    assert texts["111001"] == "hoseg"
    assert texts["111002"] == "model compact@0123abcd4567"
    assert texts["111003"] == result(source_dataset()).hoseg_version
    assert report.DeviceSerialNumber == "compact@0123abcd4567"


def test_rois_refer_to_the_ossification_segment_of_their_side(report):
    segmentation = evidence(1).segmentation
    labels = {item.SegmentNumber: item.SegmentLabel for item in segmentation.SegmentSequence}
    rois = report.content.get_planar_roi_measurement_groups()
    assert len(rois) == 4
    for roi, side in zip(rois[:2], ("right", "left"), strict=True):
        reference = roi.referenced_segmentation_frame[0].ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == segmentation.SOPInstanceUID
        assert labels[reference.ReferencedSegmentNumber] == f"ossification {side}"
        assert "ReferencedFrameNumber" not in reference


def test_same_hip_same_tracking_uid(report):
    uids = [group.tracking_uid for group in groups(report)]
    assert uids[0] == uids[2] != uids[1] == uids[3]


def test_abstention_is_reported_without_a_class():
    source = source_dataset()
    abstained = hip(
        Side.LEFT, **NO_CLASS, gap_mm=None, gap_interval_mm=None, gap_points_px=None,
        abstained="hip_cropped", components=(), at_least=2,
    )  # fmt: skip
    facts = result_for_image(
        radiograph(source, "film.dcm", View.AP_HIP), [abstained], status="abstained"
    )
    (group,) = groups(reopened(structured_report([Evidence(source, facts)])))
    found = evaluations(group)
    assert ("ABSTAINED", "HIP-CROPPED") in found
    assert ("AT-LEAST", "BROOKER-2") in found
    assert ("HO-PRESENCE", "373068000") in found  # Undetermined
    assert not any(question == "BROOKER" for question, _ in found)
    assert "Distance" not in measurements(group)


def test_long_reason_codes_survive():
    source = source_dataset()
    facts = result_for_image(
        radiograph(source, "film.dcm"),
        [
            hip(
                Side.LEFT,
                classes={},
                class_probabilities={},
                abstained="a_reason_of_more_than_sixteen_letters",
            )
        ],
        status="abstained",
    )
    found = evaluations(groups(reopened(structured_report([Evidence(source, facts)])))[0])
    assert ("ABSTAINED", "A-REASON-OF-MORE-THAN-SIXTEEN-LETTERS") in found


def test_a_hip_without_ossification_is_said_to_have_none():
    source = source_dataset()
    clean = hip(Side.LEFT, components=(), gap_mm=None, gap_interval_mm=None, gap_points_px=None)
    facts = result_for_image(radiograph(source, "film.dcm"), [clean], status="graded")
    (group,) = groups(reopened(structured_report([Evidence(source, facts)])))
    assert ("HO-PRESENCE", "272519000") in evaluations(group)  # Absent


def test_an_image_without_a_hip_says_why():
    source = source_dataset()
    facts = result_for_image(
        radiograph(source, "film.dcm"), [], status="abstained", reason="outside_experience"
    )
    (group,) = groups(reopened(structured_report([Evidence(source, facts)])))
    assert ("ABSTAINED", "OUTSIDE-EXPERIENCE") in evaluations(group)
    assert ("HO-PRESENCE", "373068000") in evaluations(group)
    assert group.finding_sites[0].laterality is None
    assert group.source_images[0].referenced_sop_instance_uid == source.SOPInstanceUID


def test_no_hips_no_report():
    source = source_dataset()
    facts = result_for_image(radiograph(source, "film.dcm"), [], status="skipped")
    assert structured_report([Evidence(source, facts)]) is None


def test_two_studies_in_one_report_are_refused():
    other = evidence(2, StudyInstanceUID="1.2.3")
    with pytest.raises(InputError, match="one study") as caught:
        structured_report([evidence(1), other])
    assert caught.value.code == "mixed_studies"


def test_same_findings_same_report():
    first, again = (structured_report([evidence(1), evidence(2)]) for _ in range(2))
    assert reopened(first).to_json() == reopened(again).to_json()
