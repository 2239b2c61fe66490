"""From corrections back to research: grades for ``evaluate``, masks for ``train``."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.datasets import GradedHip, LabelledImage
from hoseg.datasets import folder as labelled_folder
from hoseg.dicom import Source, decode
from hoseg.errors import InputError
from hoseg.radiograph import Side, Structure
from hoseg.report.review.store import STORE, ReviewStore
from hoseg.report.schema import ResultFile, read_result

GRADE_COLUMNS = ("patient", "image", "side", "brooker", "reader", "time", "blinded")


def export_grades(run: Path, path: Path, reader: str | None = None) -> int:
    """Write the newest grade of every reader for every hip as CSV; returns the rows.

    One reader's file is what ``hoseg evaluate --readers`` compares.
    """
    with ReviewStore(run / STORE) as store, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, GRADE_COLUMNS)
        writer.writeheader()
        grades = list(store.latest_grades(reader))
        for entry in grades:
            result = read_result(run / entry["image"] / "result.json")
            image = result.image
            writer.writerow(
                {
                    "patient": image.patient_id if image else "",
                    "image": entry["image"],
                    "side": entry["side"],
                    "brooker": entry["value"],
                    "reader": entry["reader"],
                    "time": entry["time"],
                    "blinded": int(entry["blinded"]),
                }
            )
    return len(grades)


def export_dataset(run: Path, out: Path, reader: str | None = None) -> int:
    """Write every image with a corrected mask as a labelled folder; returns how many.

    Pelvis, femur and implant are the computer's, ossification is the reader's.
    """
    with ReviewStore(run / STORE) as store:
        return labelled_folder.write(_labelled(run, store, reader), out)


def _labelled(run: Path, store: ReviewStore, reader: str | None) -> Iterator[LabelledImage]:
    grades: dict[str, list[GradedHip]] = {}
    for entry in store.latest_grades(reader):
        hip = GradedHip(Side(entry["side"] or "unknown"), int(entry["value"]))
        grades.setdefault(entry["image"], []).append(hip)
    images = dict.fromkeys(e["image"] for e in store.history() if e["kind"] == "mask")
    for image in images:
        png = store.latest_mask(image, reader)
        if png is None:
            continue
        result = read_result(run / image / "result.json")
        yield _one(run / image, result, ossification_of(png), tuple(grades.get(image, ())))


def _one(
    folder: Path,
    result: ResultFile,
    ossification: NDArray[np.bool_],
    hips: tuple[GradedHip, ...],
) -> LabelledImage:
    masks = cv2.imread(str(folder / "masks.png"), cv2.IMREAD_UNCHANGED)
    masks = masks & ~np.uint8(Structure.OSSIFICATION)
    masks[ossification] |= np.uint8(Structure.OSSIFICATION)
    frame = result.image.frame if result.image else 0
    radiograph = _source(result)[frame]
    return LabelledImage(
        case=result.folder.replace("/", "_"),
        patient=(result.image.patient_id if result.image else "") or result.folder,
        radiograph=replace(radiograph, source=result.source),
        masks=masks,
        ignore=None,
        hips=hips,
    )


def _source(result: ResultFile) -> list:  # type: ignore[type-arg]
    """Decode the input again: the run keeps no copy of the pixels."""
    name, _, member = result.source.partition("!")
    path = Path(name)
    if not path.exists():
        raise InputError(result.source, "the input has moved; put it back to export its mask")
    spacing = result.image.spacing if result.image else None
    stated = (spacing.row_mm, spacing.column_mm) if spacing and spacing.source == "user" else None
    return decode(Source(path, result.source, member or None, None, stated))


def ossification_of(png: bytes) -> NDArray[np.bool_]:
    """(H, W) bool of a reader's mask: white or opaque where ossification is.

    Raises
    ------
    InputError: not a PNG
    """
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise InputError("mask", "not a readable PNG", code="bad_review")
    return np.asarray((picture if picture.ndim == 2 else picture[..., -1]) > 127)
