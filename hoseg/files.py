"""Write files so that nobody ever sees half of one: a temporary name first, then a rename."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hoseg.errors import OutputError

REMEDY = "free space or choose another --out"


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
