"""From stored values to grey values: modality LUT, and how they are meant to be shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from hoseg.dicom.values import (
    CONVERSION_ERRORS,
    items_of,
    number_of,
    numbers_of,
    text_of,
    value_of,
)
from hoseg.imaging.display import sample_of, shows_nothing
from hoseg.radiograph import Display, Note, Radiograph

_MAX_LUT_ENTRIES = 65_536
_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")

Pixels = NDArray[np.generic]
Lut = tuple[NDArray[np.float64], int]


def apply_modality(dataset: Dataset, stored: Pixels) -> tuple[Pixels, tuple[Note, ...]]:
    """Apply the Modality LUT or the rescale (PS3.3 C.11.1), keeping integers where exact.

    Parameters
    ----------
    dataset: attributes
    stored: (H, W) stored values

    Returns
    -------
    (H, W), the input itself when there is nothing to do
    """
    tables = items_of(dataset, "ModalityLUTSequence")
    if tables:
        lut = _read_lut(tables[0], _is_little_endian(dataset))
        if lut is None:
            text = "The Modality LUT cannot be read; stored values are used."
            return stored, (Note("modality_lut_ignored", text),)
        data, stated = lut
        first = first_mapped(stated, data.size, stored)
        index = np.clip(stored.astype(np.int64) - first, 0, data.size - 1)
        notes = (_other_sign("Modality", stated, first),) if first != stated else ()
        return data.astype(np.uint16)[index], notes
    slope, intercept = number_of(dataset, "RescaleSlope"), number_of(dataset, "RescaleIntercept")
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    if slope == 0 or not (abs(slope) < 1e6 and abs(intercept) < 1e9):
        text = f"Rescale slope {slope:g} and intercept {intercept:g} make no sense; ignored."
        return stored, (Note("rescale_ignored", text),)
    if (slope, intercept) == (1.0, 0.0):
        return stored, ()
    if slope == 1 and intercept == int(intercept) and np.issubdtype(stored.dtype, np.integer):
        return _shift(stored, int(intercept)), ()
    out = stored.astype(np.float32)
    out *= np.float32(slope)
    out += np.float32(intercept)
    return out, ()


def _shift(stored: Pixels, offset: int) -> Pixels:
    """Add a whole number, in the smallest type that film processing handles without copies."""
    low, high = int(stored.min()) + offset, int(stored.max()) + offset
    for dtype in (np.uint8, np.uint16, np.int16, np.int32):
        limits = np.iinfo(dtype)
        if limits.min <= low and high <= limits.max:
            return (stored.astype(np.int64) + offset).astype(dtype)
    return (stored.astype(np.float64) + offset).astype(np.float32)


def read_display(dataset: Dataset) -> tuple[Display, tuple[Note, ...]]:
    """Read how to show the image: first window, VOI LUT, polarity (PS3.3 C.11.2, C.11.6)."""
    photometric = text_of(dataset, "PhotometricInterpretation").upper()
    shape = text_of(dataset, "PresentationLUTShape").upper()
    notes: tuple[Note, ...] = ()
    if (photometric, shape) == ("MONOCHROME1", "IDENTITY"):
        text = "MONOCHROME1 with presentation shape IDENTITY contradict; shown as MONOCHROME1."
        notes = (Note("polarity_contradicts", text),)
    function = text_of(dataset, "VOILUTFunction").upper()
    tables = items_of(dataset, "VOILUTSequence")
    lut = _read_lut(tables[0], _is_little_endian(dataset)) if tables else None
    if tables and lut is None:
        text = "The VOI LUT is damaged or shorter than its descriptor says; it is not used."
        notes += (Note("voi_lut_ignored", text),)
    display = Display(
        window=_window(dataset),
        function=function if function in _FUNCTIONS else "LINEAR",
        lut=None if lut is None else _unit(lut[0]),
        lut_first=0 if lut is None else lut[1],
        inverted=photometric == "MONOCHROME1" or shape == "INVERSE",
    )
    return display, notes


def settle_display(radiograph: Radiograph) -> Radiograph:
    """Look at the pixels to see whether the file's own display shows anything, and note what not.

    A VOI LUT whose first value was written with the other sign is put where the pixels are. Where
    window or LUT would leave the film black, white or flat, the next choice is taken: the window
    instead of the LUT, else none (``imaging.display`` then spreads the pixels' own range).
    """
    curve = radiograph.display
    if curve.lut is None and curve.window is None:
        return radiograph
    sample = sample_of(radiograph)
    notes: tuple[Note, ...] = ()
    if curve.lut is not None:
        first = first_mapped(curve.lut_first, len(curve.lut), sample)
        if first != curve.lut_first:
            notes = (_other_sign("VOI", curve.lut_first, first),)
            curve = replace(curve, lut_first=first)
    if sample.min() < sample.max() and shows_nothing(sample, curve):
        plain = replace(curve, lut=None, lut_first=0)
        if curve.lut is None or shows_nothing(sample, plain):
            plain = Display(inverted=curve.inverted)
        what = "VOI LUT" if curve.lut is not None else "window"
        text = f"With the file's {what} the film would be black, white or flat; it is not used."
        notes += (Note("display_ignored", text),)
        curve = plain
    return replace(radiograph, display=curve, notes=radiograph.notes + notes)


def first_mapped(stated: int, entries: int, values: NDArray[Any]) -> int:
    """Return the first value that a LUT maps, by what the values are.

    The descriptor's second number has 16 bits and the sign of the pixels (PS3.3 C.11.1.1.1);
    written or read with the other one it is 65536 off, and no pixel lies in the LUT.
    """
    low, high = float(values.min()), float(values.max())

    def overlap(first: int) -> float:
        return min(high, first + entries - 1) - max(low, first)

    others = [first for first in (stated - 65536, stated + 65536) if overlap(first) >= 0]
    return stated if overlap(stated) >= 0 or not others else max(others, key=overlap)


def _other_sign(kind: str, stated: int, first: int) -> Note:
    text = f"The {kind} LUT says that it begins at {stated}; by its pixels that stands for {first}."
    return Note("lut_first_value", text)


def _window(dataset: Dataset) -> tuple[float, float] | None:
    centres, widths = numbers_of(dataset, "WindowCenter"), numbers_of(dataset, "WindowWidth")
    if not centres or not widths or widths[0] <= 0:
        return None
    return (centres[0], widths[0])


def _unit(data: NDArray[np.float64]) -> NDArray[np.float32]:
    low, high = float(data.min()), float(data.max())
    return ((data - low) / (high - low or 1.0)).astype(np.float32)


def _is_little_endian(dataset: Dataset) -> bool:
    return dataset.original_encoding[1] is not False


def _read_lut(item: Dataset, little: bool) -> Lut | None:
    """Return the entries and the first value mapped, None when damaged (PS3.3 C.11.1.1.1)."""
    descriptor = numbers_of(item, "LUTDescriptor")
    if len(descriptor) != 3:
        return None
    entries, first, bits = (int(n) for n in descriptor)
    entries = entries or _MAX_LUT_ENTRIES  # 0 stands for 65536
    if not (0 < entries <= _MAX_LUT_ENTRIES and 8 <= bits <= 16):
        return None
    try:
        data = _lut_values(value_of(item, "LUTData"), entries, bits, little)
    except CONVERSION_ERRORS:
        return None
    return None if data.size < entries else (data[:entries], first)


def _lut_values(raw: object, entries: int, bits: int, little: bool) -> NDArray[np.float64]:
    """Return LUT entries from US values or from OW bytes (8-bit entries may be packed)."""
    if isinstance(raw, bytes):
        wide = bits > 8 or len(raw) >= 2 * entries
        return np.frombuffer(raw, ("<u2" if little else ">u2") if wide else "u1").astype(np.float64)
    data = np.atleast_1d(np.asarray(raw, np.float64))
    return data if np.isfinite(data).all() else np.zeros(0)
