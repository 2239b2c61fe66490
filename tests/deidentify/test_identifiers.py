"""Who somebody is, told in eight scripts wherever the profile keeps text, is gone afterwards."""

import io
from collections import Counter

import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence

from hoseg.deidentify.attributes import Policy, deidentify_dataset
from hoseg.deidentify.identifiers import identifiers_of
from hoseg.deidentify.instances import deidentify_files
from hoseg.dicom.discover import discover

from .identified import NAMES, film, identified, saved
from .people import PEOPLE

KEPT = (
    "Manufacturer", "ManufacturerModelName", "AcquisitionDeviceProcessingCode",
    "DetectorDescription", "PixelSpacingCalibrationDescription", "WindowCenterWidthExplanation",
    "GridAbsorbingMaterial", "SoftwareVersions",
)  # fmt: skip
"""Attributes that PS3.15 table E.1-1 leaves alone."""

ENCODINGS = (
    "utf-8", "utf-16-le", "utf-16-be", "gb18030", "big5", "cp932", "euc_jp", "iso2022_jp",
    "cp949", "iso8859_5", "cp1251", "koi8_r", "iso8859_7", "iso8859_6", "cp1256", "iso8859_8",
    "latin_1",
)  # fmt: skip
TOLD = [(person, text) for person in PEOPLE for text in person.told]
ORDINARY = [(person, text) for person in PEOPLE for text in person.ordinary]


def test_two_hundred_in_eight_scripts():
    scripts = Counter(person.script for person, _ in TOLD)
    assert len(scripts) == 8
    assert min(scripts.values()) >= 25
    assert len({(person.name, text) for person, text in TOLD}) >= 200


def encodable(person, text):
    """Whether the person's character set has all letters of a text."""
    sample = Dataset()
    sample.SpecificCharacterSet = person.charset
    sample.DetectorDescription = text
    return read_back(sample).DetectorDescription == text


def planted(person, text, charset):
    """A data set as it comes from a file, in which every kept attribute holds a text."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = charset
    dataset.PatientName, dataset.PatientID = person.name, person.patient_id
    dataset.PatientBirthDate = person.birth
    for keyword in KEPT:
        setattr(dataset, keyword, text)
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "29836001", "SCT", text
    dataset.AnatomicRegionSequence = Sequence([code])
    return read_back(dataset)


def read_back(dataset):
    buffer = io.BytesIO()
    dataset.save_as(buffer, implicit_vr=False, little_endian=True)
    buffer.seek(0)
    return dcmread(buffer, force=True)


def texts_of(dataset):
    return [str(e.value) for e in dataset.iterall() if e.VR != "SQ" and e.value is not None]


@pytest.mark.parametrize(("person", "text"), TOLD, ids=lambda value: getattr(value, "name", value))
def test_nothing_is_left_of_who_it_is(person, text):
    charsets = ["ISO_IR 192", *([person.charset] if encodable(person, text) else [])]
    for charset in charsets:
        clean, counts = deidentify_dataset(planted(person, text, charset), Policy(), NAMES)
        assert counts["scrubbed"] == len(KEPT) + 1
        assert not any(text in value for value in texts_of(clean))
        buffer = io.BytesIO()
        clean.save_as(buffer, enforce_file_format=False)
        data = buffer.getvalue()
        needles = {text, *(part for part in person.name.replace("=", "^").split("^"))}
        for needle in needles:
            for encoding in ENCODINGS:
                found = needle.encode(encoding, errors="ignore")
                assert len(found) < 5 or found not in data, (needle, encoding)


@pytest.mark.parametrize(
    ("person", "text"), ORDINARY, ids=lambda value: getattr(value, "name", value)
)
def test_words_that_name_nobody_stay(person, text):
    clean, counts = deidentify_dataset(planted(person, text, "ISO_IR 192"), Policy(), NAMES)
    assert "scrubbed" not in counts
    assert [clean[keyword].value for keyword in KEPT] == [text] * len(KEPT)


@pytest.mark.parametrize("script", sorted({person.script for person in PEOPLE}))
def test_files_and_their_names_tell_nobody(tmp_path, script):
    (person, *_) = [p for p in PEOPLE if p.script == script]
    dataset = identified(film()[:350, :450])
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID = person.name, person.patient_id
    for keyword, text in zip(KEPT, person.told, strict=False):
        setattr(dataset, keyword, text)
    folder = tmp_path / person.name.replace("=", "^")
    saved(dataset, folder / f"{person.told[0]}.dcm")
    (folder / f"{person.told[1]}.txt").write_text("refused")
    out = tmp_path / "out"
    outcome = deidentify_files(discover([folder]), out, Policy(shift_dates=True), NAMES)
    assert outcome.count("written") == 1
    for file in (path for path in out.rglob("*") if path.is_file()):
        data = file.read_bytes()
        for text in (*person.told[: len(KEPT)], *person.name.replace("=", "^").split("^")):
            assert text not in str(file.relative_to(out))
            for encoding in ENCODINGS:
                needle = text.encode(encoding, errors="ignore")
                assert len(needle) < 5 or needle not in data, (text, encoding, file.name)


def name_in(charset, codec, name):
    """A data set whose name is written in one encoding and stated to be in another."""
    dataset = Dataset()
    if charset:
        dataset.SpecificCharacterSet = charset
    dataset.add_new("PatientName", "UN", name.encode(codec))
    return read_back(dataset)


@pytest.mark.parametrize("charset", ["", "ISO_IR 100", "ISO_IR 192"])
@pytest.mark.parametrize(
    ("name", "codec"),
    [("王^小东", "gb18030"), ("王^小东", "utf-8"), ("山田^太郎", "cp932"), ("山田^太郎", "euc_jp"),
     ("김^철수", "cp949"), ("Иванов^Пётр", "cp1251"), ("Иванов^Пётр", "koi8_r"),
     ("Παππάς^Νίκος", "cp1253"), ("كمال^حسن", "cp1256"), ("כהן^משה", "cp1255"),
     ("Müller^Jörg", "utf-8"), ("Müller^Jörg", "latin_1"), ("Zhang^Wei=张^伟", "gb18030")],
)  # fmt: skip
def test_a_wrong_character_set_hides_nobody(charset, name, codec):
    found = identifiers_of(name_in(charset, codec, name))
    family, given = name.split("=")[-1].split("^")
    for text in (family + given, f"hip {given}", f"{family}_2"):
        for written in (codec, "utf-8"):
            raw = text.encode(written)
            stated = raw.decode("utf-8" if charset.endswith("192") else "latin_1", "replace")
            assert found.found_in(stated, raw), (text, written)
    for text in ("Gefühl im Körper füllen", "Hüfte links", "FLUOROSPOT COMPACT A 5"):
        for written in ("latin_1", "utf-8"):
            raw = text.encode(written)
            assert not found.found_in(raw.decode("latin_1"), raw), (text, written)


def test_numbers_and_terms_of_the_standard():
    dataset = identified()
    dataset.PatientName, dataset.PatientID = "Lin^Ap^^^No", "4470815"
    dataset.PixelIntensityRelationship, dataset.ViewPosition = "LIN", "AP"
    dataset.BurnedInAnnotation, dataset.SeriesNumber, dataset.InstanceNumber = "NO", 4470815, 3
    dataset.BodyPartExamined = "LIN_AP"
    dataset.ICCProfile = b"profile of Lin Ap"
    dataset.RetrieveURL = "http://pacs/4711"
    clean, _ = deidentify_dataset(dataset, Policy(), NAMES)
    assert (clean.PixelIntensityRelationship, clean.ViewPosition) == ("LIN", "AP")
    assert (clean.BurnedInAnnotation, clean.InstanceNumber) == ("NO", 3)
    assert clean.SeriesNumber is None
    for keyword in ("BodyPartExamined", "ICCProfile", "RetrieveURL"):
        assert keyword not in clean


def test_dates_of_the_file_in_text_give_no_shift_away():
    dataset = identified()
    dataset.Manufacturer = "calibrated 11.06.2019"  # the Study Date
    dataset.ManufacturerModelName = "calibrated 11.06.2018"
    clean, _ = deidentify_dataset(dataset, Policy(shift_dates=True), NAMES)
    assert "Manufacturer" not in clean
    assert clean.ManufacturerModelName == "calibrated 11.06.2018"


def test_what_stands_for_no_name_is_not_looked_for():
    dataset = identified()
    dataset.PatientName, dataset.PatientID = "PHANTOM^HIP", "1"
    for keyword in ("OtherPatientNames", "PatientBirthName", "PatientMotherBirthName"):
        del dataset[keyword]
    dataset.Manufacturer = "Hip phantom 1"
    clean, _ = deidentify_dataset(dataset, Policy(), NAMES)
    assert clean.Manufacturer == "Hip phantom 1"
