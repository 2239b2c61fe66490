"""imagecodecs as the one codec engine, behind pydicom's decoder plugin interface.

``register`` adds the plugin to pydicom's decoders for every compressed transfer syntax that
radiographs use. One table says which function reads which encoding.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.pixels import get_decoder
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import UID

from hoseg.dicom.codestream import FrameSize, frame_size
from hoseg.dicom.halve import decode_half

PLUGIN = "imagecodecs"
"""Name of the plugin in pydicom's tables."""

HALF = "half"
"""Decoding option: JPEG 2000 at half resolution, interpolated (``hoseg.dicom.halve``)."""

Frame = NDArray[np.generic]


def _jpeg(frame: bytes, runner: DecodeRunner, size: FrameSize) -> Frame:
    """Decode JPEG (baseline, extended 8 and 12 bit, lossless); colour comes out as stored or RGB.

    libjpeg would guess the colour space from markers; DICOM states it, so it is told.
    """
    if size.samples != 3:
        return imagecodecs.jpeg8_decode(frame)
    if runner.transfer_syntax in (uid.JPEGLossless, uid.JPEGLosslessSV1):
        return imagecodecs.jpeg8_decode(frame, colorspace="RGB", outcolorspace="RGB")
    stored = "RGB" if runner.photometric_interpretation == "RGB" else "YCBCR"
    out = imagecodecs.jpeg8_decode(frame, colorspace=stored, outcolorspace="RGB")
    runner.set_option("photometric_interpretation", "RGB")
    return out


def _jpeg_ls(frame: bytes, runner: DecodeRunner, size: FrameSize) -> Frame:
    return imagecodecs.jpegls_decode(frame)


def _jpeg_2000(frame: bytes, runner: DecodeRunner, size: FrameSize) -> Frame:
    """Decode JPEG 2000 and HTJ2K; the component transform is undone by the codec.

    The option "half" of the runner asks for half resolution where that can be done.
    """
    out = decode_half(frame) if runner.get_option(HALF, False) else None
    if out is not None:
        return out
    if runner.transfer_syntax in _HIGH_THROUGHPUT:  # OpenJPEG reads it too, three times slower
        out = imagecodecs.htj2k_decode(frame, planar=False)
    else:
        out = imagecodecs.jpeg2k_decode(frame, planar=False)
    if size.samples == 3 and "YBR" in str(runner.photometric_interpretation):
        runner.set_option("photometric_interpretation", "RGB")
    return out


def _rle(frame: bytes, runner: DecodeRunner) -> Frame:
    """Decode RLE: a segment for each byte of a composite pixel, most significant first (PS3.5 G.2).

    No segment may hold more than the attributes promise, so that a bomb has nowhere to go.
    """
    pixels = runner.rows * runner.columns
    width = runner.bits_allocated // 8
    header = np.frombuffer(frame[:64].ljust(64, b"\0"), "<u4")
    count = int(header[0])
    if count != runner.samples_per_pixel * width:
        raise ValueError(
            f"the RLE header names {count} segments, but Samples per Pixel x Bits Allocated / 8 "
            f"is {runner.samples_per_pixel * width}"
        )
    ends = [*(int(offset) for offset in header[2 : count + 1]), len(frame)]
    out = np.empty((runner.samples_per_pixel, pixels, width), np.uint8)
    for segment, (start, end) in enumerate(zip(header[1 : count + 1], ends, strict=True)):
        values = imagecodecs.packbits_decode(frame[int(start) : end], out=pixels + 1)
        if len(values) < pixels:
            raise ValueError(f"RLE segment {segment} holds {len(values)} of {pixels} values")
        sample, place = divmod(segment, width)
        out[sample, :, width - 1 - place] = np.frombuffer(values, np.uint8, pixels)
    runner.set_option("planar_configuration", 1)
    return out


_HIGH_THROUGHPUT = frozenset({uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K})
_Codec = Callable[[bytes, DecodeRunner, FrameSize], Frame]
_CODECS: dict[UID, _Codec] = {
    uid.JPEGBaseline8Bit: _jpeg,
    uid.JPEGExtended12Bit: _jpeg,
    uid.JPEGLossless: _jpeg,
    uid.JPEGLosslessSV1: _jpeg,
    uid.JPEGLSLossless: _jpeg_ls,
    uid.JPEGLSNearLossless: _jpeg_ls,
    uid.JPEG2000Lossless: _jpeg_2000,
    uid.JPEG2000: _jpeg_2000,
    uid.HTJ2KLossless: _jpeg_2000,
    uid.HTJ2KLosslessRPCL: _jpeg_2000,
    uid.HTJ2K: _jpeg_2000,
}

DECODER_DEPENDENCIES = dict.fromkeys((*_CODECS, uid.RLELossless), ("imagecodecs",))
"""What needs what: part of pydicom's plugin interface."""


LOSSY_SYNTAXES = frozenset(
    {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless, uid.JPEG2000, uid.HTJ2K}
)
"""Transfer syntaxes whose decoded values may differ from the original ones."""


def is_available(syntax: str) -> bool:
    """Return whether the plugin decodes a transfer syntax: part of pydicom's plugin interface."""
    return syntax in DECODER_DEPENDENCIES


def decode_frame(frame: bytes, runner: DecodeRunner) -> bytes | bytearray:
    """Decode one frame: pydicom's plugin interface.

    Returns
    -------
    A writeable view of the decoded samples (no copy), laid out as ``runner`` then states

    Raises
    ------
    ValueError: the codestream has another size than the attributes say
    RuntimeError: the codestream is damaged
    """
    syntax = runner.transfer_syntax
    if syntax == uid.RLELossless:
        return _as_buffer(_rle(frame, runner))
    size = frame_size(frame)
    expected = (runner.rows, runner.columns, runner.samples_per_pixel)
    if (size.rows, size.columns, size.samples) != expected:
        raise ValueError(
            f"the codestream is {size.rows} x {size.columns} x {size.samples}, "
            f"but Rows x Columns x Samples per Pixel is {expected[0]} x {expected[1]} x "
            f"{expected[2]}"
        )
    pixels = _CODECS[syntax](frame, runner, size)
    if pixels.size != expected[0] * expected[1] * expected[2]:
        raise ValueError(f"the codec returned {pixels.shape} for {expected}")
    runner.set_option("bits_allocated", 8 * pixels.dtype.itemsize)
    if pixels.ndim == 3:
        runner.set_option("planar_configuration", 0)
    return _as_buffer(pixels)


def _as_buffer(pixels: Frame) -> bytearray:
    # pydicom only wraps the buffer in numpy again; a view saves copying the film.
    flat = np.ascontiguousarray(pixels).reshape(-1).view(np.uint8)
    return cast(bytearray, flat.data)


_lock = threading.Lock()


def register() -> None:
    """Add the plugin to pydicom's decoders. Safe to repeat and to call from threads."""
    with _lock:
        for syntax in DECODER_DEPENDENCIES:
            decoder = get_decoder(syntax)
            if PLUGIN not in decoder.available_plugins:
                decoder.add_plugin(PLUGIN, (__name__, "decode_frame"))
