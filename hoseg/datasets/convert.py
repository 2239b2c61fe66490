"""From any readable format to any writable one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from hoseg.datasets.formats import FORMATS
from hoseg.datasets.labelled import Dataset, LabelledImage, usual_way_up
from hoseg.errors import OutputError, SettingError


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

    Raises SettingError for a format that cannot be written or a folder in use, InputError for the
    first film that cannot be read.
    """
    entry = FORMATS.get(format)
    if entry is None or entry.write is None:
        raise SettingError("--to", format, f"one of {', '.join(writable())}")
    if out.exists() and any(out.iterdir()):
        raise SettingError("--out", str(out), "a new or empty folder")

    def images() -> Iterator[LabelledImage]:
        for film in dataset.films:
            yield usual_way_up(film.read())
            advance()

    try:
        out.mkdir(parents=True, exist_ok=True)
        return entry.write(images(), out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror})") from error
