"""Members of one name, names of any bytes, and the way back from a name to its input."""

from __future__ import annotations

import os
import shutil
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from hoseg.dicom import Source, decode, discover, sop_instance
from hoseg.dicom.archive import source_named
from hoseg.reasons import Reason

from .build import dataset, film, save


def write_zip(path: Path, members: Sequence[tuple[str, bytes]]) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as out:
        warnings.simplefilter("ignore")  # two members of one name: what is tested
        for name, data in members:
            out.writestr(name, data)
    return path


@pytest.fixture
def objects(tmp_path: Path) -> list[bytes]:
    """Three different films."""
    files = [save(dataset(film() // n), tmp_path / f"film{n}") for n in (1, 2, 3)]
    return [path.read_bytes() for path in files]


def test_members_of_one_name_are_all_read(tmp_path, objects):
    archive = write_zip(tmp_path / "t.zip", [("a/x.dcm", data) for data in objects])
    found = list(discover([archive]))
    assert [s.name for s in found] == [f"{archive}!a/x.dcm{k}" for k in ("", "#2", "#3")]
    assert len({s.identity for s in found}) == 3
    assert len({sop_instance(s) for s in found}) == 3
    for n, source in enumerate(found, start=1):
        np.testing.assert_array_equal(decode(source)[0].pixels, film() // n)


def test_the_shown_name_is_never_that_of_another_member(tmp_path, objects):
    names = ["x.dcm", "x.dcm#2", "x.dcm"]
    archive = write_zip(tmp_path / "t.zip", list(zip(names, objects, strict=True)))
    found = list(discover([archive]))
    assert [s.name.rpartition("!")[2] for s in found] == ["x.dcm", "x.dcm#2", "x.dcm##2"]
    for source in found:
        back = source_named(source.name)
        assert (back.member, back.occurrence) == (source.member, source.occurrence)


NAMES = [
    b"film.dcm",
    "hüfte 髋.dcm".encode(),
    b"h\xfcfte.dcm",
    b"back\\slash.dcm",
    rb"like\xe4spelling.dcm",
    b"bang!.dcm",
    b'line\nbreak, "quote".dcm',
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_any_bytes_is_text_and_leads_back(name, tmp_path, objects):
    folder = tmp_path / os.fsdecode(b"folder\xff")
    folder.mkdir()
    path = folder / os.fsdecode(name)
    path.write_bytes(objects[0])
    archive = write_zip(folder / os.fsdecode(b"z\xe4.zip"), [("in/a.dcm", objects[1])] * 2)
    found = list(discover([folder]))
    assert len(found) == 3
    for source in found:
        source.name.encode()
        source.identity.encode()
        assert source.problem is None
        back = source_named(source.name)
        assert back.path in (path, archive)
        np.testing.assert_array_equal(decode(back)[0].pixels, decode(source)[0].pixels)


def test_problems_of_such_names_have_rows_too(tmp_path):
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    (folder / os.fsdecode(b"b\xe4.zip")).write_bytes(b"PK\x03\x04 broken")
    (folder / os.fsdecode(b"._x\xe4")).write_bytes(b"\0\5\x16\7")
    missing = folder / os.fsdecode(b"gone\xe4")
    rows = {s.name.rpartition("/")[2]: s.problem[0] for s in discover([folder, missing])}
    assert rows == {
        r"b\xe4.zip": Reason.BAD_ARCHIVE,
        r"._x\xe4": Reason.SYSTEM_FILE,
        r"gone\xe4": Reason.NOT_FOUND,
    }


def test_what_has_gone_leads_nowhere(tmp_path, objects):
    archive = write_zip(tmp_path / "t.zip", [("x.dcm", objects[0])])
    for name in ("t.zip!y.dcm", "t.zip!x.dcm#2", "other.zip!x.dcm", "x.dcm", "t.zip!#2", "!"):
        assert source_named(str(tmp_path / name)) is None
    shutil.move(archive, tmp_path / "moved.zip")
    assert source_named(f"{archive}!x.dcm") is None
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04")
    assert source_named(str(tmp_path / "broken.zip!x.dcm")) is None


def test_a_named_member_keeps_the_limits_of_archives(tmp_path):
    archive = write_zip(tmp_path / "t.zip", [("../evil.dcm", b"x")])
    back = source_named(f"{archive}!../evil.dcm")
    assert back.problem[0] == Reason.UNSAFE_ARCHIVE


def test_a_member_that_is_not_there_cannot_be_read(tmp_path, objects):
    archive = write_zip(tmp_path / "t.zip", [("x.dcm", objects[0])])
    again = Source(archive, "x", "x.dcm", occurrence=1)
    assert again.head(10) == b""
    assert sop_instance(again) is None
