"""From corrections back to research: grades for ``evaluate``, masks for ``train``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoseg.datasets import GradedHip, LabelledImage
from hoseg.datasets import folder as labelled_folder
from hoseg.datasets.labelled import usual_way_up
from hoseg.dicom import decode
from hoseg.dicom.archive import source_named
from hoseg.errors import InputError, OutputError
from hoseg.picture_files import read_pixels
from hoseg.radiograph import Radiograph, Side, SpacingSource, Structure
from hoseg.report.paths import inside, located
from hoseg.report.schema import ResultFile, read_result
from hoseg.report.tables import Column, write_csv
from hoseg.review.requests import ossification_of
from hoseg.review.store import STORE, ReviewStore

GRADE_COLUMNS: tuple[Column, ...] = (
    Column("image", "text", "", "input as named on the command line of hoseg run"),
    Column("sop_uid", "text", "", "SOP Instance UID"),
    Column("patient", "text", "", "Patient ID (0010,0020)"),
    Column("folder", "text", "", "folder of the image's outputs, relative to the run"),
    Column("side", "text", "code", "the PATIENT's side of this hip: left, right, unknown"),
    Column("brooker", "integer", "class", "Brooker class 0-4 by the reader"),
    Column("reader", "text", "", "who graded"),
    Column("time", "text", "ISO 8601", "when, UTC"),
    Column("blinded", "integer", "flag", "1: graded without seeing the computer's result"),
)
"""``hoseg evaluate`` reads them as truth, and as a reader beside another or a ``findings.csv``."""


def export_grades(
    run: Path, path: Path, reader: str | None = None, *, blinded: bool = False
) -> list[str]:
    """Write the newest grade of every reader for every hip as CSV.

    reader: only this one's, which is what ``hoseg evaluate --readers`` compares
    blinded: only those given without seeing the computer's result

    Returns the reader of each row.

    Raises
    ------
    OutputError: the CSV or the history cannot be opened
    """
    with _history(run) as store:
        grades = list(store.latest_grades(reader, blinded=blinded))
    write_csv(path, GRADE_COLUMNS, (_grade_row(run, entry) for entry in grades))
    return [entry["reader"] for entry in grades]


def _grade_row(run: Path, entry: dict[str, Any]) -> dict[str, str]:
    result = read_result(inside(run, entry["image"], "result.json"))
    return {
        "image": result.source,
        "sop_uid": result.image.sop_uid if result.image else "",
        "patient": result.image.patient_id if result.image else "",
        "folder": entry["image"],
        "side": entry["side"],
        "brooker": entry["value"],
        "reader": entry["reader"],
        "time": entry["time"],
        "blinded": str(int(entry["blinded"])),
    }


def export_dataset(
    run: Path, out: Path, reader: str | None = None, *, blinded: bool = False
) -> int:
    """Write every image with a corrected mask as a labelled folder; returns how many.

    Pelvis, femur and implant are the computer's, ossification is the reader's.

    reader: only this one's masks and grades; None = the newest of anybody
    blinded: only those made without seeing the computer's result

    Raises
    ------
    InputError: an input of the run has moved
    OutputError: the folder or the history cannot be opened
    """
    with _history(run) as store:
        return labelled_folder.write(_labelled(run, store, reader, blinded), out)


def _history(run: Path) -> ReviewStore:
    if not (run / STORE).is_file():
        raise OutputError(f"{run}: no {STORE}; nothing was saved yet: start hoseg review {run}")
    return ReviewStore(run / STORE)


def _labelled(
    run: Path, store: ReviewStore, reader: str | None, blinded: bool
) -> Iterator[LabelledImage]:
    grades: dict[str, dict[Side, GradedHip]] = {}
    for entry in store.latest_grades(reader, blinded=blinded):
        side = Side(entry["side"] or "unknown")
        grades.setdefault(entry["image"], {})[side] = GradedHip(side, int(entry["value"]))
    for image in dict.fromkeys(e["image"] for e in store.history() if e["kind"] == "mask"):
        png = store.latest_mask(image, reader, blinded=blinded)
        if png is not None:
            yield _one(run, image, png, tuple(grades.get(image, {}).values()))


def _one(run: Path, image: str, png: bytes, hips: tuple[GradedHip, ...]) -> LabelledImage:
    folder = inside(run, image)
    result = read_result(folder / "result.json")
    masks = read_pixels(folder / "masks.png")
    if masks is None:
        raise InputError(str(folder / "masks.png"), "cannot be read; run hoseg run again")
    film = LabelledImage(
        case=result.folder.replace("/", "_"),
        patient=(result.image.patient_id if result.image else "") or result.folder,
        radiograph=_radiograph(result, located(run, result.source)),
        masks=_corrected(masks.astype(np.uint8), ossification_of(png, masks.shape)),
        ignore=None,
        hips=hips,
    )
    return usual_way_up(film)


def _corrected(masks: NDArray[np.uint8], ossification: NDArray[np.bool_]) -> NDArray[np.uint8]:
    bit = np.uint8(Structure.OSSIFICATION)
    return np.where(ossification, masks | bit, masks & ~bit)


def _radiograph(result: ResultFile, source: str) -> Radiograph:
    """Decode the input again: the run keeps no copy of the pixels."""
    place = source_named(source)
    if place is None:
        raise InputError(result.source, "has moved; put it back to export its corrected mask")
    spacing = result.image.spacing if result.image else None
    by_user = spacing and spacing.source in (SpacingSource.USER, SpacingSource.USER_OVERRIDE)
    stated = (spacing.row_mm, spacing.column_mm) if spacing and by_user else None
    frames = decode(replace(place, name=result.source, spacing_mm=stated, override_spacing=True))
    number, uid = (result.image.frame, result.image.sop_uid) if result.image else (0, "")
    # A run folder may come from somebody else, and name any film of this machine.
    if number >= len(frames) or frames[number].attributes.sop_uid != uid:
        text = "is not the film that this result was made from; put that back, or run it again"
        raise InputError(result.source, text, code="source_changed")
    return replace(frames[number], source=result.source)
