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
    return sop_identity(source)[1].encode("ascii", "replace") or None


def sop_identity(source: Source) -> tuple[str, str]:
    """Return SOP Class UID and SOP Instance UID of an input; "" for what it has not."""
    head = source.head(_HEAD_BYTES)
    if not looks_like_dicom(head):
        return "", ""
    silence_warnings()
    try:
        dataset = read_partial(
            io.BytesIO(head),
            stop_when=_after_instance,
            force=True,
            specific_tags=[_SOP_CLASS, _SOP_INSTANCE],
        )
        return text_of(dataset, "SOPClassUID"), text_of(dataset, "SOPInstanceUID")
    except PARSE_ERRORS:
        return "", ""


def _after_instance(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag > _SOP_INSTANCE
