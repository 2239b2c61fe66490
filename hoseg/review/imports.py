"""Corrections made on a page opened from disk, added to the history of the run."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from hoseg.errors import InputError
from hoseg.review.requests import check_request, read_corrections
from hoseg.review.store import STORE, WITHDRAW, ReviewStore

MAX_FILE_BYTES = 512 * 1024**2


def import_corrections(run: Path, path: Path, images: Collection[str]) -> tuple[int, int]:
    """Append what a downloaded ``corrections.json`` holds; nothing when any of it is refused.

    images: folders of the run's images

    Returns how many were added, and how many were in the history already.

    Raises
    ------
    InputError: the file cannot be read, or holds what does not belong to this run
    OutputError: the history cannot be written
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(str(path), f"larger than {MAX_FILE_BYTES} bytes", code="bad_review")
        text = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), f"{error.strerror}; give corrections.json") from error
    try:
        found = read_corrections(text)
        for request, _ in found:
            if request.correction.kind == WITHDRAW:  # entries are numbered by the history alone
                raise InputError("request", "nothing to withdraw in a file", code="bad_review")
            check_request(request, run, images)
    except InputError as error:
        raise InputError(str(path), error.sentence, code=error.code) from error
    with ReviewStore(run / STORE) as store:
        known = {_key(**entry) for entry in store.history()}
        new = [
            (request, time)
            for request, time in found
            if _key(time=time, **vars(request.correction)) not in known
        ]
        for request, time in new:
            store.add(request.correction, request.mask_png, time)
    return len(new), len(found) - len(new)


def _key(
    *, time: str, reader: str, image: str, kind: str, side: str, value: str, **_: object
) -> tuple[str, ...]:
    return (time, reader.strip(), image, kind, side, value)
