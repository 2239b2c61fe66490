"""Values that no new object may repeat: mended where they are plain, else dropped."""

import shutil
import subprocess

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from hoseg.report.dicom_identity import reference_dataset, replaced_uids
from hoseg.report.dicom_seg import segmentation_object
from hoseg.report.dicom_sr import Evidence, structured_report
from hoseg.report.dicom_values import mend, valid_character_set
from hoseg.report.secondary_capture import secondary_capture

from .samples import result, source_dataset, two_hip_masks

pytestmark = pytest.mark.filterwarnings("ignore")


def odd(**values):
    """A source with values that pydicom would refuse to set, as files have them."""
    source = source_dataset()
    for keyword, value in values.items():
        source.add_new(keyword, _kind(keyword), "")
        source[keyword]._value = value
    return source


def _kind(keyword):
    from pydicom.datadict import dictionary_VR

    return dictionary_VR(keyword)


@pytest.mark.parametrize(
    ("keyword", "stated", "carried"),
    [
        ("StudyDate", "2020.01.31", "20200131"),
        ("StudyDate", "2020-01-31", "20200131"),
        ("StudyDate", "20201331", ""),
        ("StudyDate", "unknown", ""),
        ("PatientBirthDate", "1950.02.28", "19500228"),
        ("StudyTime", "10:15:00", "101500"),
        ("StudyTime", "10.15", ""),
        ("PatientAge", "53Y", "053Y"),
        ("PatientAge", "053y", "053Y"),
        ("PatientAge", "53", None),
        ("PatientAge", "053Y", "053Y"),
        ("PatientWeight", "70,5", "70.5"),
        ("PatientWeight", "70,5 kg", None),
        ("PatientWeight", "70.123456789012345678", "70.1234568"),
        ("AccessionNumber", "A" * 40, "A" * 16),
        ("PatientSex", "Female", ""),
        ("PatientName", "Doe^" + "J" * 80, "Doe^" + "J" * 60),
        ("PatientName", "A" * 70 + "=" + "山" * 70, "A" * 64 + "=" + "山" * 64),
    ],
)
def test_values_are_mended_or_dropped(keyword, stated, carried):
    found = reference_dataset(odd(**{keyword: stated}), "film.dcm").get(keyword)
    assert (None if found is None else str(found)) == carried


def test_code_items_that_say_too_little_are_dropped():
    whole, empty, source = Dataset(), Dataset(), Dataset()
    whole.CodeValue, whole.CodingSchemeDesignator, whole.CodeMeaning = "1", "99X", "x"
    empty.CodeMeaning = "x"
    source.ProcedureCodeSequence = [whole, empty]
    source.PatientSpeciesCodeSequence = [empty]
    mend(source)
    assert list(source.ProcedureCodeSequence) == [whole]
    assert "PatientSpeciesCodeSequence" not in source


def test_valid_datasets_stay_as_they_are():
    source = source_dataset()
    del source.SpecificCharacterSet
    before = source.to_json()
    mend(source)
    assert source.to_json() == before


@pytest.mark.parametrize(
    ("stated", "terms"),
    [
        ("ISO_IR 192", ["ISO_IR 192"]),
        ("ISO IR 192", ["ISO_IR 192"]),
        (["", "ISO 2022 IR 87"], ["", "ISO 2022 IR 87"]),
        ("latin", []),
    ],
)
def test_character_sets(stated, terms):
    assert valid_character_set(stated) == terms


INVALID = ["1.2.03.4", "1.2.abc", "1." + "23" * 40, "../../etc", "1..2"]


@pytest.mark.parametrize("text", INVALID)
@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_an_invalid_uid_has_one_valid_uid_in_its_place(keyword, text):
    source = odd(**{keyword: text})
    reference = reference_dataset(source, "film.dcm")
    assert UID(reference[keyword].value).is_valid
    assert reference[keyword].value == reference_dataset(odd(**{keyword: text}), "b")[keyword].value
    assert [(k, t) for k, t, _ in replaced_uids(source)] == [(keyword, text)]
    others = {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"} - {keyword}
    assert all(reference[k].value == source[k].value for k in others)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is missing")
@pytest.mark.parametrize(
    "values",
    [
        {},
        {
            "StudyDate": "2020.01.31",
            "ContentDate": "2020.01.31",
            "PatientBirthDate": "1950.02.28",
            "PatientAge": "53Y",
            "PatientWeight": "70,5 kg",
        },
        {
            "StudyInstanceUID": "1.2.03.4",
            "SeriesInstanceUID": "1.2.abc",
            "SOPInstanceUID": "1." + "23" * 40,
        },
        {"PatientName": "N" * 80, "ReferringPhysicianName": "R" * 80},
        {"StudyID": "X" * 30, "AccessionNumber": "Y" * 30, "StudyTime": "25:00"},
    ],
)
def test_dciodvfy_finds_no_error(tmp_path, values):
    source = odd(**values)
    facts = result(source)
    segmentation = segmentation_object(source, two_hip_masks(), facts)
    report = structured_report([Evidence(source, facts, segmentation)])
    capture = secondary_capture(source, np.zeros((20, 20, 3), np.uint8), facts)
    if "SOPInstanceUID" in values:
        said = [item.TextValue for item in report.ContentSequence[-1].ContentSequence]
        for keyword, text in values.items():
            assert any(f"{keyword} of the source, {text[:64]}," in line for line in said)
    for name, dataset in (("seg", segmentation), ("sr", report), ("sc", capture)):
        path = tmp_path / f"{name}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).splitlines()
        assert [line for line in lines if line.startswith("Error")] == []
