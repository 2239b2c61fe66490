"""What a compressed frame says about its own size, read before anything is allocated."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum

_SOC_SIZ = b"\xff\x4f\xff\x51"
_COD, _SOT = 0xFF52, 0xFF90
# SOF markers of ISO/IEC 10918-1 and SOF55 of JPEG-LS (14495-1); C4, C8 and CC are other things.
_FRAME_MARKERS = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})


_LOSSLESS_FRAMES = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_JPEG_LS_FRAME = 0xF7
_MAX_RLE_SEGMENTS = 15


class Truncated(ValueError):
    """The bytes of a frame end before the picture does."""


class Coding(StrEnum):
    """How the bytes of a frame are coded, whatever the transfer syntax says."""

    JPEG = "JPEG"
    JPEG_LOSSLESS = "lossless JPEG"
    JPEG_LS = "JPEG-LS"
    JPEG_2000 = "JPEG 2000"
    RLE = "RLE"
    NATIVE = "uncompressed"


@dataclass(frozen=True)
class FrameSize:
    """Size of a compressed frame.

    rows, columns, samples: of the picture
    bits: precision of a sample
    signed: samples have a sign; only JPEG 2000 can say so
    coding: JPEG (any DCT process), lossless JPEG, JPEG-LS or JPEG 2000
    """

    rows: int
    columns: int
    samples: int
    bits: int
    signed: bool = False
    coding: Coding = Coding.JPEG


@dataclass(frozen=True)
class Wavelet(FrameSize):
    """What the main header of a JPEG 2000 codestream says (ISO/IEC 15444-1 A.5.1, A.6.1).

    levels: decompositions; each halves the resolution
    reversible: 5/3 filter, else 9/7
    at_origin: image and tiles start at (0, 0) and no component is subsampled
    """

    levels: int = 0
    reversible: bool = True
    at_origin: bool = True


def coding_of(frame: bytes) -> Coding | None:
    """Tell the coding of a frame by its first bytes; None where no coding is recognised."""
    if frame[:2] == b"\xff\xd8":
        try:
            return _jpeg_size(frame).coding
        except ValueError:
            return Coding.JPEG
    if frame.find(_SOC_SIZ, 0, 4096) == 0 or frame[4:8] == b"jP  ":
        return Coding.JPEG_2000
    if len(frame) > 64:
        segments, first = struct.unpack_from("<2I", frame)
        if 1 <= segments <= _MAX_RLE_SEGMENTS and first == 64:
            return Coding.RLE
    return None


def frame_size(frame: bytes) -> FrameSize:
    """Read the frame header of a JPEG, JPEG-LS or JPEG 2000 codestream.

    Raises
    ------
    ValueError: there is no frame header
    Truncated: the bytes end before it does
    """
    if frame[:2] == b"\xff\xd8":
        return _jpeg_size(frame)
    start = frame.find(_SOC_SIZ, 0, 4096)  # after the boxes of a JP2 file, if any
    if start < 0:
        raise ValueError("neither a JPEG nor a JPEG 2000 codestream")
    return _jpeg2000_size(frame, start + len(_SOC_SIZ))


def _jpeg_size(frame: bytes) -> FrameSize:
    """Step over the marker segments up to the frame header."""
    position = 2
    while position + 4 <= len(frame):
        if frame[position] != 0xFF:
            raise ValueError(f"a JPEG marker was expected at byte {position}")
        marker = frame[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _STANDALONE:
            position += 2
        elif marker in _FRAME_MARKERS and position + 10 <= len(frame):
            bits, rows, columns, samples = struct.unpack_from(">BHHB", frame, position + 4)
            return FrameSize(rows, columns, samples, bits, coding=_jpeg_coding(marker))
        else:
            position += 2 + max(2, struct.unpack_from(">H", frame, position + 2)[0])
    raise Truncated("the JPEG ends before its frame header")


def _jpeg_coding(frame_marker: int) -> Coding:
    if frame_marker == _JPEG_LS_FRAME:
        return Coding.JPEG_LS
    return Coding.JPEG_LOSSLESS if frame_marker in _LOSSLESS_FRAMES else Coding.JPEG


def _jpeg2000_size(frame: bytes, position: int) -> FrameSize:
    """Read the SIZ segment (ISO/IEC 15444-1 A.5.1) whose length field is at ``position``."""
    try:
        x1, y1, x0, y0 = struct.unpack_from(">4I", frame, position + 4)
        samples, depth = struct.unpack_from(">HB", frame, position + 36)
    except struct.error as error:
        raise Truncated("the JPEG 2000 codestream ends in its size segment") from error
    if x1 <= x0 or y1 <= y0:
        raise ValueError(f"the JPEG 2000 image area is empty ({x0}..{x1}, {y0}..{y1})")
    bits, signed = (depth & 0x7F) + 1, bool(depth & 0x80)
    return FrameSize(y1 - y0, x1 - x0, samples, bits, signed, Coding.JPEG_2000)


def wavelet(frame: bytes) -> Wavelet:
    """Read the main header of a JPEG 2000 codestream.

    Raises
    ------
    ValueError: it is not one, or the header is cut off
    """
    start = frame.find(_SOC_SIZ, 0, 4096)
    if start < 0:
        raise ValueError("not a JPEG 2000 codestream")
    position = start + len(_SOC_SIZ)
    size = _jpeg2000_size(frame, position)
    offsets = struct.unpack_from(">2I8x2I", frame, position + 12)  # of the image, of the tiles
    x_step, y_step = frame[position + 39 : position + 41]
    at_origin = not any(offsets) and x_step == y_step == 1
    style, levels, transform = _coding_style(frame, start + 2)
    return Wavelet(
        **vars(size),
        levels=levels,
        reversible=transform == 1,
        at_origin=at_origin and style in range(8),
    )


def _coding_style(frame: bytes, position: int) -> tuple[int, int, int]:
    """Scod, number of decompositions and transformation of the COD segment (A.6.1)."""
    while position + 14 <= len(frame):
        marker, length = struct.unpack_from(">HH", frame, position)
        if marker == _COD:
            return frame[position + 4], frame[position + 9], frame[position + 13]
        if marker == _SOT:
            break
        position += 2 + max(2, length)
    raise ValueError("the JPEG 2000 codestream has no coding style")
