"""Side, view and orientation: from attributes, else from words, else said to be missing."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from hoseg.dicom.describe import describe, find_orientation, find_side, find_view
from hoseg.radiograph import Side, View


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
        ({"ImageLaterality": "L", "Laterality": "R"}, Side.LEFT, None),
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
    ("stated", "columns", "to_feet", "note"),
    [
        (["L", "F"], Side.LEFT, True, None),
        (["R", "F"], Side.RIGHT, True, None),
        (["L", "H"], Side.LEFT, False, None),
        (["LP", "FA"], Side.LEFT, True, None),
        (["P", "F"], Side.LEFT, True, "orientation_unusual"),
        (["F", "L"], Side.LEFT, True, "orientation_unusual"),
        (None, Side.LEFT, True, "orientation_assumed"),
    ],
)
def test_orientation(stated, columns, to_feet, note):
    ds = Dataset() if stated is None else make(PatientOrientation=stated)
    orientation, notes = find_orientation(ds)
    assert (orientation.columns, orientation.rows_to_feet) == (columns, to_feet)
    assert orientation.source == ("attribute" if note is None else "assumed")
    assert codes(notes) == ({note} if note else set())


def test_age_comes_from_dates_when_it_is_not_stated():
    assert describe(make(PatientAge="007Y")).patient_age == "007Y"
    born = make(PatientBirthDate="20000615", StudyDate="20200614")
    assert describe(born).patient_age == "019Y"
    assert describe(make(PatientBirthDate="garbage", StudyDate="20200614")).patient_age == ""
