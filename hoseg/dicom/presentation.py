"""Rotation and flip of Presentation States, for images that do not say how they lie.

A Grayscale Softcopy Presentation State (PS3.3 A.33.1) may turn the images it refers to. That says
how somebody wished to see them, not how the patient lay, so it counts only where Patient
Orientation is absent, and what is shown is taken for a standard view.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace

from pydicom import dcmread

from hoseg.dicom.instance import sop_identity
from hoseg.dicom.read import PARSE_ERRORS, silence_warnings
from hoseg.dicom.source import Limits, Source
from hoseg.dicom.values import items_of, text_of, whole_of
from hoseg.errors import InputError
from hoseg.radiograph import Orientation, Side

PRESENTATION_STATES = "1.2.840.10008.5.1.4.1.1.11."
"""Begin of the SOP classes of all softcopy presentation states."""

Presentations = dict[str, Orientation]
"""How the film of a SOP Instance UID lies, by a presentation state that turns it."""


def read_presentations(sources: Iterable[Source], limits: Limits | None = None) -> Presentations:
    """Collect what the presentation states among some inputs say; only their files are read.

    The last of several states that turn one image stands. What cannot be read says nothing.
    """
    found: Presentations = {}
    for source in sources:
        if source.problem is None and sop_identity(source)[0].startswith(PRESENTATION_STATES):
            found |= turned_images(source, limits or Limits())
    return found


def with_presentation(source: Source, presentations: Presentations) -> Source:
    """The same input, knowing the presentation state that turns its film."""
    if not presentations or source.problem is not None:
        return source
    return replace(source, presentation=presentations.get(sop_identity(source)[1]))


def turned_images(source: Source, limits: Limits) -> Presentations:
    """What one presentation state says of the images that it turns."""
    silence_warnings()
    try:
        dataset = dcmread(io.BytesIO(source.read(limits)), force=True)
        quarters, odd = divmod(whole_of(dataset, "ImageRotation") or 0, 90)
        flipped = text_of(dataset, "ImageHorizontalFlip").upper() == "Y"
        if odd or not (quarters % 4 or flipped):
            return {}
        # Shown = turned clockwise, then flipped (PS3.3 C.10.6): stored is the way back.
        shown = Orientation(Side.RIGHT if flipped else Side.LEFT, True, "presentation")
        orientation = shown.after_quarters(quarters % 4)
        return {
            text_of(image, "ReferencedSOPInstanceUID"): orientation
            for series in items_of(dataset, "ReferencedSeriesSequence")
            for image in items_of(series, "ReferencedImageSequence")
        }
    except (InputError, *PARSE_ERRORS):
        return {}
