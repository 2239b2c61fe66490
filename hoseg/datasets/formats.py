"""The table of dataset formats: how one is opened, written, and turned into another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hoseg.datasets import coco, dicom_seg, folder, grades, labelme, nnunet, readings, simulated
from hoseg.datasets.labelled import Dataset, LabelledImage, LazyFilm, usual_way_up
from hoseg.errors import InputError, OutputError, SettingError


@dataclass(frozen=True)
class Format:
    """One format.

    recognises: whether a path looks like it
    films: films at a path, given the spacing in mm where the files have none
    write: write images below a folder; None when the format is only read
    """

    recognises: Callable[[Path], bool]
    films: Callable[[Path, float | None], list[LazyFilm]]
    write: Callable[[Iterable[LabelledImage], Path], int] | None = None


FORMATS: dict[str, Format] = {
    "simulated": Format(simulated.recognises, simulated.films),
    "folder": Format(folder.recognises, folder.films, folder.write),
    "nnunet": Format(nnunet.recognises, nnunet.films, nnunet.write),
    "coco": Format(coco.recognises, coco.films, coco.write),
    "labelme": Format(labelme.recognises, labelme.films, labelme.write),
    "dicom_seg": Format(dicom_seg.recognises, dicom_seg.films, dicom_seg.write),
    "grades": Format(grades.recognises, grades.films),
    "readings": Format(readings.recognises, readings.films),
}
"""By name; "auto" takes the first that recognises the path."""


def open_dataset(
    path: Path | str, format: str = "auto", spacing_mm: float | None = None
) -> Dataset:
    """Open a labelled dataset; images are read one by one later.

    path: folder, JSON or CSV file
    format: a name in ``FORMATS``, or "auto"
    spacing_mm: pixel spacing at the hip for files that do not say

    Raises SettingError when the path does not exist or nothing recognises it.
    """
    path = Path(path)
    if not path.exists():
        raise SettingError("DATASET", str(path), "an existing folder or file")
    if format == "auto":
        format = next((name for name, f in FORMATS.items() if f.recognises(path)), "")
        if not format:
            raise SettingError("DATASET", str(path), f"one of the formats {', '.join(FORMATS)}")
    if format not in FORMATS:
        raise SettingError("format", format, f"auto or one of {', '.join(FORMATS)}")
    films = FORMATS[format].films(path, spacing_mm)
    if not films:
        raise SettingError("DATASET", str(path), f"at least one film in format {format!r}")
    return Dataset(path, format, tuple(films))


def writable() -> list[str]:
    """Names of the formats that can be written."""
    return [name for name, entry in FORMATS.items() if entry.write is not None]


def convert(
    dataset: Dataset, format: str, out: Path, advance: Callable[[], None] = lambda: None
) -> int:
    """Write every film of ``dataset`` below ``out``; returns how many.

    format: one of ``writable()``
    out: a new or empty folder
    advance: called after each film

    Raises SettingError for readings, a format that cannot be written or a folder in use,
    InputError for the first film that cannot be read.
    """
    entry = FORMATS.get(format)
    if entry is None or entry.write is None:
        raise SettingError("--to", format, f"one of {', '.join(writable())}")
    if dataset.format == "readings":
        allowed = "films with masks or grades: what a reader only says, no other format holds"
        raise SettingError("DATASET", str(dataset.path), allowed)
    if out.exists() and any(out.iterdir()):
        raise SettingError("--out", str(out), "a new or empty folder")

    def images() -> Iterator[LabelledImage]:
        written: set[str] = set()
        for film in dataset.films:
            image = usual_way_up(film.read())
            name = image.case.replace("/", "_")  # most formats have no folders within
            if name.casefold() in written:
                text = f"another film is written as {name!r} too; give each a name of its own"
                raise InputError(str(film.path), text, code="duplicate")
            written.add(name.casefold())
            yield replace(image, case=name)
            advance()

    try:
        out.mkdir(parents=True, exist_ok=True)
        return entry.write(images(), out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror})") from error
