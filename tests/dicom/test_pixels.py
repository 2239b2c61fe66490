"""Stored bits, colours and frames of decoded pixels."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from pydicom import uid

from hoseg.errors import InputError

from .build import ENCODERS, codes, compress, dataset, film, read, read_one, save


def test_overlay_in_unused_bits_is_cut_off(tmp_path):
    pixels = film()
    burned = pixels.copy()
    burned[5:9, 7:20] |= 1 << 14
    got = read_one(dataset(burned), tmp_path)
    np.testing.assert_array_equal(got.pixels, pixels)
    assert "unused_bits_removed" in codes(got)


def test_lossy_overshoot_is_clipped_not_wrapped(tmp_path):
    pixels = np.full((48, 64), 1000, np.uint16)
    pixels[:, 32:] = 1100  # the codestream knows 12 bits, the attributes state 10
    frame = imagecodecs.jpeg8_encode(pixels, level=100, bitspersample=12)
    got = read_one(compress(dataset(pixels, 10), uid.JPEGExtended12Bit, frame), tmp_path).pixels
    assert got.max() == 1023
    assert got[:, 40:].min() == 1023


def test_high_bit_not_at_the_end_is_shifted_down(tmp_path):
    pixels = film()
    got = read_one(dataset(pixels << 4, HighBit=15), tmp_path).pixels
    np.testing.assert_array_equal(got, pixels)


def test_rgb_is_reduced_and_colour_is_said(tmp_path):
    grey = film(bits=8).astype(np.uint8)
    got = read_one(dataset(np.stack([grey] * 3, axis=-1), 8), tmp_path)
    np.testing.assert_array_equal(got.pixels, grey)
    assert "colour_reduced" in codes(got)
    colour = np.stack([grey, 255 - grey, grey // 2], axis=-1)
    assert "colour_picture" in codes(read_one(dataset(colour, 8), tmp_path))


def test_frames_are_decoded_in_order(tmp_path):
    frames = [film() // n for n in (1, 2, 3)]
    ds = dataset(np.stack(frames))
    ds.Rows, ds.Columns = frames[0].shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    del ds.PlanarConfiguration
    ds.NumberOfFrames = 3
    encode = ENCODERS[uid.JPEGLSLossless]
    for variant in (ds, None):
        ds = variant or compress(ds, uid.JPEGLSLossless, *(encode(f) for f in frames))
        got = read(save(ds, tmp_path / "many.dcm"))
        assert [r.attributes.frame for r in got] == [0, 1, 2]
        for radiograph, frame in zip(got, frames, strict=True):
            np.testing.assert_array_equal(radiograph.pixels, frame)


def test_codestream_larger_than_claimed_is_refused_before_decoding(tmp_path):
    for syntax in (uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless):
        frame = ENCODERS[syntax](film(96, 128))
        with pytest.raises(InputError, match="96 x 128"):
            read_one(compress(dataset(film()), syntax, frame), tmp_path)
