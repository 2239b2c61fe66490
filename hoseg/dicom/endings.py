"""Whether a codestream is all there.

Decoders fill up what is missing, mostly without a word: a film that was cut off while it was
copied then looks like one with a grey lower part. What ends early is refused here. An end marker
alone may be missing (some encoders leave it out), and bytes may follow it (padding).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from hoseg.dicom.codestream import Truncated

_SOC = b"\xff\x4f"
_SOT = b"\xff\x90"
_EOI, _SOS, _DRI = 0xD9, 0xDA, 0xDD
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
# Within a scan 0xFF is stuffed: by 0x00 in JPEG, by a byte below 0x80 in JPEG-LS (14495-1 C.2.1).
_SCAN_END = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")

END_OF_IMAGE = b"\xff\xd9"
"""EOI of JPEG and JPEG-LS, EOC of JPEG 2000."""


@dataclass(frozen=True)
class JpegEnd:
    """Where the last scan of a JPEG or JPEG-LS stream ends.

    scan_end: position behind the last coded byte
    marked: the end marker follows
    interval: restart interval in MCUs, 0 = none
    restarts: number of restart markers in the last scan
    scans: number of scans
    components: in the last scan
    near: JPEG-LS: how far samples may be from the original ones
    """

    scan_end: int
    marked: bool
    interval: int = 0
    restarts: int = 0
    scans: int = 0
    components: int = 0
    near: int = 0


def jpeg_end(frame: bytes) -> JpegEnd:
    """Step over the segments and scans of a JPEG or JPEG-LS stream (ISO/IEC 10918-1 B.2.1).

    Raises
    ------
    Truncated: the stream ends before its first scan, or within a marker segment
    """
    position = 2
    scan_end = interval = restarts = scans = components = near = 0
    while position + 2 <= len(frame):
        marker = frame[position + 1]
        if frame[position] != 0xFF or marker == _EOI:
            break
        if marker == 0xFF or marker in _STANDALONE:
            position += 1 if marker == 0xFF else 2
            continue
        length = frame[position + 2 : position + 4]
        if len(length) < 2 or position + 2 + int.from_bytes(length) > len(frame):
            break
        if marker == _DRI:
            interval = int.from_bytes(frame[position + 4 : position + 6])
        if marker == _SOS:
            scans, components = scans + 1, int.from_bytes(frame[position + 4 : position + 5])
            near = int.from_bytes(frame[position + 5 + 2 * components :][:1])
        position += 2 + max(2, int.from_bytes(length))
        if marker == _SOS:
            start, found = position, _SCAN_END.search(frame, position)
            scan_end = position = found.start() if found else len(frame)
            restarts = sum(1 for _ in _RESTART.finditer(frame, start, scan_end)) if interval else 0
    if not scan_end:
        raise Truncated("the stream ends before its first scan")
    marked = frame[position : position + 2] == END_OF_IMAGE
    return JpegEnd(scan_end, marked, interval, restarts, scans, components, near)


def tiles_end(frame: bytes) -> tuple[int, bool]:
    """Walk over the tile-parts of a JPEG 2000 or HTJ2K codestream (ISO/IEC 15444-1 A.4.2).

    Returns
    -------
    position behind the last tile-part, and whether the end marker is there

    Raises
    ------
    Truncated: a tile or a part of one is missing, or runs past the end
    """
    start = frame.find(_SOC + b"\xff\x51", 0, 4096)
    if start < 0:
        raise Truncated("the JPEG 2000 codestream has no header")
    stated: dict[int, int] = {}  # of each tile met: how many parts it has, 0 = not said
    seen: dict[int, int] = {}
    expected, position = 1, 0
    try:
        x1, y1, _, _, width, height, x0, y0 = struct.unpack_from(">8I", frame, start + 8)
        expected = -(-(x1 - x0) // width) * -(-(y1 - y0) // height)
        position = _first_tile_part(frame, start + 2)
        while frame[position : position + 2] == _SOT:
            tile, length, part, parts = struct.unpack_from(">HIBB", frame, position + 4)
            stated[tile] = parts or stated.get(tile, 0)
            seen[tile] = seen.get(tile, 0) + 1
            if position + length > len(frame):
                raise Truncated(f"tile-part {part} of tile {tile} runs past the end")
            if length == 0:  # all that is left; the codec itself misses what is not there
                break
            position += length
    except (struct.error, ZeroDivisionError):
        position = len(frame)
    if len(seen) < expected or any(seen[tile] < parts for tile, parts in stated.items()):
        raise Truncated(f"{len(seen)} of {expected} tiles, or not all parts of them, are there")
    if frame[position : position + 2] == _SOT:
        position = frame.rfind(END_OF_IMAGE, position)
        position = len(frame) if position < 0 else position
    return position, frame[position : position + 2] == END_OF_IMAGE


def _first_tile_part(frame: bytes, position: int) -> int:
    while True:
        marker, length = struct.unpack_from(">HH", frame, position)
        if marker == int.from_bytes(_SOT):
            return position
        position += 2 + max(2, length)
