"""Stored bits, colours and frames of decoded pixels."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from pydicom import uid

from hoseg.errors import InputError

from .build import ENCODERS, EXACT, codes, compress, dataset, film, read, read_one, save


def test_overlay_in_unused_bits_is_cut_off(tmp_path):
    pixels = film()
    burned = pixels.copy()
    burned[5:9, 7:20] |= 1 << 14
    got = read_one(dataset(burned), tmp_path)
    np.testing.assert_array_equal(got.pixels, pixels)
    assert "unused_bits_removed" in codes(got)


@pytest.mark.parametrize("syntax", EXACT, ids=lambda s: s.name)
@pytest.mark.parametrize("attributes", [{"BitsStored": 10, "HighBit": 9}, {"HighBit": 15}])
def test_the_precision_of_the_codestream_decides(syntax, attributes, tmp_path):
    """12 bits in the codestream; pydicom and GDCM keep them whatever the attributes say."""
    pixels = np.full((48, 64), 1000, np.uint16)
    pixels[:, 32:] = 4000
    ds = compress(dataset(pixels, **attributes), syntax, EXACT[syntax](pixels, 12))
    got = read_one(ds, tmp_path)
    assert np.abs(got.pixels[:, :24].astype(int) - 1000).max() <= 2
    assert np.abs(got.pixels[:, 40:].astype(int) - 4000).max() <= 2
    assert "precision_contradicts" in codes(got)


def test_a_little_overshoot_of_a_lossy_codec_is_clipped(tmp_path):
    """A film of 10 bits in a codestream of 12: 1024 is a 1023 that was rounded up (WG04's RG3)."""
    pixels = np.full((48, 64), 1000, np.uint16)
    pixels[:, 32:] = 1030
    for syntax, clipped in ((uid.JPEGExtended12Bit, True), (uid.JPEGLosslessSV1, False)):
        ds = compress(dataset(pixels, 10), syntax, EXACT[syntax](pixels, 12))
        got = read_one(ds, tmp_path)
        assert int(got.pixels.max()) == (1023 if clipped else 1030)
        assert ("precision_contradicts" in codes(got)) is not clipped


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("syntax", EXACT, ids=lambda s: s.name)
def test_signed_samples_that_a_codec_carries_as_unsigned(syntax, bits, tmp_path):
    """Two's complement of 12 bits, in a codestream of 12 bits and of 16, lossless and lossy."""
    if (syntax, bits) == (uid.JPEGExtended12Bit, 16):
        pytest.skip("JPEG Extended has 12 bits at most")
    pixels = np.full((48, 64), 900, np.int16)
    pixels[:, 32:] = -700
    carried = (pixels.view(np.uint16) & ((1 << bits) - 1)).astype(np.uint16)
    ds = compress(dataset(pixels), syntax, EXACT[syntax](carried, bits))
    got = read_one(ds, tmp_path).pixels
    assert np.issubdtype(got.dtype, np.signedinteger)
    assert np.abs(got[:, :24].astype(int) - 900).max() <= 8  # a lossy edge of 64,000 rings
    assert np.abs(got[:, 40:].astype(int) + 700).max() <= 8


def test_signed_samples_whose_unused_bits_were_left_empty(tmp_path):
    """16 bits coded, 12 stored, nothing above them: bit 11 is the sign all the same."""
    pixels = np.array([[-2048, -1, 0, 2047]] * 8, np.int16)
    carried = pixels.view(np.uint16) & 0x0FFF
    for syntax in (uid.JPEGLSLossless, uid.JPEGLosslessSV1, uid.JPEG2000Lossless):
        ds = compress(dataset(pixels), syntax, EXACT[syntax](carried, 16))
        np.testing.assert_array_equal(read_one(ds, tmp_path).pixels, pixels)


def test_a_signed_codestream_of_unsigned_pixels(tmp_path):
    """JPEG 2000 knows a sign; where Pixel Representation says unsigned, the bits are kept."""
    pixels = film()
    shifted = (pixels.astype(np.int16) << 4 >> 4).astype(np.int16)
    frame = imagecodecs.jpeg2k_encode(
        shifted, level=0, codecformat="j2k", reversible=True, bitspersample=12
    )
    got = read_one(compress(dataset(pixels), uid.JPEG2000Lossless, bytes(frame)), tmp_path)
    np.testing.assert_array_equal(got.pixels, pixels)


def test_a_declared_overlay_within_a_codestream_is_cut_off(tmp_path):
    pixels = film()
    burned = pixels.copy()
    burned[5:9, 7:20] |= 1 << 12
    for declared in (True, False):
        ds = dataset(pixels)
        if declared:
            ds.add_new(0x60000100, "US", 16)
            ds.add_new(0x60000102, "US", 12)
        frame = EXACT[uid.JPEGLosslessSV1](burned, 16)
        got = read_one(compress(ds, uid.JPEGLosslessSV1, frame), tmp_path)
        np.testing.assert_array_equal(got.pixels, pixels if declared else burned)
        expected = "unused_bits_removed" if declared else "precision_contradicts"
        assert expected in codes(got)


def test_saturated_metal_does_not_wrap_round_in_lossy_htj2k(tmp_path):
    """An irreversible wavelet overshoots at metal; OpenJPEG is the oracle, PS3.5 the reason."""
    for dtype, top in ((np.uint8, 255), (np.uint16, 65535)):
        pixels = np.full((96, 96), top // 4, dtype)
        pixels[30:60, 30:60] = top
        frame = bytes(imagecodecs.htj2k_encode(pixels, level=0.02, reversible=False))
        got = read_one(compress(dataset(pixels, 16), uid.HTJ2K, frame), tmp_path).pixels
        np.testing.assert_array_equal(got, imagecodecs.jpeg2k_decode(frame))
        assert got[33:57, 33:57].min() > 0.9 * top


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
