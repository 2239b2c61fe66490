"""JSON and CSV files of other programs: read in any of their encodings, checked, with one error."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hoseg.dicom.source import Limits, Source
from hoseg.errors import InputError
from hoseg.files import unguarded

_DELIMITERS = ",;\t"


class Loose(BaseModel):
    """Part of another program's file: keys of its own are left alone."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True, allow_inf_nan=False)


_File = TypeVar("_File", bound=Loose)


def read_json(kind: type[_File], path: Path) -> _File:
    """Read and check a JSON file; InputError names the key that does not fit, and its value."""
    try:
        return kind.model_validate_json(_json_text(path))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "file"
        value = first["input"]
        if isinstance(value, str | int | float) and first["loc"]:
            key = f"{key} = {value!r:.80}"
        raise InputError(str(path), f"{key}: {first['msg']}", code="bad_annotation") from error


def has_keys(path: Path, keys: Collection[str]) -> bool:
    """Whether a file is a JSON object with some keys; a file that cannot be read is none."""
    try:
        content = json.loads(_json_text(path))
    except (InputError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and set(keys) <= content.keys()


def read_rows(path: Path, required: Collection[str]) -> list[dict[str, str]]:
    """Rows of a table, stripped, missing cells as "".

    UTF-8 with or without a byte order mark, or UTF-16 with one; commas, semicolons or tabs.

    Raises
    ------
    InputError
        Not readable as such a table, or a column is missing (``bad_table``).
    """
    text = _table_text(path)
    header = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)
    try:
        names, *lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    except ValueError:
        names, lines = [], []
    except csv.Error as error:
        raise InputError(str(path), f"is not a CSV table ({error})", code="bad_table") from error
    names = [name.strip() for name in names]
    absent = [name for name in required if name not in names]
    if absent:
        text = f"columns are {names!r:.200}; {', '.join(sorted(absent))} missing"
        raise InputError(str(path), text, code="bad_table")
    blank = dict.fromkeys(names, "")
    return [
        blank | {n: unguarded(cell.strip()) for n, cell in zip(names, line, strict=False)}
        for line in lines
        if any(cell.strip() for cell in line)
    ]


def has_columns(path: Path, columns: Collection[str]) -> bool:
    """Whether a file is a table with some columns."""
    if not path.is_file():
        return False
    try:
        read_rows(path, columns)
    except InputError:
        return False
    return True


def _json_text(path: Path) -> str:
    data = Source(path, str(path)).read(Limits())
    try:
        return data.decode(json.detect_encoding(data))
    except UnicodeDecodeError as error:
        text = "is not JSON in UTF-8; save it as UTF-8"
        raise InputError(str(path), text, code="bad_annotation") from error


def _table_text(path: Path) -> str:
    data = Source(path, str(path)).read(Limits())
    marks = (b"\xff\xfe", b"\xfe\xff")
    try:
        return data.decode("utf-16" if data.startswith(marks) else "utf-8-sig")
    except UnicodeDecodeError as error:
        text = f"is not a CSV in UTF-8 ({error.reason}); save it as CSV UTF-8"
        raise InputError(str(path), text, code="bad_table") from error
