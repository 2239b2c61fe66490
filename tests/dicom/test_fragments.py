"""Pixel data whose container or transfer syntax is not what it should be."""

from __future__ import annotations

import struct

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from hoseg.errors import InputError
from hoseg.reasons import Reason

from .build import ENCODERS, codes, compress, dataset, film, read, read_one, save

DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"
SYNTAX = uid.JPEGLosslessSV1


def compressed(pixels: np.ndarray | None = None, syntax: uid.UID = SYNTAX) -> Dataset:
    pixels = film() if pixels is None else pixels
    return compress(dataset(pixels), syntax, bytes(ENCODERS[syntax](pixels)))


@pytest.mark.parametrize(
    "end",
    [b"", bytes(8), bytes(64), b"\xfc\xff\xfc\xffOB\0\0\x04\0\0\0\0\0\0\0", b"\xfe\xff\xdd"],
    ids=["nothing", "zeros", "many zeros", "the next element", "half of it"],
)
@pytest.mark.parametrize("implicit", [False, True])
def test_nothing_delimits_the_pixel_data(end, implicit, tmp_path):
    path = save(compressed(), tmp_path / "film.dcm")
    data = path.read_bytes()
    assert data.endswith(DELIMITER)
    data = data[: -len(DELIMITER)] + end
    if implicit:  # illegal for compressed data, and met without file meta
        data = _implicit(data, end)
    path.write_bytes(data)
    np.testing.assert_array_equal(read(path)[0].pixels, film())


def _implicit(data: bytes, end: bytes) -> bytes:
    import io

    ds = dataset(film())
    del ds.PixelData
    stream = pydicom.filebase.DicomIO(io.BytesIO())
    stream.is_implicit_VR, stream.is_little_endian = True, True
    pydicom.filewriter.write_dataset(stream, ds)
    items = data[data.rindex(b"\xe0\x7f\x10\0OB") + 12 :]
    return stream.parent.getvalue() + b"\xe0\x7f\x10\0\xff\xff\xff\xff" + items


def test_an_icon_is_not_taken_for_the_film_whose_pixel_data_has_no_end(tmp_path):
    ds = compressed()
    icon = compressed(film(16, 16))
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "Modality"):
        delattr(icon, keyword)
    ds.IconImageSequence = Sequence([icon])
    path = save(ds, tmp_path / "film.dcm")
    path.write_bytes(path.read_bytes()[: -len(DELIMITER)])
    np.testing.assert_array_equal(read(path)[0].pixels, film())


@pytest.mark.parametrize("share", [0.3, 0.8, 0.98])
def test_a_file_that_was_cut_off_is_truncated(share, tmp_path):
    path = save(compressed(), tmp_path / "film.dcm")
    data = path.read_bytes()
    start = data.rindex(b"\xe0\x7f\x10\0")
    path.write_bytes(data[: start + int(share * (len(data) - start))])
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.code == Reason.TRUNCATED


@pytest.mark.parametrize(
    "syntax", [SYNTAX, uid.JPEG2000Lossless, uid.RLELossless, uid.JPEGBaseline8Bit]
)
def test_uncompressed_pixels_under_a_compressed_syntax(syntax, tmp_path):
    ds = dataset(film())
    path = save(ds, tmp_path / "film.dcm")
    ds = pydicom.dcmread(path)
    ds.file_meta.TransferSyntaxUID = syntax
    with path.open("wb") as stream:  # pydicom itself refuses to write such a file
        stream.write(bytes(128) + b"DICM")
        pydicom.filewriter.write_file_meta_info(stream, ds.file_meta)
        out = pydicom.filebase.DicomIO(stream)
        out.is_implicit_VR, out.is_little_endian = False, True
        pydicom.filewriter.write_dataset(out, ds)
    (got,) = read(path)
    np.testing.assert_array_equal(got.pixels, film())
    assert "transfer_syntax_contradicts" in codes(got)


def test_uncompressed_pixels_in_a_fragment(tmp_path):
    ds = compress(dataset(film()), uid.JPEGLSLossless, film().tobytes())
    got = read_one(ds, tmp_path)
    np.testing.assert_array_equal(got.pixels, film())
    assert "transfer_syntax_contradicts" in codes(got)


LOSSLESS = (SYNTAX, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.HTJ2KLossless, uid.RLELossless)


@pytest.mark.parametrize("stated", [*LOSSLESS, uid.JPEGBaseline8Bit], ids=lambda s: s.name)
@pytest.mark.parametrize("real", LOSSLESS, ids=lambda s: s.name)
def test_a_stream_is_read_as_what_it_is(real, stated, tmp_path):
    pixels = film()
    ds = dataset(pixels)
    if real == uid.RLELossless:
        ds.compress(uid.RLELossless, encoding_plugin="pydicom")
    else:
        compress(ds, real, bytes(ENCODERS[real](pixels)))
    ds.file_meta.TransferSyntaxUID = stated
    got = read_one(ds, tmp_path)
    np.testing.assert_array_equal(got.pixels, pixels)
    same = {real, stated} <= {uid.JPEG2000Lossless, uid.HTJ2KLossless} or real == stated
    assert ("transfer_syntax_contradicts" in codes(got)) is not same


def test_a_codestream_without_items(tmp_path):
    ds = dataset(film())
    ds.PixelData = bytes(ENCODERS[SYNTAX](film()))
    path = save(ds, tmp_path / "film.dcm")
    data = path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.70", 1)
    at = data.index(b"\2\0\x10\0UI")
    data = data[: at + 6] + struct.pack("<H", 22) + data[at + 8 :]
    path.write_bytes(data)
    np.testing.assert_array_equal(read(path)[0].pixels, film())


def test_a_private_transfer_syntax_is_read_by_its_codestream(tmp_path):
    path = save(compressed(), tmp_path / "film.dcm")
    data = path.read_bytes().replace(b"1.2.840.10008.1.2.4.70", b"1.2.840.99999.1.2.4.70", 1)
    path.write_bytes(data)
    (got,) = read(path)
    np.testing.assert_array_equal(got.pixels, film())
    assert "transfer_syntax_contradicts" in codes(got)


@pytest.mark.parametrize("stated", ["0", "-1", "", "one"])
def test_a_number_of_frames_that_is_none_is_one(stated, tmp_path):
    path = save(dataset(film(), NumberOfFrames=7), tmp_path / "film.dcm")
    data = path.read_bytes()
    old = b"\x28\0\x08\0IS\x02\0" + b"7 "
    assert old in data
    text = stated.encode() + b" " * (len(stated) % 2)
    new = b"\x28\0\x08\0IS" + struct.pack("<H", len(text)) + text
    path.write_bytes(data.replace(old, new))
    (got,) = read(path)
    np.testing.assert_array_equal(got.pixels, film())
    assert "frames_assumed" in codes(got)


def test_fewer_or_more_frames_than_stated_are_said(tmp_path):
    frames = [film() // n for n in (1, 2, 3)]
    coded = [bytes(ENCODERS[SYNTAX](f)) for f in frames]
    for stated, held, expected in ((3, 1, 1), (2, 3, 2), (3, 3, 3)):
        ds = compress(dataset(film(), NumberOfFrames=stated), SYNTAX, *coded[:held])
        got = read(save(ds, tmp_path / "film.dcm"))
        assert len(got) == expected
        for radiograph, pixels in zip(got, frames, strict=False):
            np.testing.assert_array_equal(radiograph.pixels, pixels)
            assert ("frames_contradict" in codes(radiograph)) is (stated != held)


@pytest.mark.parametrize("stated", [1, 2, 3, 4])
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_a_frame_in_fragments_is_one_frame_whatever_is_stated(parts, stated, tmp_path):
    frame = bytes(ENCODERS[SYNTAX](film()))
    size = len(frame) // parts // 2 * 2
    pieces = [frame[i * size : (i + 1) * size] for i in range(parts - 1)]
    pieces.append(frame[(parts - 1) * size :])
    ds = compress(dataset(film(), NumberOfFrames=stated), SYNTAX, *pieces)
    ds.PixelData = pydicom.encaps.encapsulate(pieces, has_bot=False)
    got = read_one(ds, tmp_path)
    np.testing.assert_array_equal(got.pixels, film())
    assert ("frames_contradict" in codes(got)) is (stated != 1)


def test_photometric_interpretation_in_lower_case_or_absent(tmp_path):
    for stated, inverted, note in (("monochrome1", True, False), ("GREY", False, True)):
        got = read_one(dataset(film(), PhotometricInterpretation=stated), tmp_path)
        np.testing.assert_array_equal(got.pixels, film())
        assert got.display.inverted is inverted
        assert ("photometric_assumed" in codes(got)) is note
    ds = dataset(film())
    del ds.PhotometricInterpretation
    assert "photometric_assumed" in codes(read_one(ds, tmp_path))
