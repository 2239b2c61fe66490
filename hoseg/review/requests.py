"""What the page sends when a reader says something: checked, then a ``Correction``."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from hoseg.errors import InputError
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
    Corrections, oldest first, each with the time (ISO 8601, UTC) at which it was said

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
            _request(said, blinded=False),
            said.time.astimezone(UTC).isoformat(timespec="milliseconds"),
        )
        for said in kept
    ]


def _request(said: _Body, *, blinded: bool) -> Request:
    try:
        png = None if said.mask_png is None else base64.b64decode(said.mask_png, validate=True)
    except ValueError as error:
        raise InputError("request", f"mask_png: {error}", code="bad_review") from error
    if (said.kind == "mask") != bool(png):
        raise InputError("request", "kind 'mask' goes with mask_png", code="bad_review")
    correction = Correction(said.reader, said.image, said.kind, said.side, said.value, blinded)
    return Request(correction, png)


def _refusal(error: ValidationError, whole: str) -> InputError:
    first = error.errors(include_url=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or whole
    return InputError("request", f"{key}: {first['msg']}", code="bad_review")
