"""JPEG 2000 films at half resolution, for whoever wants masks and no pictures.

Four fifths of the time of decoding go into the finest wavelets, which the network's spacing
averages away again. What is left, the low-pass band, is decoded alone and interpolated, so that
film, grid and masks keep their size. Its samples lie on the EVEN pixels (ISO/IEC 15444-1 F.3):
taken for the mean of two pixels each, as every resizing function does, the film is shifted by
half a pixel and masks change ten times as much (``models/BENCHMARKS.md``).
"""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.uid import JPEG2000, UID, JPEG2000Lossless

from hoseg.dicom.codestream import Wavelet, wavelet
from hoseg.radiograph import Note, Spacing

HALF_RESOLUTION = Note(
    "half_resolution",
    "Decoded at half resolution and interpolated: enough for masks, too soft for pictures.",
)

MIN_STEP_PX = 4.5
"""Original pixels in one of the network's, at least; at 4 some films agree in less than 99.95 %."""

_LONGEST_SIDE = 32_000  # of what OpenCV warps
_MOST_PIXELS = 80_000_000  # Pillow warns of larger pictures
_EVEN = np.array([[0.5, 0, 0], [0, 0.5, 0]])  # pixel p lies at sample p / 2
_SHARPEN = np.array([-0.09, 1.18, -0.09], np.float32)  # makes up for the 9/7 filter's shoulder


def may_halve(dataset: Dataset, spacing: Spacing | None, for_spacing_mm: float | None) -> bool:
    """Whether half resolution serves: JPEG 2000, and the pixels fine enough.

    for_spacing_mm: pixel spacing the film will be resampled to (mm at the hip); None = pictures
        are wanted too
    """
    syntax = UID(str(dataset.file_meta.get("TransferSyntaxUID", "")))
    if spacing is None or for_spacing_mm is None or syntax not in (JPEG2000, JPEG2000Lossless):
        return False
    if for_spacing_mm < MIN_STEP_PX * max(spacing.mm):
        return False
    try:
        return _fits(wavelet(get_frame(dataset.PixelData, 0, number_of_frames=1)))
    except (ValueError, AttributeError):  # decoding it in full will say what is wrong
        return False


def decode_half(frame: bytes) -> NDArray[np.generic] | None:
    """Decode a JPEG 2000 frame at half resolution and interpolate it to its full size.

    Returns (H, W) uint8 or uint16; None where that cannot be done, and the frame is to be
    decoded in full.
    """
    from PIL import Image

    try:
        facts = wavelet(frame)
        if not _fits(facts):
            return None
        with Image.open(io.BytesIO(frame), formats=["JPEG2000"]) as picture:
            picture.reduce = 1  # type: ignore[assignment]
            low = np.asarray(picture)
    except (OSError, ValueError, SyntaxError):
        return None
    if low.ndim != 2 or low.dtype not in (np.uint8, np.uint16):
        return None
    low = low >> (8 * low.dtype.itemsize - facts.bits)  # Pillow fills the type from the top
    if not facts.reversible:
        sharp = cv2.sepFilter2D(
            low, cv2.CV_32F, _SHARPEN, _SHARPEN, borderType=cv2.BORDER_REFLECT_101
        )
        low = np.rint(np.clip(sharp, 0, 2**facts.bits - 1)).astype(low.dtype)
    full: NDArray[np.generic] = cv2.warpAffine(
        low,
        _EVEN,
        (facts.columns, facts.rows),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return full


def _fits(facts: Wavelet) -> bool:
    """Whether a codestream has a low-pass band where it is expected."""
    return (
        facts.samples == 1
        and not facts.signed
        and facts.bits <= 16
        and facts.levels >= 1
        and facts.at_origin
        and max(facts.rows, facts.columns) <= _LONGEST_SIDE
        and facts.rows * facts.columns <= _MOST_PIXELS
    )
