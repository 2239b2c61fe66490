"""One frame of coded bytes to samples, by what the bytes are and not by what the file calls them.

imagecodecs is the one codec engine: libjpeg-turbo, CharLS and OpenJPEG. HTJ2K goes to OpenJPEG
too: OpenJPH reads it in a third of the time, but returns values past the end of the range wrapped
round (metal becomes black), and fills up what is missing without a word.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.uid import UID

from hoseg.dicom.codestream import Coding, FrameSize, Truncated, coding_of, frame_size, wavelet
from hoseg.dicom.endings import END_OF_IMAGE, jpeg_end, tiles_end
from hoseg.dicom.halve import decode_half
from hoseg.dicom.rle import decode_rle
from hoseg.radiograph import Note

Samples = NDArray[np.generic]

_J2K, _JPEG = Coding.JPEG_2000, Coding.JPEG
CODINGS: dict[UID, Coding] = {
    uid.JPEGBaseline8Bit: _JPEG,
    uid.JPEGExtended12Bit: _JPEG,
    uid.JPEGLossless: Coding.JPEG_LOSSLESS,
    uid.JPEGLosslessSV1: Coding.JPEG_LOSSLESS,
    uid.JPEGLSLossless: Coding.JPEG_LS,
    uid.JPEGLSNearLossless: Coding.JPEG_LS,
    uid.JPEG2000Lossless: _J2K,
    uid.JPEG2000: _J2K,
    uid.HTJ2KLossless: _J2K,
    uid.HTJ2KLosslessRPCL: _J2K,
    uid.HTJ2K: _J2K,
    uid.RLELossless: Coding.RLE,
}
"""The compressed transfer syntaxes that radiographs use, and how their frames are coded."""

NO_END_MARKER = Note(
    "no_end_marker",
    "The compressed picture has no end marker; all of it seems to be there.",
)

# Put behind a scan, neither can be taken for the other: where the picture is complete they
# change nothing, where something is missing they become pixels.
_FILLERS = (b"\x55" * 256, b"\xaa" * 256)


@dataclass(frozen=True)
class Decoded:
    """One decoded frame.

    samples: (H, W) or (H, W, 3), as the codestream has them
    size: what the codestream says of itself; ``bits`` and ``signed`` hold for ``samples``
    photometric: interpretation after decoding (a codec may have turned YBR into RGB)
    lossy: samples may lie beyond the range of the original ones
    """

    samples: Samples
    size: FrameSize
    photometric: str
    notes: tuple[Note, ...] = ()
    lossy: bool = False


def decode_frame(frame: bytes, wanted: FrameSize, photometric: str, half: bool = False) -> Decoded:
    """Decode one frame.

    Parameters
    ----------
    frame: the bytes of one frame
    wanted: what the attributes say; ``bits`` is Bits Allocated, ``coding`` that of the transfer
        syntax
    photometric: Photometric Interpretation; DICOM states the colour space, markers are guesses
    half: JPEG 2000 at half resolution, interpolated (``hoseg.dicom.halve``)

    Raises
    ------
    Truncated: the picture ends early
    ValueError: the codestream has another size than the attributes say
    RuntimeError: the codestream is damaged
    """
    coding = coding_of(frame)
    if coding is None and len(frame) - wanted.bits // 8 * _count(wanted) in (0, 1):
        coding = Coding.NATIVE
    if coding is None:
        raise ValueError("the pixel data is no codestream that is known")
    notes = () if coding is wanted.coding else (_contradiction(coding, wanted.coding),)
    if coding is Coding.NATIVE or coding is Coding.RLE:
        samples = _native(frame, wanted) if coding is Coding.NATIVE else decode_rle(frame, wanted)
        return Decoded(samples, replace(wanted, coding=coding), photometric, notes)
    size = frame_size(frame)
    if (size.rows, size.columns, size.samples) != (wanted.rows, wanted.columns, wanted.samples):
        raise ValueError(
            f"the codestream is {size.rows} x {size.columns} x {size.samples}, but Rows x Columns "
            f"x Samples per Pixel is {wanted.rows} x {wanted.columns} x {wanted.samples}"
        )
    if coding is Coding.JPEG_2000:
        samples, more = _jpeg_2000(frame, half)
        lossy = not wavelet(frame).reversible
        colour = "RGB" if "YBR" in photometric and size.samples == 3 else photometric
    elif coding is Coding.JPEG_LS:
        samples, more, lossy = _jpeg_ls(frame)
        colour = photometric
    else:
        samples, more = _jpeg(frame, size, photometric)
        lossy = coding is Coding.JPEG
        colour = "RGB" if size.samples == 3 and coding is Coding.JPEG else photometric
    if samples.size != _count(wanted):
        raise ValueError(f"the codec returned {samples.shape} for {wanted}")
    return Decoded(samples, size, colour, notes + more, lossy)


def _count(size: FrameSize) -> int:
    return size.rows * size.columns * size.samples


def _contradiction(found: Coding, stated: Coding) -> Note:
    text = f"The transfer syntax says {stated}, the pixel data is {found}; read as what it is."
    return Note("transfer_syntax_contradicts", text)


def _native(frame: bytes, wanted: FrameSize) -> Samples:
    flat = np.frombuffer(frame, f"<u{wanted.bits // 8}", _count(wanted))
    shape = (wanted.rows, wanted.columns, wanted.samples)
    return flat.reshape(shape if wanted.samples > 1 else shape[:2])


def _jpeg(frame: bytes, size: FrameSize, photometric: str) -> tuple[Samples, tuple[Note, ...]]:
    """Decode JPEG (baseline, extended 8 and 12 bit, lossless); colour comes out as stored or RGB.

    libjpeg would guess the colour space from markers; DICOM states it, so it is told.
    """
    space = None
    if size.samples == 3:
        as_it_is = size.coding is Coding.JPEG_LOSSLESS or photometric == "RGB"
        space = "RGB" if as_it_is else "YCBCR"
    end = jpeg_end(frame)
    if not end.marked and (end.scans, end.components) != (1, size.samples):
        raise Truncated("the JPEG ends before its last scan")
    scan = frame[: end.scan_end].rstrip(b"\xff")
    pixels = _decode_jpeg(frame if end.marked else scan + END_OF_IMAGE, space)
    if end.interval and size.samples == 1 and end.restarts < _restarts(size, end.interval):
        raise Truncated(f"{end.restarts} of {_restarts(size, end.interval)} restarts are there")
    if not end.marked or _ends_in_filling(pixels, size):
        for filler in _FILLERS:
            again = _decode_jpeg(scan + filler + END_OF_IMAGE, space)
            if not np.array_equal(again, pixels):
                raise Truncated("the JPEG ends before its last pixels")
    return pixels, () if end.marked else (NO_END_MARKER,)


def _decode_jpeg(stream: bytes, space: str | None) -> Samples:
    target = None if space is None else "RGB"
    pixels: Samples = imagecodecs.jpeg8_decode(stream, colorspace=space, outcolorspace=target)
    return pixels


def _restarts(size: FrameSize, interval: int) -> int:
    """Return how many restart markers a scan of one component has (ISO/IEC 10918-1 B.2.4.4)."""
    block = 1 if size.coding is Coding.JPEG_LOSSLESS else 8
    units = -(-size.rows // block) * -(-size.columns // block)
    return -(-units // interval) - 1


def _ends_in_filling(pixels: Samples, size: FrameSize) -> bool:
    """Whether the last block is the mid grey that libjpeg fills up with where data is missing."""
    block = 1 if size.coding is Coding.JPEG_LOSSLESS else 8
    last = pixels[(size.rows - 1) // block * block :, (size.columns - 1) // block * block :]
    return bool((last == 1 << (size.bits - 1)).all())


def _jpeg_ls(frame: bytes) -> tuple[Samples, tuple[Note, ...], bool]:
    """Return samples, notes and whether they may differ from the original ones."""
    end = jpeg_end(frame)
    if end.marked:
        return imagecodecs.jpegls_decode(frame), (), end.near > 0
    try:  # CharLS misses what is not there
        pixels = imagecodecs.jpegls_decode(frame[: end.scan_end].rstrip(b"\xff") + END_OF_IMAGE)
    except RuntimeError as error:
        raise Truncated(f"the JPEG-LS stream ends early ({error})") from error
    return pixels, (NO_END_MARKER,), end.near > 0


def _jpeg_2000(frame: bytes, half: bool) -> tuple[Samples, tuple[Note, ...]]:
    """Decode JPEG 2000 and HTJ2K; the component transform is undone by the codec."""
    end, marked = tiles_end(frame)
    if not marked:
        frame = frame[:end] + END_OF_IMAGE
    out = decode_half(frame) if half else None
    if out is None:
        try:  # in its strict mode OpenJPEG misses what is not there
            out = imagecodecs.jpeg2k_decode(frame, planar=False)
        except RuntimeError as error:
            if not marked:
                raise Truncated(f"the JPEG 2000 codestream ends early ({error})") from error
            raise
    return out, () if marked else (NO_END_MARKER,)
