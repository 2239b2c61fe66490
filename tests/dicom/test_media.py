"""The files of a DICOMDIR are found whatever copying did to their names."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from hoseg.dicom import decode, discover
from hoseg.dicom.media import is_media_directory
from hoseg.reasons import Reason

from .build import dataset, film, save


def write_index(path: Path, references: list[object]) -> Path:
    """A DICOMDIR that names these files, one record each."""
    records = []
    for reference in references:
        record = Dataset()
        record.ReferencedFileID = reference
        records.append(record)
    index = Dataset()
    index.file_meta = FileMetaDataset()
    index.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    index.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    index.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    index.DirectoryRecordSequence = Sequence(records)
    index.save_as(path, enforce_file_format=True)
    return path


def found(index: Path) -> list[str]:
    """Paths below the folder of the DICOMDIR, or reason codes, of the files it names."""
    first, *others = discover([index])
    assert first.problem is not None
    assert first.problem[0] == Reason.MEDIA_DIRECTORY
    for source in others:
        if source.problem is None:
            assert decode(source)[0].shape == (48, 64)
    return [
        s.problem[0] if s.problem else s.path.relative_to(index.parent).as_posix() for s in others
    ]


NAMED = ["DICOM", "PT000000", "IM000001"]


@pytest.mark.parametrize(
    "on_disk",
    [
        "DICOM/PT000000/IM000001",
        "dicom/pt000000/im000001",
        "Dicom/Pt000000/IM000001",
        "DICOM/pt000000/Im000001.dcm",
        "DICOM/PT000000/IM000001.DCM",
        "DICOM/PT000000/IM000001;1",
        "DICOM/PT000000/IM000001.;1",
        "dicom/pt000000/im000001.dcm;1",
        "DICOM/PT000000/IM000001.ima",
    ],
)
def test_files_of_other_spellings(on_disk, tmp_path):
    path = tmp_path / on_disk
    path.parent.mkdir(parents=True)
    save(dataset(film()), path)
    assert found(write_index(tmp_path / "DICOMDIR", [NAMED])) == [on_disk]


@pytest.mark.parametrize(
    "reference",
    [
        "DICOM/PT000000/IM000001",
        ["DICOM/PT000000", "IM000001"],
        ["DICOM", "PT000000", "IM000001.DCM"],
        "./DICOM//PT000000/IM000001",
        "DICOM/PT000000/IM000001.;1",
    ],
)
def test_references_of_other_spellings(reference, tmp_path):
    path = tmp_path.joinpath(*NAMED)
    path.parent.mkdir(parents=True)
    save(dataset(film()), path)
    assert found(write_index(tmp_path / "DICOMDIR", [reference])) == ["/".join(NAMED)]


@pytest.mark.parametrize("name", ["DICOMDIR", "dicomdir", "DicomDir", "DICOMDIR.dcm", "DICOMDIR;1"])
def test_the_index_itself_has_many_spellings(name, tmp_path):
    save(dataset(film()), tmp_path / "IM1")
    assert found(write_index(tmp_path / name, ["IM1"])) == ["IM1"]
    assert is_media_directory(name)


@pytest.mark.parametrize("name", ["DICOMDIR.txt", "DICOMDIR1", "mydicomdir", "DICOMDIR.png"])
def test_other_names_are_no_index(name):
    assert not is_media_directory(name)


def test_the_exact_name_wins_where_case_matters(tmp_path):
    for name in ("im1", "IM1", "Im1.dcm"):
        save(dataset(film()), tmp_path / name)
    if len(list(tmp_path.iterdir())) < 3:
        pytest.skip("this file system does not tell case apart")
    index = write_index(tmp_path / "DICOMDIR", ["IM1", "im1", "IM2"])
    assert found(index) == ["IM1", "im1", Reason.MISSING_FILE]


def test_a_folder_of_that_name_without_the_file_is_no_dead_end(tmp_path):
    (tmp_path / "PT0").mkdir()
    (tmp_path / "pt0").mkdir(exist_ok=True)
    save(dataset(film()), tmp_path / "pt0" / "im1")
    assert found(write_index(tmp_path / "DICOMDIR", [["PT0", "IM1"]])) == ["pt0/im1"]


@pytest.mark.parametrize(
    "reference",
    [
        ["..", "secret.dcm"],
        "../secret.dcm",
        ["A", "../../secret.dcm"],
        ["/etc", "passwd"],
        "/etc/passwd",
        "C:/secret.dcm",
    ],
)
def test_no_reference_leads_out(reference, tmp_path):
    media = tmp_path / "media"
    (media / "A").mkdir(parents=True)
    save(dataset(film()), tmp_path / "secret.dcm")
    assert found(write_index(media / "DICOMDIR", [reference])) == [Reason.CORRUPT]


def test_a_file_named_twice_is_read_once(tmp_path):
    save(dataset(film()), tmp_path / "im1.dcm")
    assert found(write_index(tmp_path / "DICOMDIR", ["IM1", "im1", "./IM1.DCM"])) == ["im1.dcm"]
    index, folder = tmp_path / "DICOMDIR", tmp_path
    films = [s for s in discover([index, folder]) if s.problem is None]
    assert len(films) == 1
