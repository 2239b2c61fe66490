"""Every encoding gives the pixels that were written."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom import uid

from hoseg.errors import InputError

from .build import ENCODERS, compress, dataset, film, read_one

LOSSLESS = (
    uid.JPEGLosslessSV1,
    uid.JPEGLossless,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
)


@pytest.mark.parametrize("syntax", ENCODERS, ids=lambda s: s.name)
def test_compressed_films_come_back(syntax, tmp_path):
    pixels = film()
    ds = compress(dataset(pixels), syntax, ENCODERS[syntax](pixels))
    got = read_one(ds, tmp_path).pixels
    assert got.dtype == np.uint16
    error = np.abs(got.astype(int) - pixels)
    assert error.max() == 0 if syntax in LOSSLESS else error.mean() < 12


def test_rle_and_uncompressed_syntaxes_agree(tmp_path):
    pixels = film()
    rle = dataset(pixels)
    rle.compress(uid.RLELossless, encoding_plugin="pydicom")
    big = dataset(pixels.astype(">u2"))
    big.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    big["PixelData"].VR = "OW"
    implicit = dataset(pixels)
    implicit.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    deflated = dataset(pixels)
    deflated.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    for ds in (rle, big, implicit, deflated):
        got = read_one(ds, tmp_path)
        np.testing.assert_array_equal(got.pixels, pixels)
        assert got.pixels.dtype.isnative


@pytest.mark.parametrize(("stored", "word"), [(8, "RLE segment 0 holds"), (1, "1 segments")])
def test_rle_that_holds_less_than_the_attributes_say_is_refused(tmp_path, stored, word):
    """A codec that fills what it is given would show half a film twice."""
    pixels = film()
    ds = dataset(pixels)
    ds.compress(uid.RLELossless, encoding_plugin="pydicom")
    frame = pydicom.encaps.get_frame(ds.PixelData, 0, number_of_frames=1)
    if stored == 1:
        frame = struct.pack("<I", 1) + frame[4:]
    else:
        half = pixels[: pixels.shape[0] // 2]
        small = dataset(half)
        small.compress(uid.RLELossless, encoding_plugin="pydicom")
        frame = pydicom.encaps.get_frame(small.PixelData, 0, number_of_frames=1)
    ds.PixelData = pydicom.encaps.encapsulate([frame])
    with pytest.raises(InputError, match=word):
        read_one(ds, tmp_path)


@pytest.mark.parametrize("padding", [b" ", b"  ", b"\xff", b"\x7f", bytes(16), b"\x80" * 3])
def test_rle_padding_is_no_run(tmp_path, padding):
    """The segment of a film's low bytes is followed by bytes that mean nothing."""
    pixels = film()
    got = read_one(_rle_with(pixels, padding), tmp_path)
    np.testing.assert_array_equal(got.pixels, pixels)


def test_rle_runs_past_the_last_pixel_end_there(tmp_path):
    pixels = np.full((48, 64), 0x0102, np.uint16)
    run = bytes([257 - 128]) + b"\x02"  # 128 values, 24 of them to fill 3,072 pixels
    whole = bytes([257 - 128]) + b"\x01"
    header = struct.pack("<16I", 2, 64, 64 + 50, *[0] * 13)
    ds = compress(dataset(pixels), uid.RLELossless, header + whole * 25 + run * 25)
    np.testing.assert_array_equal(read_one(ds, tmp_path).pixels, pixels)


def _rle_with(pixels, padding):
    ds = dataset(pixels)
    ds.compress(uid.RLELossless, encoding_plugin="pydicom")
    frame = pydicom.encaps.get_frame(ds.PixelData, 0, number_of_frames=1)
    first, second = struct.unpack_from("<2I", frame, 4)
    header = struct.pack("<16I", 2, first, second + len(padding), *[0] * 13)
    padded = frame[first:second] + padding + frame[second:] + padding
    return compress(ds, uid.RLELossless, header + padded)


def test_jpeg_colour_space_of_the_attributes_wins(tmp_path):
    rgb = np.zeros((32, 32, 3), np.uint8)
    rgb[..., 0] = 200
    frame = imagecodecs.jpeg8_encode(rgb, level=100, colorspace="RGB", outcolorspace="RGB")
    got = read_one(compress(dataset(rgb, 8), uid.JPEGBaseline8Bit, frame), tmp_path).pixels
    assert abs(int(got.mean()) - 60) <= 2  # 0.299 x 200


@pytest.mark.parametrize("syntax", [uid.JPEG2000Lossless, uid.HTJ2KLossless], ids=lambda s: s.name)
def test_signed_and_colour_wavelets(syntax, tmp_path):
    signed = film().astype(np.int16) - 2048
    got = read_one(compress(dataset(signed, 16), syntax, ENCODERS[syntax](signed)), tmp_path)
    np.testing.assert_array_equal(got.pixels, signed)
    grey = film(bits=8).astype(np.uint8)
    colour = np.stack([grey] * 3, axis=-1)
    ds = compress(dataset(colour, 8), syntax, ENCODERS[syntax](colour))
    ds.PhotometricInterpretation = "YBR_RCT"
    np.testing.assert_array_equal(read_one(ds, tmp_path).pixels, grey)
