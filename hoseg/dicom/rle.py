"""RLE frames: a segment for each byte of a composite pixel (DICOM PS3.5 Annex G)."""

from __future__ import annotations

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from hoseg.dicom.codestream import FrameSize, Truncated


def decode_rle(frame: bytes, wanted: FrameSize) -> NDArray[np.generic]:
    """Decode an RLE frame, most significant byte first.

    No segment may hold more than the attributes promise, so that a bomb has nowhere to go; what
    follows the last pixel (padding, the rest of a run) is left alone, as other readers do.

    Parameters
    ----------
    frame: header of 64 bytes and segments
    wanted: what the attributes say; ``bits`` is Bits Allocated

    Returns
    -------
    (H, W) or (H, W, samples) unsigned

    Raises
    ------
    ValueError: the number of segments is not what the attributes say
    Truncated: a segment holds too few values
    """
    pixels, width = wanted.rows * wanted.columns, wanted.bits // 8
    header = np.frombuffer(frame[:64].ljust(64, b"\0"), "<u4")
    count = int(header[0])
    if count != wanted.samples * width:
        raise ValueError(
            f"the RLE header names {count} segments, but Samples per Pixel x Bits Allocated / 8 "
            f"is {wanted.samples * width}"
        )
    ends = [*(int(offset) for offset in header[2 : count + 1]), len(frame)]
    out = np.empty((pixels, wanted.samples, width), np.uint8)
    for segment, (start, end) in enumerate(zip(header[1 : count + 1], ends, strict=True)):
        values = _unpack(frame[int(start) : end], pixels)
        if len(values) < pixels:
            raise Truncated(f"RLE segment {segment} holds {len(values)} of {pixels} values")
        sample, place = divmod(segment, width)
        out[:, sample, width - 1 - place] = np.frombuffer(values, np.uint8, pixels)
    shape = (wanted.rows, wanted.columns, wanted.samples)
    return out.reshape(-1).view(f"<u{width}").reshape(shape if wanted.samples > 1 else shape[:2])


def _unpack(segment: bytes, count: int) -> bytes | bytearray:
    """Up to ``count`` values of a segment (PackBits)."""
    try:
        unpacked: bytes | bytearray = imagecodecs.packbits_decode(segment, out=count)
        return unpacked
    except RuntimeError:  # padding that looks like a run, or a run past the last pixel
        return _unpack_up_to(segment, count)


def _unpack_up_to(segment: bytes, count: int) -> bytearray:
    out = bytearray()
    position = 0
    while len(out) < count and position < len(segment):
        head = segment[position]
        if head < 128:
            out += segment[position + 1 : position + 2 + head]
            position += 2 + head
        else:
            if head > 128:
                out += segment[position + 1 : position + 2] * (257 - head)
            position += 2 if head > 128 else 1
    return out[:count]
