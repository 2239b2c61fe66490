from __future__ import annotations

import os

import pytest

from hoseg.errors import OutputError
from hoseg.files import write_whole, written_whole


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


def test_the_disk_is_asked_only_when_wished(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "fsync", asked.append)
    write_whole(tmp_path / "a", "text")
    assert not asked
    write_whole(tmp_path / "a", "text", flush=True)
    assert len(asked) == 1
