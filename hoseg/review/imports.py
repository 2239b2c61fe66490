"""Corrections made on a page opened from disk, brought into the history of the run."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from hoseg.errors import InputError
from hoseg.report.paths import inside
from hoseg.review.masks import ossification_of, png_size
from hoseg.review.requests import Request, read_corrections
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
        for said, _ in found:
            if said.correction.kind == WITHDRAW:  # entries are numbered by the history alone
                raise InputError("request", "nothing to withdraw in a file", code="bad_review")
            check_request(said, run, images)
    except InputError as error:
        raise InputError(str(path), error.sentence, code=error.code) from error
    with ReviewStore(run / STORE) as store:
        known = {_key(**entry) for entry in store.history()}
        new = [
            (said, time)
            for said, time in found
            if _key(time=time, **vars(said.correction)) not in known
        ]
        for said, time in new:
            store.add(said.correction, said.mask_png, time)
    return len(new), len(found) - len(new)


def check_request(said: Request, run: Path, images: Collection[str]) -> None:
    """Refuse what is about no image of this run, and a mask that is not of the film's size.

    Raises
    ------
    InputError: ``bad_review``
    """
    image = said.correction.image
    if image not in images:
        raise InputError("request", "no such image", code="bad_review")
    if said.mask_png is not None:
        with inside(run, image, "masks.png").open("rb") as file:
            shape = png_size(file.read(24))
        ossification_of(said.mask_png, shape)


def _key(
    *, time: str, reader: str, image: str, kind: str, side: str, value: str, **_: object
) -> tuple[str, ...]:
    return (time, reader.strip(), image, kind, side, value)
