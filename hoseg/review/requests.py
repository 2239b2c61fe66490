"""What the page sends when a reader corrects: checked before anything is decoded or kept."""

from __future__ import annotations

import base64
import struct
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Literal

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from hoseg.errors import InputError
from hoseg.report.paths import inside
from hoseg.report.png import SIGNATURE
from hoseg.review.store import Correction

MAX_BODY_BYTES = 32 * 1024**2


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    reader: str
    image: str
    kind: str
    side: str = ""
    value: str = ""
    mask_png: str | None = None


class _Kept(_Body):
    time: AwareDatetime


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    schema_id: Literal["hoseg-corrections-1"]
    corrections: list[_Kept]


@dataclass(frozen=True)
class Request:
    """A correction, and the bytes of a PNG when it is of kind "mask"."""

    correction: Correction
    mask_png: bytes | None


def read_request(body: bytes, *, blinded: bool) -> Request:
    """Parse the body of a request.

    body: JSON
    blinded: whether the server shows no computer result

    Raises
    ------
    InputError: ``bad_review`` with the key and what was expected
    """
    try:
        return _request(_Body.model_validate_json(body), blinded=blinded)
    except ValidationError as error:
        raise _refusal(error, "body") from error


def read_corrections(text: bytes) -> list[tuple[Request, str]]:
    """Parse the file that a page opened from disk offers for download.

    Returns
    -------
    Corrections, oldest first, each with its time (ISO 8601, UTC)

    Raises
    ------
    InputError: ``bad_review`` with the key and what was expected
    """
    try:
        kept = _File.model_validate_json(text).corrections
    except ValidationError as error:
        raise _refusal(error, "file") from error
    return [
        (
            _request(entry, blinded=False),
            entry.time.astimezone(UTC).isoformat(timespec="milliseconds"),
        )
        for entry in kept
    ]


def _request(body: _Body, *, blinded: bool) -> Request:
    try:
        png = None if body.mask_png is None else base64.b64decode(body.mask_png, validate=True)
    except ValueError as error:
        raise InputError("request", f"mask_png: {error}", code="bad_review") from error
    if (body.kind == "mask") != bool(png):
        raise InputError("request", "kind 'mask' goes with mask_png", code="bad_review")
    correction = Correction(body.reader, body.image, body.kind, body.side, body.value, blinded)
    return Request(correction, png)


def check_request(request: Request, run: Path, images: Collection[str]) -> None:
    """Refuse what is about no image of this run, and a mask that is not of the film's size.

    Raises
    ------
    InputError: ``bad_review``
    """
    image = request.correction.image
    if image not in images:
        raise InputError("request", "no such image", code="bad_review")
    if request.mask_png is not None:
        with inside(run, image, "masks.png").open("rb") as file:
            shape = png_size(file.read(24))
        ossification_of(request.mask_png, shape)


def png_size(png: bytes) -> tuple[int, int]:
    """(rows, columns) that the header of a PNG states (PNG, third edition, 11.2.1).

    Raises
    ------
    InputError: not a PNG
    """
    if len(png) < 24 or not png.startswith(SIGNATURE) or png[12:16] != b"IHDR":
        raise InputError("mask", "not a PNG", code="bad_review")
    columns, rows = struct.unpack(">II", png[16:24])
    return rows, columns


def ossification_of(png: bytes, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) bool of a reader's mask: opaque where ossification is, or white without an alpha.

    shape: (H, W) of the film

    Raises
    ------
    InputError: not a readable 8-bit PNG of the film's size; the size is checked before anything
        is allocated
    """
    if png_size(png) != shape:
        sentence = f"{png_size(png)} rows and columns, the film has {shape}"
        raise InputError("mask", sentence, code="bad_review")
    try:
        picture = imagecodecs.png_decode(png)
    except imagecodecs.PngError as error:
        raise InputError("mask", f"not a readable PNG ({error})", code="bad_review") from error
    if picture.dtype != np.uint8:
        raise InputError("mask", "8 bits a sample expected", code="bad_review")
    return np.asarray((picture if picture.ndim == 2 else picture[..., -1]) > 127)


def _refusal(error: ValidationError, whole: str) -> InputError:
    first = error.errors(include_url=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or whole
    return InputError("request", f"{key}: {first['msg']}", code="bad_review")
