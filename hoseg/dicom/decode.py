"""One input in, its radiographs out. Free of side effects, so it can run in any process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from hoseg.dicom.calibrate import calibrate, read_aspect
from hoseg.dicom.describe import (
    check_uids,
    describe,
    find_age,
    find_orientation,
    find_side,
    find_view,
)
from hoseg.dicom.discover import discover
from hoseg.dicom.grey import apply_modality, read_display, settle_display
from hoseg.dicom.halve import HALF_RESOLUTION, may_halve
from hoseg.dicom.masking import find_valid
from hoseg.dicom.pictures import picture_format, read_picture
from hoseg.dicom.pixels import (
    Frame,
    iter_frames,
    read_layout,
    to_grey,
)
from hoseg.dicom.presentation import read_presentations, with_presentation
from hoseg.dicom.read import parse
from hoseg.dicom.source import Limits, Source
from hoseg.errors import InputError
from hoseg.radiograph import Note, Radiograph
from hoseg.reasons import status_of


def decode(
    source: Source,
    limits: Limits | None = None,
    for_spacing_mm: float | None = None,
    wanted: Callable[[Radiograph], bool] | None = None,
) -> list[Radiograph]:
    """Read one input completely.

    Parameters
    ----------
    source: from ``discover``
    limits: what may be read; sizes are checked before anything is allocated
    for_spacing_mm: pixel spacing of the network, for masks WITHOUT pictures: a JPEG 2000 film of
        much finer pixels is then decoded at half resolution, and has a note ``half_resolution``
    wanted: asked with all but the pixels, before they are decoded; what it declines comes back as
        one radiograph of its size whose pixels are all zero

    Returns
    -------
    One radiograph a frame, in order. Whether they show a hip is not asked here.

    Raises
    ------
    InputError: whatever is wrong with the input, with a code of ``hoseg.reasons.Reason``; for any
        bytes nothing else is raised. A decode that never ends is the caller's to stop.
    """
    limits = limits or Limits()
    data = source.read(limits)
    # The DICOM prefix decides first: a preamble may make the same file a TIFF (PS3.10 7.1).
    if data[128:132] != b"DICM" and picture_format(data):
        return [_with_user_spacing(read_picture(data, source, limits), source)]
    dataset = parse(data, source, limits)
    del data
    layout = read_layout(dataset, source, limits)
    template = _describe(dataset, source)
    template = replace(template, notes=(*layout.notes, *template.notes))
    if wanted is not None and not wanted(template):
        nothing = np.broadcast_to(np.uint8(0), (layout.rows, layout.columns))
        return [replace(template, pixels=nothing)]
    half = may_halve(dataset, template.spacing, for_spacing_mm)
    if half:
        template = replace(template, notes=(*template.notes, HALF_RESOLUTION))
    return [
        _one_frame(_numbered(template, index), frame, dataset, source)
        for index, frame in enumerate(iter_frames(dataset, layout, source, half=half))
    ]


def load(
    path: str | Path,
    spacing_mm: tuple[float, float] | float | None = None,
    limits: Limits | None = None,
    for_spacing_mm: float | None = None,
    *,
    override_spacing: bool = False,
) -> list[Radiograph]:
    """Read every radiograph at a path: a file, a folder, a DICOMDIR or a zip archive.

    Parameters
    ----------
    path: what to read
    spacing_mm: distance between pixel centres at the hip (mm), (row, column) or one for both,
        for files that carry none
    limits: what may be read
    for_spacing_mm: as in ``decode``: for masks without pictures
    override_spacing: ``spacing_mm`` stands in place of what a file carries, too

    Returns
    -------
    All frames of all files; files that are no images are left out when a folder is read

    Raises
    ------
    InputError: the first input that should be an image but cannot be read
    """
    pair = (spacing_mm, spacing_mm) if isinstance(spacing_mm, (int, float)) else spacing_mm
    found: list[Radiograph] = []
    sources = list(discover([path], limits, pair))
    presentations = read_presentations(sources, limits) if len(sources) > 1 else {}
    for source in sources:
        if len(sources) > 1 and source.problem and status_of(source.problem[0]) == "skipped":
            continue
        try:
            source = with_presentation(source, presentations)
            source = replace(source, override_spacing=override_spacing)
            found += decode(source, limits, for_spacing_mm)
        except InputError as error:
            if len(sources) == 1 or status_of(error.code) != "skipped":
                raise
    return found


def _describe(dataset: Dataset, source: Source) -> Radiograph:
    """Fill in all that does not depend on the frame; the pixels are still empty."""
    attributes = describe(dataset)
    spacing, notes = calibrate(dataset, source.spacing_mm, override=source.override_spacing)
    display, display_notes = read_display(dataset)
    side, side_notes = find_side(dataset, attributes)
    view, view_notes = find_view(dataset, attributes, side)
    orientation, orientation_notes = find_orientation(dataset, source.presentation)
    notes += find_age(dataset)[1] + check_uids(dataset)
    return Radiograph(
        pixels=np.empty((0, 0), np.uint8),
        source=source.name,
        spacing=spacing,
        side=side,
        view=view,
        orientation=orientation,
        display=display,
        attributes=attributes,
        aspect=read_aspect(dataset) if spacing is None else 1.0,
        notes=notes + display_notes + side_notes + view_notes + orientation_notes,
    )


def _one_frame(
    template: Radiograph,
    frame: Frame,
    dataset: Dataset,
    source: Source,
) -> Radiograph:
    """Turn one decoded frame into a radiograph."""
    notes = [*template.notes, *frame.notes]
    stored, more = to_grey(frame.pixels, frame.photometric, dataset, source)
    notes += more
    valid, more = find_valid(dataset, stored)
    notes += more
    grey, more = apply_modality(dataset, stored)
    notes += more
    return settle_display(
        replace(template, pixels=np.ascontiguousarray(grey), valid=valid, notes=tuple(notes))
    )


def _numbered(template: Radiograph, index: int) -> Radiograph:
    return replace(template, attributes=replace(template.attributes, frame=index))


def _with_user_spacing(radiograph: Radiograph, source: Source) -> Radiograph:
    if source.spacing_mm is None:
        note = Note("spacing_missing", "No millimetres in a picture; give --spacing-mm.")
        return replace(radiograph, notes=(*radiograph.notes, note))
    spacing, _ = calibrate(Dataset(), source.spacing_mm)
    return replace(radiograph, spacing=spacing)
