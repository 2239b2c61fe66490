"""Pictures are read and written under any name, and a failed read is no exception."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from hoseg.errors import OutputError
from hoseg.picture_files import read_pixels, write_pixels

GREY = np.arange(60, dtype=np.uint16).reshape(6, 10) * 1000


@pytest.mark.parametrize("name", [b"plain", "hüfte 髋".encode(), b"h\xfcfte", b"\xff\xfe"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_pixels_come_back_under_any_name(name, suffix, tmp_path):
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    path = folder / (os.fsdecode(name) + suffix)
    write_pixels(path, GREY)
    np.testing.assert_array_equal(read_pixels(path), GREY)
    assert [entry.name for entry in folder.iterdir()] == [path.name]


def test_the_bytes_are_those_of_opencv(tmp_path):
    options = [cv2.IMWRITE_PNG_COMPRESSION, 2]
    cv2.imwrite(str(tmp_path / "theirs.png"), GREY, options)
    write_pixels(tmp_path / "ours.png", GREY, options)
    assert (tmp_path / "ours.png").read_bytes() == (tmp_path / "theirs.png").read_bytes()


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_none(content, tmp_path):
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    assert read_pixels(path) is None


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OutputError, match="nowhere"):
        write_pixels(tmp_path / "nowhere" / "a.png", GREY)
