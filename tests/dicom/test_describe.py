"""Side, view and orientation: from attributes, else from words, else said to be missing."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from hoseg.dicom.describe import (
    check_uids,
    describe,
    find_age,
    find_orientation,
    find_side,
    find_view,
)
from hoseg.radiograph import Orientation, Side, View


def make(**attributes: object) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def codes(notes) -> set[str]:
    return {note.code for note in notes}


@pytest.mark.parametrize(
    ("attributes", "side", "note"),
    [
        ({"ImageLaterality": "L", "Laterality": "R"}, Side.LEFT, "side_contradicts"),
        ({"ImageLaterality": "R", "Laterality": "R"}, Side.RIGHT, None),
        ({"ImageLaterality": "right"}, Side.RIGHT, None),
        ({"Laterality": "L", "SeriesDescription": "Hip right AP"}, Side.LEFT, "side_contradicts"),
        ({"Laterality": "L", "SeriesDescription": "left and right"}, Side.LEFT, None),
        ({"ImageLaterality": "U", "Laterality": "R"}, Side.RIGHT, None),
        ({"Laterality": "R"}, Side.RIGHT, None),
        ({"ImageLaterality": "B"}, Side.UNKNOWN, "side_both"),
        ({"SeriesDescription": "HIP LEFT AP"}, Side.LEFT, "side_from_description"),
        ({"ProtocolName": "Hüfte rechts"}, Side.RIGHT, "side_from_description"),
        ({"SeriesDescription": "left and right hip"}, Side.UNKNOWN, "side_missing"),
        ({}, Side.UNKNOWN, "side_missing"),
    ],
)
def test_side(attributes, side, note):
    ds = make(**attributes)
    found, notes = find_side(ds, describe(ds))
    assert found is side
    assert codes(notes) == ({note} if note else set())


@pytest.mark.parametrize(
    ("attributes", "view", "weak"),
    [
        ({"ViewPosition": "AP", "BodyPartExamined": "PELVIS"}, View.AP_PELVIS, False),
        ({"ViewPosition": "AP", "BodyPartExamined": "HIP"}, View.AP_HIP, False),
        ({"ViewPosition": "AP", "BodyPartExamined": "ANKLE"}, View.OTHER, False),
        ({"ViewPosition": "LL", "BodyPartExamined": "HIP"}, View.OTHER, True),
        ({"SeriesDescription": "Hip frog leg"}, View.FROG_LEG, True),
        ({"SeriesDescription": "HIP X-TABLE LATERAL"}, View.CROSS_TABLE, True),
        ({"ProtocolName": "Pelvis Judet iliac oblique"}, View.JUDET, True),
        ({"SeriesDescription": "Becken a.p."}, View.AP_PELVIS, True),
        ({"SeriesDescription": "hip lateral"}, View.OTHER, True),
        ({"BodyPartExamined": "HIP"}, View.UNKNOWN, True),
        ({"ViewPosition": "AP SUPINE", "BodyPartExamined": "HIP"}, View.AP_HIP, False),
        ({"ViewPosition": "A.P.", "BodyPartExamined": "PELVIS"}, View.AP_PELVIS, False),
        ({"ViewPosition": "A/P", "BodyPartExamined": "HIP"}, View.AP_HIP, False),
        ({"ViewPosition": "ap_erect", "BodyPartExamined": "HIP"}, View.AP_HIP, False),
        ({"ViewPosition": "AP_PELVIS"}, View.AP_PELVIS, False),
        ({"ViewPosition": "AP_PELVIS", "BodyPartExamined": "HIP"}, View.AP_PELVIS, False),
        ({"ViewPosition": "FRONTAL", "BodyPartExamined": "PELVIS"}, View.AP_PELVIS, False),
        ({"ViewPosition": "FACE", "BodyPartExamined": "HIP"}, View.AP_HIP, False),
        ({"ViewPosition": "ANTERIOR-POSTERIOR", "BodyPartExamined": "HIP"}, View.AP_HIP, False),
        ({"ViewPosition": "PA", "BodyPartExamined": "PELVIS"}, View.OTHER, True),
        ({"ViewPosition": "AP OBLIQUE", "BodyPartExamined": "HIP"}, View.OTHER, True),
        ({"ViewPosition": "AP AXIAL", "BodyPartExamined": "HIP"}, View.OTHER, True),
        ({"ViewPosition": "LAP", "BodyPartExamined": "HIP"}, View.OTHER, True),
        ({"ViewPosition": "LATERAL", "BodyPartExamined": "HIP"}, View.OTHER, True),
    ],
)
def test_view(attributes, view, weak):
    ds = make(**attributes)
    found, notes = find_view(ds, describe(ds), Side.UNKNOWN)
    assert found is view
    assert bool(notes) is weak


def test_view_code_sequence():
    item = make(CodeValue="399348003", CodingSchemeDesignator="SCT", CodeMeaning="antero-posterior")
    ds = make(ViewCodeSequence=Sequence([item]), BodyPartExamined="HIP")
    assert find_view(ds, describe(ds), Side.LEFT) == (View.AP_HIP, ())


def test_an_oblique_view_code_is_no_ap_view():
    item = make(
        CodeValue="399312000", CodingSchemeDesignator="SCT", CodeMeaning="antero-posterior oblique"
    )
    ds = make(ViewCodeSequence=Sequence([item]), BodyPartExamined="HIP")
    assert find_view(ds, describe(ds), Side.LEFT)[0] is View.OTHER
    item.ViewModifierCodeSequence = Sequence(
        [make(CodeValue="260496000", CodingSchemeDesignator="SCT", CodeMeaning="Judet projection")]
    )
    assert find_view(ds, describe(ds), Side.LEFT) == (View.JUDET, ())


@pytest.mark.parametrize(
    ("stated", "columns", "to_feet", "transposed", "note"),
    [
        (["L", "F"], Side.LEFT, True, False, None),
        (["R", "F"], Side.RIGHT, True, False, None),
        (["L", "H"], Side.LEFT, False, False, None),
        (["R", "H"], Side.RIGHT, False, False, None),
        (["F", "L"], Side.LEFT, True, True, None),
        (["F", "R"], Side.RIGHT, True, True, None),
        (["H", "L"], Side.LEFT, False, True, None),
        (["H", "R"], Side.RIGHT, False, True, None),
        (["LP", "FA"], Side.LEFT, True, False, None),
        (["P", "F"], Side.UNKNOWN, True, False, "orientation_unusual"),
        (["L", "P"], Side.LEFT, True, False, "orientation_unusual"),
        (None, Side.LEFT, True, False, "orientation_assumed"),
    ],
)
def test_orientation(stated, columns, to_feet, transposed, note):
    ds = Dataset() if stated is None else make(PatientOrientation=stated)
    source = "assumed" if stated is None else "attribute"
    orientation, notes = find_orientation(ds)
    assert orientation == Orientation(columns, to_feet, source, transposed)
    assert codes(notes) == ({note} if note else set())


@pytest.mark.parametrize(
    ("attributes", "age", "contradicts"),
    [
        ({"PatientAge": "000Y", "PatientBirthDate": "19500101"}, "070Y", True),
        ({"PatientAge": "000Y", "PatientBirthDate": "20200101"}, "000Y", False),
        ({"PatientAge": "000Y"}, "000Y", False),
        ({"PatientAge": "000D", "PatientBirthDate": "19500101"}, "070Y", True),
        ({"PatientAge": "018M", "PatientBirthDate": "20181201"}, "018M", False),
        ({"PatientAge": "018M", "PatientBirthDate": "19500101"}, "018M", True),
        ({"PatientAge": "53Y", "PatientBirthDate": "19670101"}, "053Y", False),
        ({"PatientAge": "53"}, "053Y", False),
        ({"PatientAge": "053Y", "PatientBirthDate": "19000101"}, "053Y", True),
        ({"PatientAge": "abc", "PatientBirthDate": "1950.01.01"}, "070Y", False),
    ],
)
def test_ages_and_birth_dates_that_contradict(attributes, age, contradicts):
    ds = make(StudyDate="20200614", **attributes)
    found, notes = find_age(ds)
    assert found == describe(ds).patient_age == age
    assert codes(notes) == ({"age_contradicts"} if contradicts else set())


def test_uids_that_break_the_rules_are_said():
    good = "1.2.840.10008.1"
    assert check_uids(make(StudyInstanceUID=good, SOPInstanceUID="")) == ()
    for wrong in ("1.02.3", "1." * 40 + "1", "1.2.x", "../../etc"):
        (note,) = check_uids(make(StudyInstanceUID=good, SeriesInstanceUID=wrong))
        assert note.code == "uid_invalid"
        assert "SeriesInstanceUID" in note.text
        assert "StudyInstanceUID" not in note.text


def test_age_comes_from_dates_when_it_is_not_stated():
    assert describe(make(PatientAge="007Y")).patient_age == "007Y"
    born = make(PatientBirthDate="20000615", StudyDate="20200614")
    assert describe(born).patient_age == "019Y"
    assert [describe(make(PatientSex=sex)).patient_sex for sex in ("F", "m", "", "X")] == [
        "F",
        "M",
        "",
        "",
    ]
    assert describe(make(PatientBirthDate="garbage", StudyDate="20200614")).patient_age == ""


def test_a_file_s_sex_and_age_arrive(tmp_path):
    """What is described must be among the attributes that are read from files."""
    from dicom.build import dataset, film, read_one

    radiograph = read_one(dataset(film(), PatientSex="F", PatientAge="061Y"), tmp_path)
    assert (radiograph.attributes.patient_sex, radiograph.attributes.patient_age) == ("F", "061Y")
