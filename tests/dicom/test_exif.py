"""EXIF and TIFF orientation, against Pillow's own transposition."""

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from hoseg.dicom import load
from hoseg.dicom.exif import as_shown, orientation_of

STORED = (np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) % 251).astype(np.uint8)


def picture(path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(STORED).save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_picture_is_read_as_it_is_shown(tmp_path, suffix, orientation):
    path = picture(tmp_path / f"film{suffix}", orientation)
    with Image.open(path) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    (film,) = load(path)
    np.testing.assert_array_equal(film.pixels, expected)
    assert (orientation > 1) == ("exif_applied" in {note.code for note in film.notes})


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_read_as_it_is_shown(tmp_path, orientation):
    with Image.open(picture(tmp_path / "film.png", orientation)) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    tifffile.imwrite(tmp_path / "film.tif", STORED, extratags=[(274, "H", 1, orientation, True)])
    (film,) = load(tmp_path / "film.tif")
    np.testing.assert_array_equal(film.pixels, expected)


def test_a_tiff_that_pillow_cannot_read_is_turned_too(tmp_path):
    path = tmp_path / "deep.tif"
    deep = STORED.astype(np.uint32) * 10_000_000
    tifffile.imwrite(path, deep, extratags=[(274, "H", 1, 6, True)])
    (film,) = load(path)
    assert film.shape == (64, 48)
    order = np.argsort(film.pixels, axis=None, kind="stable")
    expected = np.argsort(np.rot90(STORED, -1), axis=None, kind="stable")
    np.testing.assert_array_equal(order, expected)
    assert orientation_of(path.read_bytes()) == 6


@pytest.mark.parametrize("value", [0, 9, 77])
def test_values_that_mean_nothing_turn_nothing(tmp_path, value):
    path = picture(tmp_path / "film.png", value)
    assert orientation_of(path.read_bytes()) == 1
    np.testing.assert_array_equal(as_shown(STORED, value), STORED)


@pytest.mark.parametrize("data", [b"", b"II*\0", b"\xff\xd8\xff\xe1\x00\x10Exif\0\0II*\0", b"MM"])
def test_a_damaged_header_says_nothing(data):
    assert orientation_of(data) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_that_pillow_cannot_read_is_turned_too(tmp_path, orientation):
    wide = STORED.astype(np.uint16) * 16
    plain = bytes(imagecodecs.jpeg8_encode(wide, lossless=True, bitspersample=12))
    exif = Image.Exif()
    exif[274] = orientation
    body = exif.tobytes()
    segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body
    (tmp_path / "film.jpg").write_bytes(plain[:2] + segment + plain[2:])
    (film,) = load(tmp_path / "film.jpg")
    np.testing.assert_array_equal(film.pixels, as_shown(wide, orientation))
