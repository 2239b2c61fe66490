"""Overlays, tables, DICOM objects and the review page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hoseg.report.export import export_run as export_run

__all__ = ["export_run"]


def __getattr__(name: str) -> Any:
    # highdicom takes a second to import: only those who export wait for it.
    if name == "export_run":
        from hoseg.report.export import export_run

        return export_run
    raise AttributeError(f"module 'hoseg.report' has no attribute {name!r}")
