"""TIFF of every kind that films come in: BigTIFF, 10 to 16 bits, float, alpha, minimum is white.

Pillow refuses half of them and reads some wrongly (12 bits with a predictor, 32-bit integers);
tifffile reads them. Palettes, CMYK, YCbCr and CIELAB, which need a colour conversion, are left to
Pillow.
"""

from __future__ import annotations

import io
import logging
import struct
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hoseg.dicom.source import Limits, Source
from hoseg.radiograph import Note
from hoseg.reasons import Reason

if TYPE_CHECKING:
    import tifffile

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of TIFF and BigTIFF, little and big endian."""

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2  # Photometric Interpretation (262)
_ORIENTATION = 274

Pixels = NDArray[Any]


def read_tiff(
    data: bytes, source: Source, limits: Limits
) -> tuple[Pixels, tuple[Note, ...]] | None:
    """Return the pixels of a TIFF's film: (H, W) grey or (H, W, 3) RGB, black is low.

    The largest page is the film (a thumbnail may come first), the first of equals.

    Returns
    -------
    None when Pillow should read it: it has a palette or another colour space

    Raises
    ------
    InputError: too_large
    ValueError, RuntimeError, ...: damaged, see ``pictures.PICTURE_ERRORS``
    """
    tifffile = _tifffile()
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            pages = list(file.pages)
            page = max(pages, key=lambda page: page.imagewidth * page.imagelength)
            _check_size(page, source, limits)
            if page.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
                return None
            _check_whole(page, len(data))
            pixels = _film_of(page)
    except tifffile.TiffFileError as error:
        raise ValueError(str(error)) from error
    notes = []
    if len(pages) > 1:
        number = pages.index(page) + 1
        which = "the first" if number == 1 else f"number {number}, the largest,"
        notes.append(Note("pages_left_out", f"Only {which} of {len(pages)} pages is read."))
    return np.ascontiguousarray(pixels), tuple(notes)


def _check_size(page: tifffile.TiffPage, source: Source, limits: Limits) -> None:
    size = page.imagewidth * page.imagelength
    held = page.size * max(1, page.bitspersample // 8)
    if size > limits.frame_pixels or held > limits.decoded_bytes:
        text = (
            f"claims {page.imagelength} x {page.imagewidth} pixels, {held} bytes; at most "
            f"{limits.frame_pixels} pixels, {limits.decoded_bytes} bytes are read (Limits)"
        )
        raise source.fail(Reason.TOO_LARGE, text)


def _check_whole(page: tifffile.TiffPage, size: int) -> None:
    """Refuse a page of which a part lies behind the end of the file; it would come out black."""
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if not parts or any(count == 0 or offset + count > size for offset, count in parts):
        raise ValueError("the file ends before its last strip or tile")


def _film_of(page: tifffile.TiffPage) -> Pixels:
    pixels = page.asarray()
    if page.axes == "SYX":
        pixels = np.moveaxis(pixels, 0, -1)
    colours = 3 if page.photometric == _RGB else 1
    if pixels.ndim == 3:  # what more samples there are is alpha
        pixels = pixels[..., :colours] if colours == 3 else pixels[..., 0]
    if pixels.ndim != 2 + (colours == 3):
        raise ValueError(f"axes {page.axes} of shape {page.shape} are no picture")
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    bits = 8 if page.bitspersample == 1 else page.bitspersample
    if page.photometric == _WHITE_IS_ZERO:
        pixels = _inverted(pixels, bits)
    return _usual_type(pixels)


def _inverted(pixels: Pixels, bits: int) -> Pixels:
    if pixels.dtype.kind == "u":
        return np.asarray(pixels.dtype.type((1 << bits) - 1) - pixels)
    if pixels.dtype.kind == "i":
        return ~pixels
    return np.asarray(-pixels)


def _usual_type(pixels: Pixels) -> Pixels:
    """Bring pixels to a type that films have: 8 or 16 bits, or float32."""
    if pixels.dtype in (np.uint8, np.uint16, np.int16, np.float32):
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if pixels.dtype == np.int8:
        return pixels.astype(np.int16)
    if pixels.dtype.kind in "iu" and pixels.size and pixels.min() >= 0 and pixels.max() <= 65535:
        return pixels.astype(np.uint16)
    if pixels.dtype.kind in "iuf":
        return pixels.astype(np.float32)
    raise ValueError(f"pixels of type {pixels.dtype} are no grey levels")


def orientation_tag(data: bytes) -> int:
    """Value of the tag Orientation (274) of the first page; 1 where it is absent or unreadable."""
    tifffile = _tifffile()
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            return int(file.pages.first.tags.valueof(_ORIENTATION, default=1))
    except (tifffile.TiffFileError, ValueError, TypeError, LookupError, struct.error):
        return 1


@cache
def _tifffile() -> Any:
    """Import tifffile when a TIFF is met, and keep its remarks off the terminal."""
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    return tifffile
