from __future__ import annotations

import os

import pytest

from hoseg.errors import OutputError
from hoseg.files import guarded, make_folder, unguarded, write_csv, write_whole, written_whole


def test_text_and_bytes_arrive_as_they_are(tmp_path):
    write_whole(tmp_path / "a.txt", "ä\n", flush=True)
    write_whole(tmp_path / "b.bin", b"\x00\r\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa4\n"
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\r\n"
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.bin"]


def test_an_error_on_the_way_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(ValueError), written_whole(path) as part:  # noqa: PT012
        part.write_text("half")
        raise ValueError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_what_cannot_be_written_is_one_sentence_with_a_remedy(tmp_path):
    with pytest.raises(OutputError, match=r"nowhere.*No such file.*choose another --out"):
        write_whole(tmp_path / "nowhere" / "x", "text")


def test_a_folder_is_made_with_those_above_it_or_refused_in_one_sentence(tmp_path):
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/c: cannot be made: Not a directory"):
        make_folder(tmp_path / "file" / "c")


def test_the_disk_is_asked_only_when_wished(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "fsync", asked.append)
    write_whole(tmp_path / "a", "text")
    assert not asked
    write_whole(tmp_path / "a", "text", flush=True)
    assert len(asked) == 1


@pytest.mark.parametrize("text", ["=1+1", "+49 30", "-2", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_spreadsheet_runs_a_cell(tmp_path, text):
    assert guarded(text) == f"'{text}"
    assert unguarded(guarded(text)) == text


def test_plain_cells_stay_as_they_are(tmp_path):
    for text in ("", "1.2.840", "O'Brien", "'quoted'", "a=b"):
        assert guarded(text) == unguarded(text) == text
    write_csv(tmp_path / "a.csv", ("name", "mm"), [("M\u00fcller, A", -2.5), ("two\nlines", None)])
    written = (tmp_path / "a.csv").read_bytes()
    assert written == 'name,mm\n"M\u00fcller, A",-2.5\n"two\nlines",\n'.encode()
