"""How a picture is meant to be shown: the Orientation tag of EXIF and TIFF (274, values 1 to 8).

A phone stores what its sensor saw and says how to turn it; every viewer does. What hoseg calls the
picture, and what its masks lie on, is the picture as it is shown.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from hoseg.dicom.tiff import orientation_tag

APPLIED = "exif_applied"
"""Code of the note of a picture that was turned."""

_TAG = 274
_SEGMENT, _HEAD_BYTES = b"Exif\0\0", 1 << 17
_UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error)
"""What Pillow raises on damaged headers."""


def orientation_of(data: bytes) -> int:
    """Value of the tag in a PNG, JPEG or TIFF; 1 (as stored) when absent or none of 1 to 8."""
    if data[:2] in (b"II", b"MM"):
        value = orientation_tag(data)
    else:
        try:
            with Image.open(io.BytesIO(data)) as picture:
                value = picture.getexif().get(_TAG, 1)
        except UnidentifiedImageError:  # a JPEG of 12 bits or without loss, say
            value = _within(data)
        except _UNREADABLE:
            return 1
    return value if value in range(1, 9) else 1


def _within(data: bytes) -> int:
    """Value of the tag in the EXIF segment of a picture that Pillow does not read."""
    start = data.find(_SEGMENT, 0, _HEAD_BYTES)
    if start < 0:
        return 1
    exif = Image.Exif()
    try:
        exif.load(data[start : start + _HEAD_BYTES])
        return int(exif.get(_TAG, 1))
    except _UNREADABLE:
        return 1


def as_shown(stored: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn and mirror a picture (H, W, ...) as it is to be shown.

    orientation: 1 to 8; from 5 on rows and columns are exchanged
    """
    if orientation in (5, 6, 7, 8):
        stored = np.swapaxes(stored, 0, 1)
    if orientation in (3, 4, 7, 8):
        stored = stored[::-1]
    if orientation in (2, 3, 6, 7):
        stored = stored[:, ::-1]
    return np.ascontiguousarray(stored)
