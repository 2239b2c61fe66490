"""Plain pictures: PNG, TIFF and JPEG, whose millimetres only the user can know."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from hoseg.dicom.codecs import decode_frame
from hoseg.dicom.codestream import Coding, Truncated, frame_size
from hoseg.dicom.exif import APPLIED, as_shown, orientation_of
from hoseg.dicom.pixels import grey_of_colour
from hoseg.dicom.read import silence_warnings
from hoseg.dicom.source import Limits, Source
from hoseg.dicom.tiff import MAGIC, read_tiff
from hoseg.radiograph import Attributes, Note, Radiograph
from hoseg.reasons import Reason

_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    **dict.fromkeys(MAGIC, "TIFF"),
}

# What Pillow and tifffile raise on damaged files: measured by scripts/fuzz_dicom.py.
_PICTURE_ERRORS = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RuntimeError,
    EOFError,
    struct.error,
    zlib.error,
)


def picture_format(data: bytes) -> str | None:
    """Return "PNG", "JPEG" or "TIFF" by the first bytes, else None."""
    return next((name for magic, name in _MAGIC.items() if data.startswith(magic)), None)


def read_picture(data: bytes, source: Source, limits: Limits) -> Radiograph:
    """Read a picture as a radiograph without attributes.

    Grey pictures keep their depth (8 to 16 bit, float); colour ones are reduced to brightness.
    Only one page of a TIFF is read.

    Raises
    ------
    InputError: too_large, corrupt, truncated, out_of_memory
    """
    kind = picture_format(data)
    silence_warnings()
    try:
        read = read_tiff(data, source, limits) if kind == "TIFF" else None
        if kind == "JPEG":
            read = _read_rare_jpeg(data, source, limits)
        shown = read is None and kind == "TIFF"  # Pillow turns a TIFF itself
        if read is None:
            read = _read_by_pillow(data, kind or "PNG", source, limits)
        pixels, notes = read
        if pixels.ndim == 3:
            pixels, more = grey_of_colour(pixels)
            notes += more
    except MemoryError as error:
        raise source.fail(Reason.OUT_OF_MEMORY, "not enough memory to decode") from error
    except Truncated as error:
        text = f"the {kind} is cut off ({error}); the file was not copied completely"
        raise source.fail(Reason.TRUNCATED, text) from error
    except _PICTURE_ERRORS as error:
        text = f"the {kind} cannot be decoded ({type(error).__name__}: {error}); export it again"
        raise source.fail(Reason.CORRUPT, text) from error
    orientation = orientation_of(data)
    if orientation > 1:
        pixels = pixels if shown else as_shown(pixels, orientation)
        text = f"Turned as its EXIF orientation ({orientation}) says; masks lie on it as shown."
        notes += (Note(APPLIED, text),)
    notes += (
        Note("side_missing", "A picture does not state the side."),
        Note("view_missing", "A picture does not state the projection."),
        Note("orientation_assumed", "Assumed: patient's left on the right, head up."),
    )
    return Radiograph(
        pixels, source.name, attributes=Attributes(photometric=f"{kind}"), notes=notes
    )


def _read_rare_jpeg(
    data: bytes, source: Source, limits: Limits
) -> tuple[NDArray[np.generic], tuple[Note, ...]] | None:
    """Return the pixels of a JPEG that Pillow cannot read: 12 bits, lossless, JPEG-LS.

    Others are decoded here to see whether they are all there, which Pillow does not always: None.
    """
    try:
        size = frame_size(data)
        if size.samples not in (1, 3):
            return None
        _check_size(size.rows, size.columns, source, limits)
        decoded = decode_frame(data, size, "MONOCHROME2" if size.samples == 1 else "YBR_FULL")
    except Truncated:
        raise
    except (RuntimeError, ValueError):  # Pillow may, or it says why not
        return None
    if size.bits == 8 and size.coding is Coding.JPEG:
        return None
    return decoded.samples, decoded.notes


def _check_size(rows: int, columns: int, source: Source, limits: Limits) -> None:
    if rows * columns > limits.frame_pixels:
        text = f"claims {rows} x {columns} pixels; at most {limits.frame_pixels} are read"
        raise source.fail(Reason.TOO_LARGE, f"{text} (Limits.frame_pixels)")


def _read_by_pillow(
    data: bytes, kind: str, source: Source, limits: Limits
) -> tuple[NDArray[np.generic], tuple[Note, ...]]:
    """Return (H, W) or (H, W, 3) of a picture, and how many pages it left out."""
    with Image.open(io.BytesIO(data), formats=[kind]) as picture:
        _check_size(picture.height, picture.width, source, limits)
        pages = int(getattr(picture, "n_frames", 1))
        pixels = _pixels_of(picture)
    if pages == 1:
        return pixels, ()
    return pixels, (Note("pages_left_out", f"Only the first of {pages} pages is read."),)


def _pixels_of(picture: Image.Image) -> NDArray[np.generic]:
    """Return (H, W) or (H, W, 3) of a Pillow image, in its own depth."""
    if picture.mode in ("1", "LA"):
        picture = picture.convert("L")
    elif picture.mode not in ("L", "RGB", "F", "I") and not picture.mode.startswith("I;16"):
        picture = picture.convert("RGB")
    pixels = np.asarray(picture)
    if pixels.dtype == np.int32 and pixels.size and pixels.min() >= 0 and pixels.max() <= 65535:
        pixels = pixels.astype(np.uint16)
    return pixels
