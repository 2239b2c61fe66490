"""The structured report says what the findings say, and points at image and segmentation."""

from dataclasses import replace
from datetime import datetime
from io import BytesIO

import highdicom as hd
import pytest

from hoseg.errors import InputError
from hoseg.radiograph import Side, View
from hoseg.report.dicom_seg import segmentation_object
from hoseg.report.dicom_sr import Evidence, structured_report
from hoseg.report.schema import result_for_image
from hoseg.words import RESEARCH_USE

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
    for item in report.ContentSequence[-2].ContentSequence[0].ContentSequence:
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
        assert labels[reference.ReferencedSegmentNumber].startswith(f"ossification {side}")
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


def texts(node):
    """(name, text) of every text below a content item."""
    found = []
    for item in node.get("ContentSequence", []):
        if item.ValueType == "TEXT":
            found.append((item.ConceptNameCodeSequence[0].CodeMeaning, item.TextValue))
        found += texts(item)
    return found


def test_what_the_overlay_says_the_report_says(report):
    found = texts(report)
    assert found.count(("Comment", RESEARCH_USE)) == 1 + 4  # of the report, and of every hip
    assert found.count(("Conclusion", hip(Side.LEFT).summary)) == 4
    assert found.count(("Comment", hip(Side.LEFT).caveats[0].text)) == 4
    (note,) = radiograph(source_dataset(), "film.dcm").notes
    assert ("Comment", note.text) in found


def test_the_class_with_every_contact_counted_is_reported():
    source = source_dataset()
    facts = result(source, brooker_every_contact=4)
    group = groups(reopened(structured_report([Evidence(source, facts)])))[0]
    assert evaluations(group)["BROOKER-EVERY-CONTACT", "BROOKER-4"] == "99HOSEG"


def test_another_film_that_contradicts_is_named_without_its_path():
    first, second = source_dataset(1), source_dataset(2)
    milder = {"classes": {"brooker": 1}, "pattern": "islands"}
    report = structured_report(
        [
            Evidence(first, result(first, "/home/Smith/a.dcm")),
            Evidence(second, result(second, "/home/Smith/b.dcm", **milder)),
        ]
    )
    said = [text for _, text in texts(reopened(report))]
    assert any(f"image {second.SOPInstanceUID}" in text and "reads as I" in text for text in said)
    assert not any("Smith" in text for text in said)


def test_when_it_was_computed_is_said_and_no_uid_follows_from_it():
    source = source_dataset()
    facts = result(source)
    days = [datetime(2026, 11, day, 8, 30, 15) for day in (1, 2)]
    first, second = (
        structured_report([Evidence(source, facts, computed=computed)]) for computed in days
    )
    for keyword in ("Content", "InstanceCreation"):
        assert str(first[f"{keyword}Date"].value) == "20261101"
        assert str(first[f"{keyword}Time"].value) == "083015"
        assert str(second[f"{keyword}Date"].value) == "20261102"
    assert str(first.StudyDate) == str(second.StudyDate) == "20190611"
    assert first.SOPInstanceUID == second.SOPInstanceUID
    assert first.SeriesInstanceUID == second.SeriesInstanceUID


def test_the_procedure_names_the_region():
    report = structured_report([Evidence(source_dataset(), result(source_dataset()))])
    (procedure,) = [
        item.ConceptCodeSequence[0].CodeMeaning
        for item in report.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeMeaning == "Procedure reported"
    ]
    assert procedure == "Radiograph of the hip region (pelvis)"


def test_a_lesion_has_the_same_identifier_in_segmentation_and_report(report):
    of_segments = {
        item.TrackingUID
        for number in (1, 2)
        for item in evidence(number).segmentation.SegmentSequence
        if item.SegmentLabel.startswith("ossification")
    }
    of_report = [group.tracking_uid for group in report.content.get_planar_roi_measurement_groups()]
    assert set(of_report) == of_segments
    assert len(set(of_report)) == len(of_report)


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
    computed = datetime(2026, 11, 1)
    first, again = (
        structured_report([replace(evidence(n), computed=computed) for n in (1, 2)])
        for _ in range(2)
    )
    assert reopened(first).to_json() == reopened(again).to_json()
