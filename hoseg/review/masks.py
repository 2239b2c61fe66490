"""Ossification masks that a browser sends: checked before they are decoded."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import InputError
from hoseg.report.png import SIGNATURE


def png_size(png: bytes) -> tuple[int, int]:
    """(rows, columns) that the header of a PNG states (PNG, third edition, 11.2.1).

    Raises
    ------
    InputError: not a PNG
    """
    if len(png) < 24 or not png.startswith(SIGNATURE) or png[12:16] != b"IHDR":
        raise InputError("mask", "not a PNG", code="bad_review")
    columns, rows = struct.unpack(">II", png[16:24])
    return rows, columns


def ossification_of(png: bytes, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) bool of a reader's mask: opaque where ossification is, or white without an alpha.

    shape: (H, W) of the film

    Raises
    ------
    InputError: not a readable 8-bit PNG of the film's size; the size is checked before anything
        is allocated
    """
    if png_size(png) != shape:
        sentence = f"{png_size(png)} rows and columns, the film has {shape}"
        raise InputError("mask", sentence, code="bad_review")
    try:
        picture = imagecodecs.png_decode(png)
    except imagecodecs.PngError as error:
        raise InputError("mask", f"not a readable PNG ({error})", code="bad_review") from error
    if picture.dtype != np.uint8:
        raise InputError("mask", "8 bits a sample expected", code="bad_review")
    return np.asarray((picture if picture.ndim == 2 else picture[..., -1]) > 127)
