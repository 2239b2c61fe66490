"""Plain pictures: PNG, TIFF and JPEG, whose millimetres only the user can know."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from hoseg.dicom.pixels import grey_of_colour
from hoseg.dicom.read import silence_warnings
from hoseg.dicom.source import Limits, Source
from hoseg.radiograph import Attributes, Note, Radiograph
from hoseg.reasons import Reason

_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}

# What Pillow raises on damaged files: measured on mutated files (scripts/fuzz_dicom.py).
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

    Grey pictures keep their depth (8 or 16 bit, float); colour ones are reduced to brightness.
    Only the first page of a TIFF is read.

    Raises
    ------
    InputError: too_large, corrupt, out_of_memory
    """
    kind = picture_format(data)
    silence_warnings()
    try:
        with Image.open(io.BytesIO(data), formats=[kind or "PNG"]) as picture:
            width, height = picture.size
            if width * height > limits.frame_pixels:
                text = f"claims {height} x {width} pixels; at most {limits.frame_pixels} are read"
                raise source.fail(Reason.TOO_LARGE, f"{text} (Limits.frame_pixels)")
            pages = int(getattr(picture, "n_frames", 1))
            pixels, notes = _grey(picture)
    except MemoryError as error:
        raise source.fail(Reason.OUT_OF_MEMORY, "not enough memory to decode") from error
    except _PICTURE_ERRORS as error:
        text = f"the {kind} cannot be decoded ({type(error).__name__}: {error}); export it again"
        raise source.fail(Reason.CORRUPT, text) from error
    if pages > 1:
        notes += (Note("pages_left_out", f"Only the first of {pages} pages is read."),)
    notes += (
        Note("side_missing", "A picture does not state the side."),
        Note("view_missing", "A picture does not state the projection."),
        Note("orientation_assumed", "Assumed: patient's left on the right, head up."),
    )
    return Radiograph(
        pixels, source.name, attributes=Attributes(photometric=f"{kind}"), notes=notes
    )


def _grey(picture: Image.Image) -> tuple[NDArray[np.generic], tuple[Note, ...]]:
    """Return one channel (H, W) of a Pillow image, in its own depth."""
    if picture.mode in ("1", "P", "LA", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBA", "RGBX"):
        picture = picture.convert("L" if picture.mode in ("1", "LA") else "RGB")
    pixels = np.asarray(picture)
    if pixels.ndim == 3:
        return grey_of_colour(pixels)
    if pixels.dtype == np.int32 and pixels.size and pixels.min() >= 0 and pixels.max() <= 65535:
        pixels = pixels.astype(np.uint16)
    return pixels, ()
