"""From files to radiographs: find, read, decode, calibrate."""

from __future__ import annotations

from hoseg.dicom.decode import decode, load
from hoseg.dicom.discover import discover
from hoseg.dicom.instance import sop_instance
from hoseg.dicom.source import Limits, Source

__all__ = ["Limits", "Source", "decode", "discover", "load", "sop_instance"]
