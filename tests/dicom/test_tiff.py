"""TIFF variants: what was written is what is read, or it is refused with a reason."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from hoseg.dicom.exif import as_shown
from hoseg.errors import InputError
from hoseg.reasons import Reason

from .build import codes, film, read


def one(path):
    (radiograph,) = read(path)
    return radiograph


def write(folder, pixels, **options):
    path = folder / "film.tif"
    tifffile.imwrite(path, pixels, **{"photometric": "minisblack"} | options)
    return path


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits", "zstd"])
@pytest.mark.parametrize("layout", [{}, {"tile": (32, 32)}, {"rowsperstrip": 7}])
def test_containers(tmp_path, byteorder, bigtiff, compression, layout):
    path = write(
        tmp_path, film(), bigtiff=bigtiff, byteorder=byteorder, compression=compression, **layout
    )
    np.testing.assert_array_equal(one(path).pixels, film())


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_bits(tmp_path, bits):
    pixels = film(bits=bits)
    path = tmp_path / "film.tif"
    _write_packed(path, pixels, bits)
    got = one(path).pixels
    assert got.dtype == np.uint16
    np.testing.assert_array_equal(got, pixels)


def _write_packed(path, pixels, bits):
    """Rows of ``bits`` bits each, most significant first, padded to whole bytes (TIFF 6.0)."""
    bytes_of = pixels.astype(">u2")[..., None].view(np.uint8)
    every = np.unpackbits(bytes_of, axis=2)[:, :, 16 - bits :].reshape(len(pixels), -1)
    data = np.packbits(every, axis=1).tobytes()
    tags = [
        (256, 4, pixels.shape[1]),
        (257, 4, pixels.shape[0]),
        (258, 3, bits),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, pixels.shape[0]),
        (279, 4, len(data)),
    ]
    directory = len(tags).to_bytes(2, "little")
    for tag, kind, value in tags:
        directory += struct.pack("<HHII", tag, kind, 1, value)
    header = b"II*\0" + struct.pack("<I", 8 + len(data))
    path.write_bytes(header + data + directory + bytes(4))


@pytest.mark.parametrize(
    ("dtype", "read_as"),
    [
        ("u1", "u1"), ("u2", "u2"), ("i2", "i2"), ("f4", "f4"),
        ("f2", "f4"), ("f8", "f4"), ("i1", "i2"), ("u4", "u2"), ("i4", "u2"),
    ],
)  # fmt: skip
def test_sample_types(tmp_path, dtype, read_as):
    pixels = film(bits=7).astype(dtype)
    if dtype in ("i1", "i2"):
        pixels -= 100
    got = one(write(tmp_path, pixels)).pixels
    assert got.dtype == np.dtype(read_as)
    np.testing.assert_array_equal(got, pixels)


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("u4", 0, 2**32 - 1), ("i4", -(2**31), 2**31 - 1)]
)
def test_wide_integers_keep_their_order(tmp_path, dtype, low, high):
    pixels = np.linspace(low, high, 48 * 64).reshape(48, 64).astype(dtype)
    got = one(write(tmp_path, pixels)).pixels
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, pixels.astype(np.float64), rtol=1e-6)
    assert (np.diff(got.ravel()) > 0).all()


def test_twelve_bits_with_a_predictor(tmp_path):
    pixels = film()
    got = one(write(tmp_path, pixels, compression="lzw", predictor=True)).pixels
    np.testing.assert_array_equal(got, pixels)
    floats = (pixels / 7).astype(np.float32)
    got = one(write(tmp_path, floats, compression="zlib", predictor=3)).pixels
    np.testing.assert_array_equal(got, floats)


@pytest.mark.parametrize("alpha", ["unassalpha", "assocalpha", "unspecified"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_alpha_is_left_out(tmp_path, alpha, dtype, planar):
    grey = film(bits=8).astype(dtype)
    opaque = np.full_like(grey, np.iinfo(dtype).max)
    stack = np.stack([grey, opaque], 0 if planar == "separate" else -1)
    path = write(tmp_path, stack, extrasamples=[alpha], planarconfig=planar)
    np.testing.assert_array_equal(one(path).pixels, grey)
    colour = np.stack([grey] * 3 + [opaque], 0 if planar == "separate" else -1)
    path = write(tmp_path, colour, photometric="rgb", extrasamples=[alpha], planarconfig=planar)
    got = one(path)
    np.testing.assert_array_equal(got.pixels, grey)
    assert "colour_reduced" in codes(got)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_where_zero_is_white_black_becomes_low(tmp_path, dtype):
    pixels = film(bits=8).astype(dtype)
    got = one(write(tmp_path, pixels, photometric="miniswhite")).pixels
    top = {"u1": 255, "u2": 65535, "f4": 0}[dtype]
    np.testing.assert_array_equal(got, top - pixels.astype(float))


def test_bilevel(tmp_path):
    pixels = film(bits=8) > 100
    np.testing.assert_array_equal(one(write(tmp_path, pixels)).pixels, pixels * 255)


@pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr", "LAB"])
def test_other_colour_spaces_go_to_pillow(tmp_path, mode):
    grey = film(bits=8).astype(np.uint8)
    picture = Image.merge("RGB", [Image.fromarray(grey)] * 3)
    if mode == "LAB":
        zero = np.full_like(grey, 0)
        picture = Image.fromarray(np.stack([grey, zero, zero], -1), "LAB")
    elif mode == "P":
        picture = picture.quantize(256)
    else:
        picture = picture.convert(mode)
    picture.save(tmp_path / "film.tif")
    got = one(tmp_path / "film.tif").pixels
    assert np.corrcoef(got.ravel(), grey.ravel())[0, 1] > 0.99


def test_the_largest_page_is_the_film(tmp_path):
    path = tmp_path / "film.tif"
    with tifffile.TiffWriter(path) as out:
        out.write(film(12, 16), photometric="minisblack", subfiletype=1)
        out.write(film(), photometric="minisblack")
        out.write(film(24, 32), photometric="minisblack")
    got = one(path)
    np.testing.assert_array_equal(got.pixels, film())
    (note,) = [note for note in got.notes if note.code == "pages_left_out"]
    assert "number 2, the largest, of 3" in note.text


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_as_pillow_applies_it(tmp_path, orientation):
    pixels = film(bits=8).astype(np.uint8)
    path = write(tmp_path, pixels, extratags=[(274, 3, 1, orientation, True)])
    picture = Image.fromarray(pixels)
    picture.getexif()[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(one(path).pixels, expected)
    np.testing.assert_array_equal(as_shown(pixels, orientation), expected)


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_tiff_that_was_cut_off_is_refused(tmp_path, compression, share):
    """The directory stands before the pixels, as cameras and scanners write it."""
    path = write(tmp_path, film(), compression=compression, rowsperstrip=8)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.code == Reason.CORRUPT


def test_claims_are_checked_before_anything_is_allocated(tmp_path):
    path = write(tmp_path, film())
    for limits in ({"frame_pixels": 100}, {"decoded_bytes": 100}):
        with pytest.raises(InputError) as caught:
            read(path, **limits)
        assert caught.value.code == Reason.TOO_LARGE


def test_complex_numbers_are_no_film(tmp_path):
    path = write(tmp_path, film().astype(np.complex64))
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.code == Reason.CORRUPT


def test_all_black_metadata_of_other_programs(tmp_path):
    """ImageJ's and OME's descriptions change nothing about the pixels."""
    for options in ({"imagej": True}, {"ome": True}):
        stream = io.BytesIO()
        tifffile.imwrite(stream, film(), **options)
        (tmp_path / "film.tif").write_bytes(stream.getvalue())
        np.testing.assert_array_equal(one(tmp_path / "film.tif").pixels, film())
