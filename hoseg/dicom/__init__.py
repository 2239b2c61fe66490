"""From files to radiographs: find, read, decode, calibrate."""

from __future__ import annotations

from hoseg.dicom.decode import decode, instance_key, load, study_key
from hoseg.dicom.discover import discover
from hoseg.dicom.source import Limits, Source

__all__ = ["Limits", "Source", "decode", "discover", "instance_key", "load", "study_key"]
