"""The inputs: simulated films, a patient seen more than once, pictures, and what is no hip film."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from . import COUNT, SEED, SPACING_MM
from .names import FolderSettings, write_film, write_folder

FILMS, PICTURES, PATIENT, OTHERS = (
    Path(name) for name in ("films", "pictures", "patient", "others")
)
"""Folders of the inputs, relative to the working folder: results name inputs so."""

DRAWN = (0, 6, 22)
"""Films that are written as PNG too, without millimetres."""

VISITS = {
    "prior": (9, "1", "20190304"),
    "pelvis": (0, "2", "20200415"),
    "hip": (1, "2", "20200415"),
}
"""One patient: name -> (film that it is a copy of, study, date). Two films are of one study."""


def write_films() -> None:
    """Write all inputs below the working folder."""
    settings = FolderSettings(COUNT, SEED, dicom=True, spacing_mm=SPACING_MM)
    write_folder(FILMS, settings, 1, lambda: None)
    for index in DRAWN:
        write_film(PICTURES, index, replace(settings, dicom=False))
    PATIENT.mkdir()
    for number, (name, (index, study, date)) in enumerate(VISITS.items(), start=1):
        _copy(index, PATIENT / f"{name}.dcm", number, _visit(study, date))
    _write_others()


def film_paths() -> list[Path]:
    """The simulated DICOM films, in order."""
    return [FILMS / f"{index:06d}" / "image.dcm" for index in range(COUNT)]


def visit_paths() -> list[Path]:
    """The films of the patient who was seen more than once."""
    return [PATIENT / f"{name}.dcm" for name in VISITS]


def other_paths() -> list[Path]:
    """What must be skipped or fails."""
    return sorted(OTHERS.iterdir())


def picture_paths() -> list[Path]:
    """The films that are PNG."""
    return [PICTURES / f"{index:06d}" / "image.png" for index in DRAWN]


def truth_folder(path: Path) -> Path | None:
    """Folder with the true masks of an input, or None where there are none."""
    if path.parent == PATIENT:
        return FILMS / f"{VISITS[path.stem][0]:06d}"
    return None if path.parent == OTHERS else path.parent


def _visit(study: str, date: str) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        dataset.PatientID, dataset.PatientName = "GOLDEN-1", "GOLDEN^HIP"
        dataset.StudyInstanceUID = f"2.25.1000{study}"
        dataset.SeriesInstanceUID = f"2.25.2000{study}"
        dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = date

    return change


def _chest(dataset: Dataset) -> None:
    dataset.BodyPartExamined = "CHEST"
    dataset.StudyDescription = dataset.SeriesDescription = "Chest PA"


def _child(dataset: Dataset) -> None:
    dataset.PatientAge = "009Y"


def _copy(index: int, path: Path, number: int, change: Callable[[Dataset], None]) -> None:
    """Copy a simulated film under a UID of its own, changed."""
    dataset = pydicom.dcmread(FILMS / f"{index:06d}" / "image.dcm")
    change(dataset)
    dataset.SOPInstanceUID = f"2.25.3000{number}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)


def _write_others() -> None:
    OTHERS.mkdir()
    _copy(0, OTHERS / "chest.dcm", 8, _chest)
    _copy(0, OTHERS / "child.dcm", 9, _child)
    (OTHERS / "empty.dcm").write_bytes(b"")
    (OTHERS / "notes.txt").write_text("not an image")
    half = FILMS / "000000" / "image.dcm"
    (OTHERS / "half.dcm").write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    shutil.copy(FILMS / "000000" / "masks.png", OTHERS / "masks.png")
