"""What is cut off is refused; what only lacks an end mark, or has bytes behind it, is read."""

from __future__ import annotations

import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom import uid
from pydicom.uid import UID

from hoseg.dicom.codestream import Truncated
from hoseg.dicom.endings import END_OF_IMAGE, jpeg_end, tiles_end
from hoseg.errors import InputError
from hoseg.reasons import Reason

from .build import ENCODERS, codes, compress, dataset, film, read_one

MARKED = [syntax for syntax in ENCODERS if syntax != uid.RLELossless]
SHARES = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97)


def bright(rows: int = 96, columns: int = 128) -> np.ndarray:
    """A film whose lower part cannot be taken for a decoder's filling."""
    return (film(rows, columns) // 2 + 1000).astype(np.uint16)


def reason(syntax: UID, frame: bytes, pixels: np.ndarray, folder) -> str:
    with pytest.raises(InputError) as caught:
        read_one(compress(dataset(pixels), syntax, frame), folder)
    return caught.value.code


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("syntax", MARKED, ids=lambda s: s.name)
def test_a_stream_that_is_cut_off_is_truncated(syntax, share, tmp_path):
    pixels = bright()
    frame = bytes(ENCODERS[syntax](pixels))
    cut = frame[: int(share * len(frame))]
    assert reason(syntax, cut, pixels, tmp_path) == Reason.TRUNCATED


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("syntax", MARKED, ids=lambda s: s.name)
def test_an_end_mark_behind_half_a_film_does_not_hide_that(syntax, share, tmp_path):
    pixels = bright()
    frame = bytes(ENCODERS[syntax](pixels))
    closed = frame[: int(share * len(frame))].rstrip(b"\xff") + END_OF_IMAGE
    assert reason(syntax, closed, pixels, tmp_path) in (Reason.TRUNCATED, Reason.CORRUPT)


@pytest.mark.parametrize("syntax", MARKED, ids=lambda s: s.name)
def test_only_the_end_mark_is_missing(syntax, tmp_path):
    pixels = bright()
    frame = bytes(ENCODERS[syntax](pixels))
    assert frame.endswith(END_OF_IMAGE)
    whole = read_one(compress(dataset(pixels), syntax, frame), tmp_path)
    got = read_one(compress(dataset(pixels), syntax, frame[:-2]), tmp_path)
    np.testing.assert_array_equal(got.pixels, whole.pixels)
    assert codes(got) - codes(whole) == {"no_end_marker"}


@pytest.mark.parametrize("padding", [b"\0", b"\0" * 16, b"\xff" * 4, b" " * 3])
@pytest.mark.parametrize("syntax", MARKED, ids=lambda s: s.name)
def test_bytes_behind_the_end_mark_are_padding(syntax, padding, tmp_path):
    pixels = bright()
    frame = bytes(ENCODERS[syntax](pixels))
    whole = read_one(compress(dataset(pixels), syntax, frame), tmp_path)
    got = read_one(compress(dataset(pixels), syntax, frame + padding), tmp_path)
    np.testing.assert_array_equal(got.pixels, whole.pixels)
    assert codes(got) == codes(whole)


def test_a_film_that_ends_in_middle_grey_is_whole(tmp_path):
    """libjpeg fills what is missing with middle grey; a film may end in it by itself."""
    pixels = bright()
    pixels[-40:] = 2048
    for syntax in (uid.JPEGExtended12Bit, uid.JPEGLosslessSV1):
        frame = bytes(ENCODERS[syntax](pixels))
        got = read_one(compress(dataset(pixels), syntax, frame), tmp_path)
        assert np.abs(got.pixels[-30:].astype(int) - 2048).max() <= 1


def test_restart_markers_are_counted(tmp_path):
    """48 x 64 pixels, an interval of 8 blocks = a row of them: 5 restarts between 6 rows."""
    pixels = film(48, 64, 8).astype(np.uint8)
    frame = _with_restarts(pixels)
    end = jpeg_end(frame)
    assert (end.interval, end.restarts, end.marked) == (8, 5, True)
    ds = dataset(pixels, 8)
    read_one(compress(ds, uid.JPEGBaseline8Bit, frame), tmp_path)
    at = frame.rfind(b"\xff\xd3")
    lost = frame[: frame.rfind(b"\xff\xd2")] + frame[at:]
    assert reason(uid.JPEGBaseline8Bit, lost, pixels, tmp_path) == Reason.TRUNCATED


def _with_restarts(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=90, restart_marker_rows=1)
    return stream.getvalue()


def tiled(length_of_last: int | None = None) -> bytes:
    """Four tiles of 8 x 8, made of markers alone: SOC, SIZ, then SOT and SOD of each tile."""
    sizes = struct.pack(">8I", 16, 16, 0, 0, 8, 8, 0, 0)
    header = b"\xff\x4f\xff\x51" + struct.pack(">HH", 41, 0) + sizes + b"\0\1\x0b\1\1"
    parts = []
    for tile in range(4):
        length = 24 if tile < 3 or length_of_last is None else length_of_last
        parts.append(b"\xff\x90" + struct.pack(">HHIBB", 10, tile, length, 0, 1) + b"\xff\x93" * 6)
    return header + b"".join(parts)


def test_tiles_are_counted():
    whole = tiled()
    end = len(whole)
    assert end == 2 + 2 + 41 + 4 * 24
    for stream, marked in (
        (whole + END_OF_IMAGE, True),
        (whole + END_OF_IMAGE + b"\0" * 9, True),
        (whole, False),
        (tiled(0) + END_OF_IMAGE + b"\0", True),
        (tiled(0), False),
    ):
        assert tiles_end(stream) == (end, marked)
    for end in (-24, -30, -1):
        with pytest.raises(Truncated):
            tiles_end(tiled()[:end])
        with pytest.raises(Truncated):
            tiles_end(tiled()[:-24] + END_OF_IMAGE)


def test_a_missing_tile_is_missed(tmp_path):
    """OpenJPEG itself leaves a missing tile black and says nothing."""
    pixels = bright()
    stream = io.BytesIO()
    options = {"tile_size": (64, 64), "no_jp2": True, "irreversible": False}
    Image.fromarray(pixels).save(stream, "JPEG2000", **options)
    frame = stream.getvalue()
    last = frame.rfind(b"\xff\x90\x00\x0a")
    closed = frame[:last] + END_OF_IMAGE
    assert imagecodecs.jpeg2k_decode(closed).shape == pixels.shape
    assert reason(uid.JPEG2000Lossless, closed, pixels, tmp_path) == Reason.TRUNCATED
