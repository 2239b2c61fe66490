"""What the page sends when a reader says something: checked, then a ``Correction``."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from hoseg.errors import InputError
from hoseg.report.review.store import Correction

MAX_BODY_BYTES = 32 * 1024**2


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    reader: str
    image: str
    kind: str
    side: str = ""
    value: str = ""
    mask_png: str | None = None


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
        said = _Body.model_validate_json(body)
        png = None if said.mask_png is None else base64.b64decode(said.mask_png, validate=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "body"
        raise InputError("request", f"{key}: {first['msg']}", code="bad_review") from error
    except ValueError as error:
        raise InputError("request", f"mask_png: {error}", code="bad_review") from error
    if (said.kind == "mask") != bool(png):
        raise InputError("request", "kind 'mask' goes with mask_png", code="bad_review")
    correction = Correction(said.reader, said.image, said.kind, said.side, said.value, blinded)
    return Request(correction, png)
