"""What identifies in attributes, sequences and private blocks goes; the rest stays useful."""

from datetime import date

import pydicom
import pytest

from hoseg.deidentify.annex_e import action_for
from hoseg.deidentify.attributes import Policy, deidentify_dataset
from hoseg.deidentify.instances import deidentify_files
from hoseg.deidentify.pseudonyms import Pseudonyms
from hoseg.dicom.discover import discover

from .identified import (
    ATTRIBUTES,
    CODE,
    CR,
    FILE_NAMES,
    KEY,
    META,
    NAMES,
    NESTED,
    OVERLAY,
    PIXELS,
    PRIVATE,
    TRAILING,
    UIDS,
    annotated,
    identified,
    planted,
    saved,
)  # fmt: skip


def test_sixty_values_are_planted():
    everything = {
        *(v for v in ATTRIBUTES.values() if v), *UIDS.values(), *NESTED, *PRIVATE, *META,
        *PIXELS, *OVERLAY, *TRAILING, *CODE, *FILE_NAMES,
    }  # fmt: skip
    assert len(everything) >= 60


@pytest.mark.parametrize("policy", [Policy(), Policy(True, True)])
def test_no_planted_value_is_left_in_any_byte(tmp_path, policy):
    folder = tmp_path / FILE_NAMES[1]
    path = saved(identified(annotated()), folder / f"{FILE_NAMES[0]}.dcm")
    before = path.read_bytes()
    for value in (*NESTED, *PRIVATE, *META, *OVERLAY, *TRAILING, *CODE):
        assert value.encode() in before, value  # the search would find it

    out = tmp_path / "out"
    outcome = deidentify_files(discover([folder]), out, policy, NAMES)
    assert outcome.refused == []
    files = [file for file in out.rglob("*") if file.is_file()]
    assert sorted(file.name for file in files)[-1] == "manifest.json"
    for value in planted():
        needle = value.encode().lower()
        for file in files:
            assert needle not in file.read_bytes().lower(), (value, file.name)
            assert value.lower() not in str(file.relative_to(out)).lower()
    assert KEY not in b"".join(file.read_bytes() for file in files)
    assert KEY.hex().encode() not in b"".join(file.read_bytes() for file in files)


def test_references_stay_consistent_and_codes_stay(tmp_path):
    first, second = identified(), identified()
    second.SOPInstanceUID = NESTED[2]
    results = [deidentify_dataset(ds, Policy(), NAMES)[0] for ds in (first, second)]
    assert results[0].StudyInstanceUID == results[1].StudyInstanceUID
    assert results[0].PatientID == results[1].PatientID
    reference = results[0].ReferencedImageSequence[0]
    assert reference.ReferencedSOPInstanceUID == results[1].SOPInstanceUID
    assert reference.ReferencedSOPClassUID == CR
    assert results[0].AnatomicRegionSequence[0].CodeValue == "29836001"
    assert results[0].BodyPartExamined == "HIP"
    assert results[0].ImagerPixelSpacing == [0.2, 0.2]
    assert results[0].file_meta.MediaStorageSOPInstanceUID == results[0].SOPInstanceUID
    assert first == identified()  # the original is untouched


def test_another_key_gives_other_names():
    other = Pseudonyms(bytes(32))
    assert NAMES.uid("1.2.3") != other.uid("1.2.3")
    assert NAMES.patient("A") != other.patient("A")
    assert NAMES.key_id != other.key_id
    assert repr(KEY) not in repr(NAMES)


@pytest.mark.parametrize(
    ("patient_id", "name", "same"),
    [("", "", False), ("ANONYMOUS", "Anonymous^", False), ("0000", "Test^Patient", False),
     ("A-1", "", True), ("", "Burns^Monty", True), ("anon", "Burns^Monty", True)],
)  # fmt: skip
def test_people_without_identity_do_not_become_one(patient_id, name, same):
    films = [identified(), identified()]
    for number, dataset in enumerate(films):
        dataset.PatientID, dataset.PatientName = patient_id, name
        dataset.StudyInstanceUID = f"1.2.3.{number}"
    ids = [deidentify_dataset(dataset, Policy(), NAMES)[0].PatientID for dataset in films]
    assert (ids[0] == ids[1]) is same


def test_characteristics_go_or_stay():
    basic = deidentify_dataset(identified(), Policy(), NAMES)[0]
    assert "PatientAge" not in basic
    assert "PatientWeight" not in basic
    assert basic.PatientSex in ("", None)
    kept = deidentify_dataset(identified(), Policy(keep_characteristics=True), NAMES)[0]
    assert (kept.PatientSex, kept.PatientWeight) == ("M", 81)
    assert kept.PatientAge == "090Y"  # 92: over 89
    methods = [item.CodeValue for item in kept.DeidentificationMethodCodeSequence]
    assert methods == ["113100", "113101", "113108"]


def test_dates_go_or_move_together():
    basic = deidentify_dataset(identified(), Policy(), NAMES)[0]
    assert basic.StudyDate in ("", None)
    assert "AcquisitionDate" not in basic
    assert basic.LongitudinalTemporalInformationModified == "REMOVED"
    moved = deidentify_dataset(identified(), Policy(shift_dates=True), NAMES)[0]
    days = NAMES.shift_days("MRN-7734501")
    study = date(2019, 6, 11) - date.fromisoformat(moved.StudyDate)
    assert study.days == days
    series = date.fromisoformat(moved.SeriesDate) - date.fromisoformat(moved.StudyDate)
    assert series.days == 1
    assert len(moved.AcquisitionDateTime) == 8
    assert moved.PatientBirthDate in ("", None)
    assert moved.LongitudinalTemporalInformationModified == "MODIFIED"


@pytest.mark.parametrize(
    ("keyword", "action"),
    [("PatientName", "Z"), ("PatientID", "Z/D"), ("StudyInstanceUID", "U"),
     ("StationName", "X/Z/D"), ("ContentSequence", "D"), ("OperatorsName", "X/Z/D"),
     ("IconImageSequence", "X"), ("ReferencedImageSequence", "X/Z/U*")],
)  # fmt: skip
def test_table_says_what_the_standard_says(keyword, action):
    found = action_for(pydicom.tag.Tag(keyword))
    assert found is not None
    assert found.code == action


def test_table_covers_repeating_groups_and_leaves_the_picture_alone():
    assert action_for(pydicom.tag.Tag(0x60023000)).code == "X"
    for keyword in ("Rows", "PixelSpacing", "BodyPartExamined", "ViewPosition", "Laterality"):
        assert action_for(pydicom.tag.Tag(keyword)) is None
