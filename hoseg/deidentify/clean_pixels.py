"""Pixel data without burned-in text, without anything hidden beside the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from hoseg.deidentify.attributes import Policy
from hoseg.deidentify.burned_in import MAX_MASKED_SHARE, Box, boxes_of, find_text, paint_out
from hoseg.deidentify.refusals import Refused
from hoseg.deidentify.unexposed import fill_flat, unexposed
from hoseg.dicom.pixels import Frame, Pixels, iter_frames, read_layout
from hoseg.dicom.source import Limits, Source
from hoseg.errors import InputError


@dataclass(frozen=True)
class Painted:
    """What was painted out.

    boxes: round what was painted over inside the exposed field
    share: of the image that this was
    border_share: of the image, the unexposed border that became one grey
    """

    boxes: tuple[Box, ...] = ()
    share: float = 0.0
    border_share: float = 0.0


def clean_pixels(
    clean: Dataset, original: Dataset, policy: Policy, source: Source, limits: Limits
) -> Painted:
    """Put cleaned pixel data into a de-identified dataset; returns what was painted out.

    Where no beam arrived there is nothing of the patient and often text: with the policy "mask"
    the border outside the exposed field becomes flat, whatever is seen in it. Inside the field,
    what looks like writing is painted over.

    The pixels are always decoded and written uncompressed, as they are or painted: comments
    inside a compressed stream, bytes after the last frame and overlays in unused bits are gone.

    Parameters
    ----------
    clean : Dataset
        From ``deidentify_dataset``; changed in place.
    original : Dataset
        The same object as parsed by ``hoseg.dicom.read.parse``.

    Raises
    ------
    InputError
        ``burned_in_text``: text was found and the policy refuses it, or it covers too much;
        ``burned_in_not_found``: the file says it has burned-in text and none was found; and
        whatever keeps pixels from being decoded.
    """
    layout = read_layout(original, source, limits)
    if layout.keyword != "PixelData" or layout.bits_allocated not in (8, 16, 32):
        raise InputError(
            source.name,
            f"{layout.keyword} of {layout.bits_allocated} bits cannot be cleaned",
            code="unsupported",
        )
    decoded = list(iter_frames(original, layout, source))
    frames = [frame.pixels for frame in decoded]
    if policy.pixels == "keep":
        _store(clean, frames, decoded[-1])
        return Painted()
    shape = original.get("PresentationLUTShape")
    inverted = decoded[-1].photometric == "MONOCHROME1" or shape == "INVERSE"
    borders = [unexposed(frame, inverted=inverted) for frame in frames]
    mask = _find(frames, borders, policy, original, source)
    painted = [
        fill_flat(paint_out(frame, mask), border)
        for frame, border in zip(frames, borders, strict=True)
    ]
    _store(clean, painted, decoded[-1])
    clean.BurnedInAnnotation = "NO"
    border_share = float(np.mean([border.mean() for border in borders]))
    return Painted(boxes_of(mask), float(mask.mean()), border_share)


def _find(
    frames: list[Pixels],
    borders: list[NDArray[np.bool_]],
    policy: Policy,
    original: Dataset,
    source: Source,
) -> NDArray[np.bool_]:
    """What to paint over: writing that is not in the border; in the border it counts too when
    it decides whether to refuse."""
    says_so = str(original.get("BurnedInAnnotation", "")).strip().upper() == "YES"
    mask = np.zeros(frames[0].shape[:2], bool)
    everywhere = False
    for frame, border in zip(frames, borders, strict=True):
        found = find_text(frame)
        everywhere |= bool(found.any())
        mask |= found & ~border
    if says_so and not everywhere:
        raise InputError(
            source.name,
            "Burned In Annotation (0028,0301) = YES, and no text was found; look at the image "
            "and use --pixels keep when it shows none",
            code=Refused.BURNED_IN_NOT_FOUND.value,
        )
    share = float(mask.mean())
    if (everywhere and policy.pixels == "refuse") or share > MAX_MASKED_SHARE:
        raise InputError(
            source.name,
            f"text is burned into {share:.1%} of the image inside the exposed field; at most "
            f"{MAX_MASKED_SHARE:.0%} is painted out, with --pixels mask",
            code=Refused.BURNED_IN_TEXT.value,
        )
    return mask


def _store(clean: Dataset, frames: list[Pixels], last: Frame) -> None:
    stack = np.stack(frames)
    data = stack.astype(stack.dtype.newbyteorder("<"), copy=False).tobytes()
    clean.PixelData = data + b"\0" * (len(data) % 2)
    clean["PixelData"].VR = "OB" if stack.dtype.itemsize == 1 else "OW"
    clean.BitsAllocated = stack.dtype.itemsize * 8
    clean.BitsStored = min(last.bits_stored, clean.BitsAllocated)
    clean.HighBit = clean.BitsStored - 1
    if "NumberOfFrames" in clean:
        clean.NumberOfFrames = len(frames)
    clean.PhotometricInterpretation = last.photometric
    if stack.ndim == 4:
        clean.PlanarConfiguration = 0
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in clean:
            delattr(clean, keyword)
    clean.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
