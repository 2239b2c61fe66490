"""Which pixels show the patient: pixel padding and display shutters."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from hoseg.dicom.values import number_of, numbers_of, texts_of, whole_of
from hoseg.radiograph import Note

_SMALLEST_SHARE = 0.02  # a shutter or padding that leaves less than this is a mistake

Mask = NDArray[np.bool_]


def find_valid(dataset: Dataset, stored: NDArray[Any]) -> tuple[Mask | None, tuple[Note, ...]]:
    """Return where the image is valid, None when everywhere.

    Parameters
    ----------
    dataset: attributes
    stored: (H, W) stored pixel values, before the modality LUT, as padding is defined on them
        (PS3.3 C.7.5.1.1.2)
    """
    notes: list[Note] = []
    masks = [_unpadded(dataset, stored)]
    shape = (int(stored.shape[0]), int(stored.shape[1]))
    masks += [_shutter(dataset, kind, shape, notes) for kind in texts_of(dataset, "ShutterShape")]
    valid: Mask | None = None
    for mask in masks:
        if mask is None or mask.all():
            continue
        both = mask if valid is None else valid & mask
        if np.count_nonzero(both) < _SMALLEST_SHARE * both.size:
            text = "Padding or shutter would leave nothing of the image; ignored."
            notes.append(Note("shutter_ignored", text))
            continue
        valid = both
    return valid, tuple(notes)


def _unpadded(dataset: Dataset, stored: NDArray[Any]) -> Mask | None:
    """Mask out Pixel Padding Value (0028,0120) up to Pixel Padding Range Limit (0028,0121)."""
    value = whole_of(dataset, "PixelPaddingValue")
    if value is None:
        return None
    limit = whole_of(dataset, "PixelPaddingRangeLimit")
    value, limit = (_with_sign_of(stored, n) for n in (value, value if limit is None else limit))
    low, high = sorted((value, limit))
    if low == high:
        return np.asarray(stored != low)
    return np.asarray((stored < low) | (stored > high))


def _with_sign_of(stored: NDArray[Any], value: int) -> int:
    """Bring a number of 16 bits that was written with the other sign into the range of pixels."""
    if np.issubdtype(stored.dtype, np.signedinteger):
        return value - 65536 if value > 32767 and stored.dtype.itemsize <= 2 else value
    return value + 65536 if value < 0 else value


def _shutter(dataset: Dataset, kind: str, shape: tuple[int, int], notes: list[Note]) -> Mask | None:
    """Draw the open part of one shutter (PS3.3 C.7.6.11); positions count pixels from 1."""
    draw = _SHUTTERS.get(kind.upper())
    mask = draw(dataset, shape) if draw else None
    if mask is None:
        notes.append(Note("shutter_ignored", f"Display shutter {kind[:32]!r} is incomplete."))
    return mask


def _rectangle(dataset: Dataset, shape: tuple[int, int]) -> Mask | None:
    edges = [
        number_of(dataset, f"Shutter{edge}")
        for edge in (
            "UpperHorizontalEdge",
            "LowerHorizontalEdge",
            "LeftVerticalEdge",
            "RightVerticalEdge",
        )
    ]
    if any(edge is None for edge in edges):
        return None
    # The edges themselves are hidden: what lies between them is shown.
    top, bottom, left, right = (min(max(int(e or 0), 0), max(shape) + 1) for e in edges)
    mask = np.zeros(shape, bool)
    mask[top : max(bottom - 1, 0), left : max(right - 1, 0)] = True
    return mask


def _circle(dataset: Dataset, shape: tuple[int, int]) -> Mask | None:
    centre = numbers_of(dataset, "CenterOfCircularShutter")
    radius = number_of(dataset, "RadiusOfCircularShutter")
    if len(centre) != 2 or radius is None or radius <= 0:
        return None
    rows = np.arange(1, shape[0] + 1, dtype=np.float64)[:, None] - centre[0]
    columns = np.arange(1, shape[1] + 1, dtype=np.float64)[None, :] - centre[1]
    return np.asarray(rows**2 + columns**2 <= radius**2)


def _polygon(dataset: Dataset, shape: tuple[int, int]) -> Mask | None:
    numbers = numbers_of(dataset, "VerticesOfThePolygonalShutter")
    if len(numbers) < 6 or len(numbers) % 2:
        return None
    far = 4 * max(shape)
    points = np.clip(np.array(numbers).reshape(-1, 2)[:, ::-1] - 1, -far, far)
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [points.round().astype(np.int32)], (1,))
    return mask.astype(bool)


_SHUTTERS = {"RECTANGULAR": _rectangle, "CIRCULAR": _circle, "POLYGONAL": _polygon}
