"""Write files so that nobody ever sees half of one: a temporary name first, then a rename."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hoseg.errors import OutputError

REMEDY = "free space or choose another --out"


def make_folder(path: Path) -> None:
    """Make a folder with those above it; one that is there stays as it is.

    Raises
    ------
    OutputError: no permission, disk full, or a file of that name
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be made: {error.strerror or error}; {REMEDY}") from error


@contextmanager
def written_whole(path: Path, *, flush: bool = False, remedy: str = REMEDY) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; it gets its name when the block ends.

    Parameters
    ----------
    path: the final name; a file there is replaced, or stays as it is when the block raises
    flush: wait until the disk holds the contents (fsync), so that a power cut cannot leave an
        empty file of the final name; without it only the death of the process is survived
    remedy: what to do when it cannot be written, for the error's sentence

    Raises
    ------
    OutputError: disk full, no permission, no such folder
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield part
        if flush:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}; {remedy}") from error
    finally:
        part.unlink(missing_ok=True)


def write_whole(
    path: Path, data: str | bytes, *, flush: bool = False, remedy: str = REMEDY
) -> None:
    """Write text (UTF-8, as it is) or bytes under the rules of ``written_whole``."""
    content = data.encode("utf-8") if isinstance(data, str) else data
    with written_whole(path, flush=flush, remedy=remedy) as part:
        part.write_bytes(content)


def write_csv(
    path: Path,
    header: Iterable[str],
    rows: Iterable[Iterable[object]],
    *,
    flush: bool = False,
    errors: str = "replace",
) -> None:
    """Write a table under the rules of ``written_whole``: UTF-8, RFC 4180, lines end in LF.

    rows: cells in the order of ``header``; text that strangers wrote needs ``guarded``
    flush: as in ``written_whole``
    errors: what becomes of characters that are no text, such as bytes of a file name
    """
    with (
        written_whole(path, flush=flush) as part,
        part.open("w", newline="", encoding="utf-8", errors=errors) as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def guarded(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula.

    Examples
    --------
    >>> guarded("=HYPERLINK(...)"), guarded("1.2.840")
    ("'=HYPERLINK(...)", '1.2.840')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def unguarded(text: str) -> str:
    """Text as it was before ``guarded``."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
