"""The DICOM Segmentation holds exactly the masks, named, coded and traceable."""

import copy
import hashlib
from datetime import datetime

import highdicom as hd
import numpy as np
import pydicom
import pytest

from hoseg.errors import InputError
from hoseg.grade.finding import Component
from hoseg.radiograph import STRUCTURES, Side, View
from hoseg.report.dicom_seg import segmentation_object
from hoseg.report.schema import result_for_image
from hoseg.report.segments import split_segments

from .samples import COLUMNS, ROWS, hip, radiograph, result, source_dataset, two_hip_masks


def written(dataset, path):
    dataset.save_as(path, enforce_file_format=True)
    return path


def digest(dataset, path):
    return hashlib.sha256(written(dataset, path).read_bytes()).hexdigest()


def masks_of(path):
    segmentation = hd.seg.segread(path)
    uid = segmentation.SourceImageSequence[0].ReferencedSOPInstanceUID
    pixels = segmentation.get_pixels_by_source_instance([uid])[0]
    out = np.zeros(pixels.shape[:2], np.uint8)
    for number in segmentation.segment_numbers:
        name = segmentation.get_segment_description(number).segment_label.split()[0]
        out |= np.uint8(1 << STRUCTURES.index(name)) * (pixels[..., number - 1] > 0)
    return out


def test_highdicom_and_pydicom_read_back_the_same_masks(tmp_path):
    source, masks = source_dataset(), two_hip_masks()
    path = written(segmentation_object(source, masks, result(source)), tmp_path / "seg.dcm")
    np.testing.assert_array_equal(masks_of(path), masks)

    dataset = pydicom.dcmread(path)
    frames = dataset.pixel_array
    again = np.zeros_like(masks)
    for frame, groups in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        name = dataset.SegmentSequence[number - 1].SegmentLabel.split()[0]
        again |= np.uint8(1 << STRUCTURES.index(name)) * frame.astype(np.uint8)
    np.testing.assert_array_equal(again, masks)


def test_one_segment_for_each_structure_and_side():
    source = source_dataset()
    dataset = segmentation_object(source, two_hip_masks(), result(source))
    labels = [item.SegmentLabel for item in dataset.SegmentSequence]
    # The implant lies in the film's left half: the patient's right hip.
    assert labels == [
        "pelvis right",
        "pelvis left",
        "femur right",
        "femur left",
        "implant right",
        "ossification right 1",
        "ossification left",
    ]
    assert dataset.SegmentationType == "BINARY"
    codes = {
        item.SegmentLabel: item.SegmentedPropertyTypeCodeSequence[0]
        for item in dataset.SegmentSequence
    }
    assert codes["femur left"].CodeValue == "71341001"
    assert codes["implant right"].CodeValue == "53350007"
    ossification = codes["ossification left"]
    assert (ossification.CodeValue, ossification.CodingSchemeDesignator) == ("HO", "99HOSEG")
    assert ossification.EquivalentCodeSequence[0].CodeValue == "52988006"
    assert ossification.SegmentedPropertyTypeModifierCodeSequence[0].CodeValue == "7771000"
    algorithm = dataset.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert "compact@0123abcd4567" in algorithm.AlgorithmParameters


def test_every_lesion_is_a_segment_of_its_own_and_none_shares_an_identifier():
    source, masks = source_dataset(), two_hip_masks()
    masks[150:160, 20:26] |= 8
    first = Component(bbox_px=(100, 44, 118, 52), area_px=18 * 8, lesion=0)
    second = Component(bbox_px=(150, 20, 160, 26), area_px=60, lesion=1)
    facts = result(source, components=(first, second))

    def lesions(masks, facts, source=source):
        found = segmentation_object(source, masks, facts)
        return {
            item.SegmentLabel: item.TrackingUID
            for item in found.SegmentSequence
            if item.SegmentLabel.startswith("ossification")
        }

    now = lesions(masks, facts)
    assert list(now) == ["ossification right 1", "ossification right 2", "ossification left"]
    assert len(set(now.values())) == 3
    # In another order, the same lesion keeps its identifier: it is no running number.
    swapped = lesions(masks, result(source, components=(second, first)))
    assert swapped["ossification right 1"] == now["ossification right 2"]
    # On another film, or of another shape, it is another one.
    other = source_dataset(2)
    assert not set(lesions(masks, facts, other).values()) & set(now.values())
    grown = masks.copy()
    grown[100:101, 30:44] |= 8
    assert now["ossification right 1"] not in lesions(grown, facts).values()
    joined = result(source, components=(first, second.model_copy(update={"lesion": 0})))
    assert list(lesions(masks, joined)) == ["ossification right 1", "ossification left"]


def test_masks_come_back_whole_whatever_was_graded(tmp_path):
    source, masks = source_dataset(), two_hip_masks()
    masks[150:160, 20:26] |= 8  # no component: reported, not graded
    dataset = segmentation_object(source, masks, result(source))
    labels = [item.SegmentLabel for item in dataset.SegmentSequence]
    assert "ossification right, not graded" in labels
    np.testing.assert_array_equal(masks_of(written(dataset, tmp_path / "seg.dcm")), masks)


def test_mirrored_film_swaps_sides():
    source, masks = source_dataset(), two_hip_masks()
    plain = result(source)
    mirrored = plain.model_copy(
        update={"image": plain.image.model_copy(update={"columns_to": Side.RIGHT})}
    )
    sides = {s.structure: s.side for s in split_segments(masks, plain) if s.structure == "implant"}
    swapped = {s.structure: s.side for s in split_segments(masks, mirrored)}
    assert sides == {"implant": Side.RIGHT}
    assert swapped["implant"] is Side.LEFT


def test_a_film_of_one_hip_is_not_cut():
    source, masks = source_dataset(), two_hip_masks()
    one = result_for_image(
        radiograph(source, "film.dcm", View.AP_HIP), [hip(Side.LEFT)], status="graded"
    )
    segments = split_segments(masks, one)
    assert [(s.structure, s.side) for s in segments] == [(n, Side.LEFT) for n in STRUCTURES]
    for bit, segment in enumerate(segments):
        np.testing.assert_array_equal(segment.mask, masks & (1 << bit) != 0)


def test_same_inputs_same_bytes_and_new_findings_new_uid(tmp_path):
    source, masks = source_dataset(), two_hip_masks()
    before = copy.deepcopy(source)
    when = {"computed": datetime(2026, 11, 1, 8, 30)}
    first = segmentation_object(source, masks, result(source), **when)
    again = segmentation_object(source, masks, result(source, "/elsewhere/film.dcm"), **when)
    assert digest(first, tmp_path / "a") == digest(again, tmp_path / "b")
    assert source == before  # untouched

    erased = masks.copy()
    erased[118:] &= ~np.uint8(8)
    other = segmentation_object(source, erased, result(source))
    assert other.SOPInstanceUID != first.SOPInstanceUID
    assert other.SeriesInstanceUID == first.SeriesInstanceUID
    assert first.SOPInstanceUID.startswith("2.25.")


def test_tracking_follows_the_hip_over_time_and_not_to_another_patient():
    def tracking(**changes):
        source = source_dataset(**changes)
        dataset = segmentation_object(source, two_hip_masks(), result(source))
        return {item.SegmentLabel: item.TrackingUID for item in dataset.SegmentSequence}

    def of_bones(found):
        return {label: uid for label, uid in found.items() if not label.startswith("ossif")}

    now = tracking()
    later = tracking(
        StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4", SOPInstanceUID="1.2.3.4.5"
    )
    assert of_bones(now) == of_bones(later)
    # Nothing says that a lesion of a later film is the same one.
    assert not set(now.values()) & (set(later.values()) - set(of_bones(later).values()))
    assert len(set(now.values())) == len(now)
    assert not set(now.values()) & set(of_bones(tracking(PatientID="P-0816")).values())
    unknown = tracking(PatientID="")
    assert not set(unknown.values()) & set(tracking(PatientID="", SOPInstanceUID="1.9").values())


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO_IR 100", "Buc^Jérôme"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小东"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 144", "Люкceмбypг"),
        (None, "Plain^Name"),
    ],
)
def test_identity_and_character_set_are_carried_over(tmp_path, charset, name):
    source = source_dataset(SpecificCharacterSet=charset, PatientName=name)
    source = pydicom.dcmread(written(source, tmp_path / "in.dcm"))
    dataset = segmentation_object(source, two_hip_masks(), result(source))
    back = pydicom.dcmread(written(dataset, tmp_path / "seg.dcm"))
    assert str(back.PatientName) == name
    for keyword in ("PatientID", "StudyInstanceUID", "AccessionNumber", "PatientBirthDate"):
        assert back[keyword].value == source[keyword].value


def test_odd_sources_are_carried_as_far_as_they_are_valid():
    source = source_dataset(PatientSex="Female", StudyDate="unknown", AccessionNumber=None)
    dataset = segmentation_object(source, two_hip_masks(), result(source))
    assert dataset.PatientSex == ""
    assert dataset.StudyDate in ("", None)


@pytest.mark.parametrize("spacing", [[0.2, 0.2], [0, 0], None])
def test_a_projection_has_no_place_in_space(tmp_path, spacing):
    source = source_dataset(
        FrameOfReferenceUID="1.2.3",
        ImagePositionPatient=[0, 0, 0],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
    )
    if spacing is not None:
        source.PixelSpacing = spacing
    masks = two_hip_masks()
    path = written(segmentation_object(source, masks, result(source)), tmp_path / "seg.dcm")
    np.testing.assert_array_equal(masks_of(path), masks)
    assert "FrameOfReferenceUID" not in pydicom.dcmread(path)


def test_multi_frame_source_refers_to_its_frame(tmp_path):
    source = source_dataset(NumberOfFrames=3)
    base = result(source)
    third = base.model_copy(update={"image": base.image.model_copy(update={"frame": 2})})
    path = written(segmentation_object(source, two_hip_masks(), third), tmp_path / "seg.dcm")
    item = pydicom.dcmread(path).PerFrameFunctionalGroupsSequence[0]
    reference = item.DerivationImageSequence[0].SourceImageSequence[0]
    assert reference.ReferencedFrameNumber == 3


def test_nothing_found_writes_nothing():
    source = source_dataset()
    assert segmentation_object(source, np.zeros((ROWS, COLUMNS), np.uint8), result(source)) is None


@pytest.mark.parametrize(
    ("masks", "code"),
    [
        (np.zeros((10, 10), np.uint8), "mask_size"),
        (np.zeros((ROWS, COLUMNS), np.uint16), "mask_size"),
    ],
)
def test_wrong_masks_are_refused(masks, code):
    source = source_dataset()
    with pytest.raises(InputError, match=r"film\.dcm.*expected \(240, 320\)") as caught:
        segmentation_object(source, masks, result(source))
    assert caught.value.code == code


def test_source_without_identity_is_refused():
    source = source_dataset()
    facts = result(source)
    del source.SeriesInstanceUID
    with pytest.raises(InputError, match="SeriesInstanceUID") as caught:
        segmentation_object(source, two_hip_masks(), facts)
    assert caught.value.code == "no_identity"
