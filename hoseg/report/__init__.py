"""Overlays, tables, DICOM objects and the review page."""
