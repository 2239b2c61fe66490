"""De-identification: sixty planted identifying values, none of which is found afterwards."""

import io
import json
import os
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless
from typer.testing import CliRunner

from hoseg.cli.deidentify import app
from hoseg.dicom.annex_e import rule_for
from hoseg.dicom.burned_in import find_text
from hoseg.dicom.deidentify import Policy, deidentify_dataset
from hoseg.dicom.deidentify_files import deidentify_files, deidentify_source
from hoseg.dicom.discover import discover
from hoseg.dicom.pseudonyms import Pseudonyms
from hoseg.dicom.source import Source
from hoseg.errors import InputError, SettingError

KEY = bytes(range(32))
NAMES = Pseudonyms(KEY)
CR = "1.2.840.10008.5.1.4.1.1.1"
ROWS, COLUMNS = 700, 900

# keyword: value, one planted identity each
ATTRIBUTES = {
    "PatientName": "Zyxwolf^Quentin",
    "PatientID": "MRN-7734501",
    "PatientBirthDate": "19470313",
    "PatientBirthTime": "031755",
    "OtherPatientNames": "Qwertzuiop^Q",
    "OtherPatientIDs": "OTHID-99812",
    "PatientBirthName": "Vogelfrei^Q",
    "PatientMotherBirthName": "Mondschein^A",
    "PatientAddress": "17 Rosebud Lane",
    "PatientTelephoneNumbers": "+49 30 5550199",
    "MilitaryRank": "Oberstleutnant",
    "BranchOfService": "Gebirgsjaeger",
    "CountryOfResidence": "Liechtenstein",
    "RegionOfResidence": "Oberland",
    "PatientReligiousPreference": "Zoroastrian",
    "Occupation": "Lighthouse keeper",
    "AdditionalPatientHistory": "fell at Bahnhof Zoo",
    "PatientComments": "brother of Konrad",
    "MedicalRecordLocator": "LOC-55123",
    "AccessionNumber": "ACC20190611",
    "StudyID": "STID-4471",
    "StudyDate": "20190611",
    "StudyTime": "141733",
    "SeriesDate": "20190612",
    "AcquisitionDate": "20190613",
    "ContentDate": "20190614",
    "AcquisitionDateTime": "20190615101112",
    "ReferringPhysicianName": "Ahornblatt^Rita",
    "ReferringPhysicianAddress": "3 Elm Court",
    "ReferringPhysicianTelephoneNumbers": "0800-5551234",
    "PerformingPhysicianName": "Birnbaum^Karl",
    "OperatorsName": "Chrysantheme^Ute",
    "PhysiciansOfRecord": "Dahlienfeld^Max",
    "NameOfPhysiciansReadingStudy": "Efeuranke^Ina",
    "RequestingPhysician": "Fliederbusch^Jan",
    "InstitutionName": "Sankt Nimmerlein Klinik",
    "InstitutionAddress": "99 Nowhere Plaza",
    "InstitutionalDepartmentName": "Orthopaedie Station 7",
    "StationName": "XRAYROOM42",
    "DeviceSerialNumber": "SN-8812371",
    "DetectorID": "DET-66120",
    "StudyDescription": "Hip of Zyxwolf",
    "SeriesDescription": "left hip Quentin",
    "ProtocolName": "Nimmerlein pelvis",
    "ImageComments": "repeat for Dr Ahornblatt",
    "RequestedProcedureDescription": "after fall in Rosebud",
    "PerformedProcedureStepID": "PPS-31337",
    "PatientInsurancePlanCodeSequence": None,  # planted below
    "RequestAttributesSequence": None,
    "ReferencedStudySequence": None,
}
UIDS = {
    "StudyInstanceUID": "1.2.826.0.1.3680043.2.1125.77.1",
    "SeriesInstanceUID": "1.2.826.0.1.3680043.2.1125.77.2",
    "SOPInstanceUID": "1.2.826.0.1.3680043.2.1125.77.3",
    "FrameOfReferenceUID": "1.2.826.0.1.3680043.2.1125.77.4",
}
NESTED = ["INSURER-PLAN-88", "RPID-20019", "1.2.826.0.1.3680043.2.1125.77.9", "Gaensebluemchen"]
PRIVATE = ["PRIVATE-OWNER-ZYX", "private Hortensie", "deep private Iris"]
META = ["NIMMERLEINPACS", "meta private Jasmin"]
PIXELS = ["ZYXWOLF QUENTIN", "1947-03-13", "MRN 7734562", "Nimmerlein Klinik"]
BORDERS = ["ZYXWOLF QUENTIN", "MRN 7734562", "NIMMERLEIN", "JQZ"]  # planted in white borders
OVERLAY = ["Overlay Kornblume"]
TRAILING = ["trailing Lavendel"]
CODE = ["Zyxwolf marker"]
FILE_NAMES = ["Zyxwolf_Quentin_19470313", "Nimmerlein"]


def planted():
    """Every planted text that must be gone."""
    values = [value for value in ATTRIBUTES.values() if value]
    words = [word for value in values for word in value.split("^") if len(word) > 3]
    return [*words, *UIDS.values(), *NESTED, *PRIVATE, *META, *OVERLAY, *TRAILING, *CODE,
            *FILE_NAMES]  # fmt: skip


def film():
    """A soft picture with noise: bright shaft and ball on a grey ramp."""
    rng = np.random.default_rng(5)
    picture = np.add.outer(np.linspace(0, 500, ROWS), np.linspace(300, 1100, COLUMNS))
    cv2.circle(picture, (450, 300), 110, 2400, -1)
    cv2.rectangle(picture, (410, 380), (490, 699), 2600, -1)
    picture = cv2.GaussianBlur(picture, (0, 0), 6) + rng.normal(0, 12, picture.shape)
    return np.clip(picture, 0, 3500).astype(np.uint16)


def write_text(pixels, text, column, row, scale=0.9, value=4095, thickness=2):
    layer = np.zeros(pixels.shape, np.uint8)
    cv2.putText(layer, text, (column, row), 0, scale, 255, thickness, cv2.LINE_AA)
    alpha = layer / 255.0
    return np.round(pixels * (1 - alpha) + value * alpha).astype(np.uint16)


def annotated():
    """Text in a corner, at a border, upright at the side, and over the bone."""
    pixels = write_text(film(), PIXELS[0], 12, 34)
    pixels = write_text(pixels, PIXELS[1], 640, 690, value=0)
    pixels = write_text(pixels, PIXELS[2], 330, 300)
    turned = write_text(np.ascontiguousarray(np.rot90(pixels, -1)), PIXELS[3], 200, 880)
    return np.ascontiguousarray(np.rot90(turned))


def identified(pixels=None):
    """A CR image with every planted value."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CR
    dataset.file_meta.MediaStorageSOPInstanceUID = UIDS["SOPInstanceUID"]
    dataset.file_meta.SourceApplicationEntityTitle = META[0]
    dataset.file_meta.PrivateInformationCreatorUID = UIDS["SOPInstanceUID"]
    dataset.file_meta.PrivateInformation = META[1].encode() + b"\0"
    dataset.SOPClassUID = CR
    dataset.Modality = "CR"
    dataset.PatientSex, dataset.PatientAge, dataset.PatientWeight = "M", "092Y", "81"
    dataset.BodyPartExamined, dataset.ViewPosition = "HIP", "AP"
    for keyword, value in (ATTRIBUTES | UIDS).items():
        if value:
            setattr(dataset, keyword, value)

    plan = Dataset()
    plan.CodeValue, plan.CodingSchemeDesignator, plan.CodeMeaning = "1", "99X", NESTED[0]
    dataset.PatientInsurancePlanCodeSequence = Sequence([plan])
    request = Dataset()
    request.RequestedProcedureID = NESTED[1]
    request.ReferencedSOPInstanceUID = NESTED[2]
    dataset.RequestAttributesSequence = Sequence([request])
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CR, NESTED[2]
    dataset.ReferencedImageSequence = Sequence([reference])
    region = Dataset()
    region.CodeValue, region.CodingSchemeDesignator = "29836001", "SCT"
    region.CodeMeaning = CODE[0]
    inner = Dataset()
    inner.PersonName = NESTED[3]
    inner.add_new(0x00091001, "LO", PRIVATE[2])
    region.AnatomicRegionModifierSequence = Sequence([inner])
    dataset.AnatomicRegionSequence = Sequence([region])

    block = dataset.private_block(0x0019, PRIVATE[0], create=True)
    block.add_new(0x01, "LO", PRIVATE[1])
    dataset.add(DataElement(0x60000010, "US", 8))
    dataset.add(DataElement(0x60000011, "US", 8))
    dataset.add(DataElement(0x60000022, "LO", OVERLAY[0]))
    dataset.add(DataElement(0xFFFCFFFC, "OB", TRAILING[0].encode() + b"\0"))

    pixels = film() if pixels is None else pixels
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.ImagerPixelSpacing = [0.2, 0.2]
    dataset.PixelData = pixels.tobytes()
    dataset.preamble = b"Zyxwolf preamble".ljust(128, b"\0")
    return dataset


def saved(dataset, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def clean(path, policy=None):
    return deidentify_source(Source(path, str(path)), policy or Policy(), NAMES)


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


# Where the texts stand: rows, columns, quarter turns to read them.
PLACES = [
    ((0, 60), (0, 420), 0),
    ((640, 700), (600, 900), 0),
    ((255, 330), (300, 600), 0),
    ((200, 560), (840, 900), -1),
]


def ocr(picture, path):
    """What tesseract reads in the whole picture and in close-ups of where text was planted."""
    brightest = np.where(picture > 240, 255, 0).astype(np.uint8)
    views = [(picture, "11"), (brightest, "11"), (np.rot90(brightest, -1), "11")]
    for (top, bottom), (left, right), turns in PLACES:
        part = np.rot90(picture[top:bottom, left:right], turns)
        views.append((part, "7"))
    return words_in(views, path)


def words_in(views, path):
    """What tesseract reads in (picture, page segmentation mode) pairs."""
    words = []
    for view, mode in views:
        large = cv2.resize(np.ascontiguousarray(view), None, fx=2, fy=2)
        cv2.imwrite(str(path), cv2.copyMakeBorder(large, 20, 20, 20, 20, cv2.BORDER_REPLICATE))
        command = ["tesseract", str(path), "-", "--psm", mode]
        done = subprocess.run(
            command,
            env=os.environ | {"OMP_THREAD_LIMIT": "1"},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        words.append(done.stdout)
    return re.sub(r"[^a-z0-9]", "", " ".join(words).lower())


@pytest.mark.slow
@pytest.mark.tools
def test_ocr_reads_the_text_before_and_nothing_after(tmp_path):
    if shutil.which("tesseract") is None:
        pytest.skip("tesseract is not installed")
    path = saved(identified(annotated()), tmp_path / "film.dcm")
    _, content, record = clean(path)
    after = pydicom.dcmread(io.BytesIO(content))
    show = [(p >> 4).astype(np.uint8) for p in (annotated(), after.pixel_array)]
    fragments = ["zyxwolf", "quentin", "773456", "1947", "nimmerlein"]
    read = ocr(show[0], tmp_path / "before.png")
    assert [f for f in fragments if f in read] == fragments  # the oracle can read
    read = ocr(show[1], tmp_path / "after.png")
    assert [f for f in fragments if f in read] == []
    assert len(record.masked_px) == 4
    assert after.BurnedInAnnotation == "NO"


def bordered(rng):
    """A collimated film with scatter in its white borders, texts in them and across an edge."""
    pixels = film().astype(np.float64)
    pixels[:, :170] = 3300 + rng.normal(0, 3, (ROWS, 170))
    pixels[:, 760:] = 3250 + 0.5 * np.arange(COLUMNS - 760) + rng.normal(0, 3, (ROWS, 140))
    pixels = np.clip(pixels, 0, 4095).astype(np.uint16)
    upright = np.ascontiguousarray(np.rot90(pixels, -1))
    upright = write_text(upright, BORDERS[0], 40, 60, 1.0, value=3345)  # hardly brighter
    upright = write_text(upright, BORDERS[1], 300, 150, 0.8, value=2600)
    upright = write_text(upright, BORDERS[2], 60, 850, 0.9, value=3150)  # darker, in a slope
    pixels = np.ascontiguousarray(np.rot90(upright))
    pixels = write_text(pixels, BORDERS[3], 20, 40, 1.0, value=3360)  # initials
    return write_text(pixels, BORDERS[0], 60, 640, 0.9, value=3300)  # half of it unseen


def enhanced(picture, rows, columns):
    """A part of a picture as 8 bits with all the contrast there is."""
    part = picture[rows, columns].astype(np.float64)
    return cv2.normalize(part, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.tools
def test_ocr_reads_nothing_in_white_borders(tmp_path):
    if shutil.which("tesseract") is None:
        pytest.skip("tesseract is not installed")
    before = bordered(np.random.default_rng(3))
    path = saved(identified(before), tmp_path / "film.dcm")
    _, content, record = clean(path)
    after = pydicom.dcmread(io.BytesIO(content)).pixel_array
    places = [
        (np.s_[350:700], np.s_[20:80], -1), (np.s_[200:450], np.s_[110:160], -1),
        (np.s_[380:690], np.s_[800:890], -1), (np.s_[5:60], np.s_[5:130], 0),
    ]  # fmt: skip
    read = []
    for picture in (before, after):
        views = [np.rot90(enhanced(picture, r, c), turns) for r, c, turns in places]
        views += [255 - view for view in views]
        read.append(words_in([(view, "11") for view in views], tmp_path / "view.png"))
    fragments = ["zyxwolf", "7734562", "nimmer", "jqz"]
    assert [f for f in fragments if f in read[0]] == fragments  # the oracle can read
    assert [f for f in fragments if f in read[1]] == []
    changed = before != after
    assert changed[:, :165].all() or np.ptp(after[5:-5, 5:160]) == 0
    assert np.ptp(after[5:-5, 770:-5]) == 0
    assert 0.25 < record.border_share < 0.45
    np.testing.assert_array_equal(after[:560, 200:750], before[:560, 200:750])  # anatomy


def test_the_border_becomes_flat_and_nothing_else(tmp_path):
    pixels = film()
    pixels[:, :200] = 3900
    marked = write_text(pixels, "J", 60, 400, 2.0, value=3904)  # a lone letter, invisible to most
    _, content, record = clean(saved(identified(marked), tmp_path / "film.dcm"))
    after = pydicom.dcmread(io.BytesIO(content)).pixel_array
    assert np.ptp(after[:, :200]) == 0
    np.testing.assert_array_equal(after[:, 230:], pixels[:, 230:])
    assert record.border_share == pytest.approx(200 / 900, abs=0.03)
    kept = deidentify_source(Source(tmp_path / "film.dcm", "f"), Policy(pixels="keep"), NAMES)
    array = pydicom.dcmread(io.BytesIO(kept[1])).pixel_array
    np.testing.assert_array_equal(array, marked)


def test_only_text_is_painted_out(tmp_path):
    path = saved(identified(annotated()), tmp_path / "film.dcm")
    _, content, record = clean(path)
    after, plain = pydicom.dcmread(io.BytesIO(content)).pixel_array, film()
    masked = np.zeros(plain.shape, bool)
    for top, left, bottom, right in record.masked_px:
        masked[top:bottom, left:right] = True
    np.testing.assert_array_equal(after[~masked], plain[~masked])
    assert masked.mean() < 0.12


def test_film_without_text_keeps_every_pixel_and_its_side_marker(tmp_path):
    pixels = write_text(film(), "R", 40, 80, 1.8, thickness=4)
    assert find_text(pixels) == []
    _, content, record = clean(saved(identified(pixels), tmp_path / "film.dcm"))
    np.testing.assert_array_equal(pydicom.dcmread(io.BytesIO(content)).pixel_array, pixels)
    assert record.masked_px == ()


def test_what_hides_beside_the_picture_goes(tmp_path):
    dataset = identified()
    hidden = film() | 0x8000  # an overlay in an unused bit
    dataset.PixelData = hidden.tobytes() + b"Zyxwolf after the last frame!!"
    _, content, _ = clean(saved(dataset, tmp_path / "film.dcm"))
    assert b"Zyxwolf" not in content
    np.testing.assert_array_equal(pydicom.dcmread(io.BytesIO(content)).pixel_array, film())


def test_comment_inside_a_compressed_stream_goes(tmp_path):
    dataset = identified()
    dataset.compress(JPEGLSLossless)
    stream = pydicom.encaps.get_frame(dataset.PixelData, 0)
    note = b"Zyxwolf in a comment"
    comment = b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note
    dataset.PixelData = pydicom.encaps.encapsulate([stream[:2] + comment + stream[2:]])
    path = saved(dataset, tmp_path / "film.dcm")
    assert note in path.read_bytes()
    _, content, _ = clean(path)
    assert b"Zyxwolf" not in content
    np.testing.assert_array_equal(pydicom.dcmread(io.BytesIO(content)).pixel_array, film())


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


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 20000), st.text(max_size=20))
@settings(max_examples=200)
def test_shifting_keeps_intervals(day, gap, patient):
    later = date.fromordinal(day.toordinal() + gap)
    first, second = (
        date.fromisoformat(NAMES.shift_date(f"{d:%Y%m%d}", patient)) for d in (day, later)
    )
    assert (second - first).days == gap
    assert 1 <= (day - first).days <= 3650


@given(st.from_regex(r"[0-2](\.[1-9][0-9]{0,8}){2,6}", fullmatch=True))
def test_mapped_uids_are_valid_and_stable(uid):
    mapped = pydicom.uid.UID(NAMES.uid(uid))
    assert mapped.is_valid
    assert mapped == NAMES.uid(uid)
    assert mapped.startswith("2.25.")


@pytest.mark.parametrize(
    ("keyword", "action"),
    [("PatientName", "Z"), ("PatientID", "Z/D"), ("StudyInstanceUID", "U"),
     ("StationName", "X/Z/D"), ("ContentSequence", "D"), ("OperatorsName", "X/Z/D"),
     ("IconImageSequence", "X"), ("ReferencedImageSequence", "X/Z/U*")],
)  # fmt: skip
def test_table_says_what_the_standard_says(keyword, action):
    rule = rule_for(pydicom.tag.Tag(keyword))
    assert rule is not None
    assert rule.action == action


def test_table_covers_repeating_groups_and_leaves_the_picture_alone():
    assert rule_for(pydicom.tag.Tag(0x60023000)).action == "X"
    for keyword in ("Rows", "PixelSpacing", "BodyPartExamined", "ViewPosition", "Laterality"):
        assert rule_for(pydicom.tag.Tag(keyword)) is None


def refused(path, policy=None):
    with pytest.raises(InputError) as caught:
        clean(path, policy)
    return caught.value.code


def test_refusals(tmp_path):
    path = saved(identified(annotated()), tmp_path / "text.dcm")
    assert refused(path, Policy(pixels="refuse")) == "burned_in_text"

    says_so = identified()
    says_so.BurnedInAnnotation = "YES"
    assert refused(saved(says_so, tmp_path / "says.dcm")) == "burned_in_not_found"
    assert clean(tmp_path / "says.dcm", Policy(pixels="keep"))[2].status == "written"

    report = identified()
    report.SOPClassUID, report.Modality = "1.2.840.10008.5.1.4.1.1.88.33", "SR"
    del report.PixelData, report.Rows, report.Columns
    assert refused(saved(report, tmp_path / "report.dcm")) == "no_pixels"

    nameless = identified()
    del nameless.StudyInstanceUID
    assert refused(saved(nameless, tmp_path / "nameless.dcm")) == "no_identity"

    (tmp_path / "note.txt").write_text("not DICOM")
    assert refused(tmp_path / "note.txt") == "not_an_image"


def test_manifest_accounts_for_every_input_without_naming_it(tmp_path):
    folder = tmp_path / "in"
    saved(identified(), folder / "Zyxwolf.dcm")
    (folder / "Quentin.txt").write_text("not DICOM")
    outcome = deidentify_files(discover([folder]), tmp_path / "out", Policy(), NAMES)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["counts"] == {"written": 1, "refused": 1}
    assert {entry["status"] for entry in manifest["files"]} == {"written", "refused"}
    assert manifest["key_id"] == NAMES.key_id
    (entry,) = [e for e in manifest["files"] if e["status"] == "written"]
    assert (tmp_path / "out" / entry["output"]).is_file()
    assert entry["actions"]["removed"] > 20
    assert [Path(name).name for name, _, _ in outcome.refused] == ["Quentin.txt"]


def test_command(tmp_path, monkeypatch):
    folder = tmp_path / "in"
    saved(identified(), folder / "film.dcm")
    monkeypatch.setenv("HOSEG_DEIDENTIFY_KEY", "a secret of more than sixteen letters")
    out, link = tmp_path / "out", tmp_path / "link.csv"
    done = CliRunner().invoke(app, [str(folder), "--out", str(out), "--link", str(link), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"written": 1, "refused": []}
    assert "film.dcm" in link.read_text()
    assert "secret" not in "".join(p.read_text("latin-1") for p in out.rglob("*") if p.is_file())

    again = tmp_path / "again"
    CliRunner().invoke(app, [str(folder), "--out", str(again), "--json"])
    names = [sorted(p.name for p in root.rglob("*.dcm")) for root in (out, again)]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["--out", "{in}"], "--out"),
        (["--out", "{out}", "--link", "{out}/link.csv"], "--link"),
        (["--out", "{out}", "--key-file", "{in}/missing"], "--key-file"),
    ],
)
def test_wrong_usage_names_the_option(tmp_path, arguments, key):
    folder = tmp_path / "in"
    saved(identified(), folder / "film.dcm")
    places = {"in": str(folder), "out": str(tmp_path / "out")}
    done = CliRunner().invoke(app, [str(folder), *(a.format(**places) for a in arguments)])
    assert isinstance(done.exception, SettingError)
    assert done.exception.key == key


def test_short_key_is_refused():
    with pytest.raises(SettingError, match="16 random bytes"):
        Pseudonyms(b"short")
