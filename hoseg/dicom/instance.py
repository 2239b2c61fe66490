"""What identifies an image wherever it is stored, read from the head of the file."""

from __future__ import annotations

import io

from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

from hoseg.dicom.read import PARSE_ERRORS, looks_like_dicom, silence_warnings
from hoseg.dicom.source import Source
from hoseg.dicom.values import text_of

_HEAD_BYTES = 32_768  # SOP class and instance are among the first elements of every object
_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018


def sop_instance(source: Source) -> bytes | None:
    """Return the SOP Instance UID of an input without reading its pixels.

    None when it has none or cannot be read: such an input is never taken for a duplicate, and
    ``decode`` says what is wrong with it.
    """
    return _head_text(source, "SOPInstanceUID").encode("ascii", "replace") or None


def sop_class(source: Source) -> str:
    """Return the SOP Class UID of an input without reading its pixels; "" when it has none."""
    return _head_text(source, "SOPClassUID")


def _head_text(source: Source, keyword: str) -> str:
    head = source.head(_HEAD_BYTES)
    if not looks_like_dicom(head):
        return ""
    silence_warnings()
    try:
        dataset = read_partial(
            io.BytesIO(head),
            stop_when=_after_instance,
            force=True,
            specific_tags=[_SOP_CLASS, _SOP_INSTANCE],
        )
        return text_of(dataset, keyword)
    except PARSE_ERRORS:
        return ""


def _after_instance(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag > _SOP_INSTANCE
