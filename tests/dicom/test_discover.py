"""Every input file has its row, and no path or archive trick gets through."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from hoseg.dicom import Limits, Source, decode, discover
from hoseg.errors import InputError
from hoseg.reasons import Reason

from .build import dataset, film, save


def problems(sources: list[Source]) -> dict[str, str]:
    return {s.name.rpartition("/")[2]: s.problem[0] for s in sources if s.problem}


def test_folder_of_any_depth_in_sorted_order(tmp_path):
    deep = tmp_path / "b" / "c"
    deep.mkdir(parents=True)
    for path in (tmp_path / "z.dcm", deep / "IM1", tmp_path / "a.dcm"):
        save(dataset(film()), path)
    names = [s.path.name for s in discover([tmp_path])]
    assert names == ["a.dcm", "z.dcm", "IM1"]


def test_each_file_once_however_often_it_is_named(tmp_path):
    path = save(dataset(film()), tmp_path / "a.dcm")
    assert len(list(discover([tmp_path, path, str(path)]))) == 1


def test_missing_input_is_a_problem_not_an_exception(tmp_path):
    (source,) = discover([tmp_path / "nowhere"])
    assert source.problem is not None
    assert source.problem[0] == Reason.NOT_FOUND
    with pytest.raises(InputError, match="check the path"):
        decode(source)


def test_pipe_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (source,) = discover([tmp_path])
    with pytest.raises(InputError) as caught:
        decode(source)
    assert caught.value.code == Reason.NOT_A_FILE


def test_linked_folder_loops_end(tmp_path):
    save(dataset(film()), tmp_path / "a.dcm")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert len(list(discover([tmp_path]))) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_unreadable_folder_has_a_row(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    assert problems(list(discover([tmp_path]))) == {"closed": Reason.UNREADABLE}


def test_zip_members_are_read_without_unpacking(tmp_path):
    path = save(dataset(film()), tmp_path / "a.dcm")
    archive = tmp_path / "films.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.write(path, "study/a.dcm")
        out.writestr("readme.txt", "hello")
    before = sorted(tmp_path.iterdir())
    film_source, text_source = sorted(discover([archive]), key=lambda s: s.name, reverse=True)
    assert film_source.name == f"{archive}!study/a.dcm"
    np.testing.assert_array_equal(decode(film_source)[0].pixels, film())
    with pytest.raises(InputError):
        decode(text_source)
    assert sorted(tmp_path.iterdir()) == before


def test_zip_without_extension_is_recognised(tmp_path):
    path = save(dataset(film()), tmp_path / "a.dcm")
    with zipfile.ZipFile(tmp_path / "archive", "w") as out:
        out.write(path, "a.dcm")
    assert {s.member for s in discover([tmp_path])} == {None, "a.dcm"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../evil.dcm", Reason.UNSAFE_ARCHIVE),
        ("a/../../evil.dcm", Reason.UNSAFE_ARCHIVE),
        ("/etc/evil.dcm", Reason.UNSAFE_ARCHIVE),
        ("C:\\evil.dcm", Reason.UNSAFE_ARCHIVE),
        ("..\\evil.dcm", Reason.UNSAFE_ARCHIVE),
        ("inner.zip", Reason.NESTED_ARCHIVE),
        ("DICOMDIR", Reason.MEDIA_DIRECTORY),
    ],
)
def test_member_tricks_are_refused(name, code, tmp_path):
    archive = tmp_path / "t.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr(zipfile.ZipInfo(name), b"x")
    (source,) = discover([archive])
    assert source.problem is not None
    assert source.problem[0] == code


def test_zip_bomb_is_refused_from_its_directory(tmp_path):
    archive = tmp_path / "bomb.zip"
    with (
        zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out,
        out.open("big.dcm", "w") as stream,
    ):
        for _ in range(80):
            stream.write(bytes(1024**2))
    (source,) = discover([archive])
    assert source.problem is not None
    assert source.problem[0] == Reason.UNSAFE_ARCHIVE
    (source,) = discover([archive], Limits(file_bytes=1024**2))
    assert source.problem is not None
    assert source.problem[0] == Reason.FILE_TOO_LARGE


def test_member_whose_size_lies_is_stopped(tmp_path):
    archive = tmp_path / "liar.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a.dcm", bytes(200_000))
    with pytest.raises(InputError) as caught:
        Source(archive, "liar.zip!a.dcm", "a.dcm").read(Limits(file_bytes=100_000))
    assert caught.value.code == Reason.FILE_TOO_LARGE


def test_broken_zip_and_too_many_members(tmp_path):
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    (tmp_path / "none.zip").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as out:
        for n in range(5):
            out.writestr(f"{n}", b"x")
    found = problems(list(discover([tmp_path], Limits(archive_members=3))))
    assert found == {
        "broken.zip": Reason.BAD_ARCHIVE,
        "none.zip": Reason.BAD_ARCHIVE,
        "many.zip": Reason.UNSAFE_ARCHIVE,
    }


def test_dicomdir_names_its_files():
    path = Path(get_testdata_file("DICOMDIR"))
    sources = list(discover([path]))
    assert sources[0].problem is not None
    assert sources[0].problem[0] == Reason.MEDIA_DIRECTORY
    found = [s for s in sources if s.problem is None]
    assert len(found) == 31
    assert decode(found[0])[0].shape == (16, 16)


def test_dicomdir_cannot_name_files_outside(tmp_path):
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.sequence import Sequence
    from pydicom.uid import ExplicitVRLittleEndian

    inside = tmp_path / "media"
    inside.mkdir()
    save(dataset(film()), tmp_path / "secret.dcm")
    records = []
    for parts in (["..", "secret.dcm"], ["GONE"], ["/etc", "passwd"]):
        record = Dataset()
        record.ReferencedFileID = parts
        records.append(record)
    index = Dataset()
    index.file_meta = FileMetaDataset()
    index.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    index.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    index.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    index.DirectoryRecordSequence = Sequence(records)
    index.save_as(inside / "DICOMDIR", enforce_file_format=True)
    codes = [s.problem and s.problem[0] for s in discover([inside / "DICOMDIR"])]
    assert codes == [
        Reason.MEDIA_DIRECTORY,
        Reason.CORRUPT,
        Reason.MISSING_FILE,
        Reason.CORRUPT,
    ]


def test_dicomdir_in_a_folder_is_only_an_index(tmp_path):
    (tmp_path / "DICOMDIR").write_bytes(b"whatever")
    assert problems(list(discover([tmp_path]))) == {"DICOMDIR": Reason.MEDIA_DIRECTORY}


def test_spacing_of_the_user_reaches_every_source(tmp_path):
    save(dataset(film()), tmp_path / "a.dcm")
    (source,) = discover([tmp_path], spacing_mm=(0.1, 0.2))
    assert decode(source)[0].spacing.mm == (0.1, 0.2)
