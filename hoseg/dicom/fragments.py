"""Frames of encapsulated pixel data (DICOM PS3.5 A.4), whatever ends it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise

from pydicom.encaps import generate_fragments, generate_frames

from hoseg.dicom.codestream import coding_of

ITEM = b"\xfe\xff\x00\xe0"
_PIXEL_DATA = b"\xe0\x7f\x10\x00"
_DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"
_UNDEFINED = b"\xff\xff\xff\xff"
_HEADERS = tuple(
    _PIXEL_DATA + vr + _UNDEFINED + ITEM for vr in (b"OB\0\0", b"OW\0\0", b"UN\0\0", b"")
)


def frames_of(
    value: bytes, frames: int, extended: tuple[bytes, bytes] | None = None
) -> Iterator[bytes]:
    """Yield the frames of encapsulated pixel data.

    A fragment that begins like a codestream begins a frame: offset tables and Number of Frames
    are asked only where no fragment does.

    Parameters
    ----------
    value: items; a codestream without any is one frame
    frames: how many there should be
    extended: Extended Offset Table and its lengths

    Raises
    ------
    ValueError: the items cannot be told apart into frames
    """
    if not value.startswith(ITEM):
        yield value
        return
    value = only_items(value)
    pieces = list(generate_fragments(value))[1:]
    starts = [index for index, piece in enumerate(pieces) if coding_of(piece) is not None]
    if not starts or starts[0] != 0:
        yield from generate_frames(value, number_of_frames=frames, extended_offsets=extended)
        return
    for start, end in pairwise([*starts, len(pieces)]):
        yield pieces[start] if end == start + 1 else b"".join(pieces[start:end])


def only_items(value: bytes) -> bytes:
    """Return pixel data up to the end of its last item.

    What follows (a delimiter, zeros in its place, the next element) is left out; an item that
    runs past the end is cut to what is there, and whether a picture is then missing something
    is the codec's to see.
    """
    position = 0
    while value[position : position + 4] == ITEM and len(value) >= position + 8:
        (length,) = struct.unpack_from("<I", value, position + 4)
        end = position + 8 + length
        if end > len(value):
            rest = value[position + 8 :]
            rest += b"\0" * (len(rest) % 2)
            return value[:position] + ITEM + struct.pack("<I", len(rest)) + rest
        position = end
    return value[:position]


def delimited(data: bytes) -> bytes | None:
    """Return a file whose encapsulated pixel data ends with a Sequence Delimitation Item.

    Some programs leave it out or write zeros in its place, and a file that was cut off has none
    either; pydicom then drops the element. The last pixel data of the file is taken: an icon has
    its own and comes first. None where there is none.
    """
    at, header = max((data.rfind(header), header) for header in _HEADERS)
    if at < 0:
        return None
    start = at + len(header) - len(ITEM)
    return data[:start] + only_items(data[start:]) + _DELIMITER
