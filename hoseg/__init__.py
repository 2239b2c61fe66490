"""Heterotopic ossification on hip radiographs: segment, measure, grade.

Research use only. Not a medical device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.5.0"

if TYPE_CHECKING:
    from hoseg.dicom import load as load
    from hoseg.pipeline import Pipeline as Pipeline
    from hoseg.pipeline import StudyResult as StudyResult

# Imported on first use, so that ``hoseg --help`` answers before numpy and torch are loaded.
_LAZY = {
    "load": "hoseg.dicom",
    "Pipeline": "hoseg.pipeline",
    "StudyResult": "hoseg.pipeline",
}

__all__ = ["Pipeline", "StudyResult", "__version__", "load"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'hoseg' has no attribute {name!r}")
