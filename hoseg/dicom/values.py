"""Attribute values of files that nobody checked: a value, or a stated absence, never a surprise."""

from __future__ import annotations

import math
import re
import struct
from typing import Any

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue

# What pydicom raises while it converts a damaged element on first access.
CONVERSION_ERRORS = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    NotImplementedError,
    OverflowError,
    OSError,
    EOFError,
    ArithmeticError,  # decimal.InvalidOperation
    RecursionError,
    struct.error,
    BytesLengthException,
)


_WITH_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")


def value_of(dataset: Dataset, keyword: str) -> Any:
    """Return the value of an element, or None when absent, empty or damaged.

    Text that pydicom cannot convert (a number with a decimal comma) comes back as it is written.
    """
    try:
        value = dataset.get(keyword)
    except CONVERSION_ERRORS:
        value = _as_written(dataset, keyword)
    return None if value is None or value == "" else value


def _as_written(dataset: Dataset, keyword: str) -> str | None:
    """Return the bytes of an element as text, None where they are none."""
    try:
        raw = getattr(dataset.get_item(keyword), "value", None)
        text = raw.decode("ascii").strip(" \0") if isinstance(raw, bytes) else ""
    except CONVERSION_ERRORS:
        return None
    return text if text.isprintable() else None


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return a value as stripped text; parts of a multi-value joined by a backslash."""
    value = value_of(dataset, keyword)
    if value is None or isinstance(value, bytes):
        return ""
    try:
        parts = value if isinstance(value, (list, MultiValue)) else [value]
        return "\\".join("" if part is None else str(part).strip(" \0") for part in parts)
    except CONVERSION_ERRORS:
        return ""


def texts_of(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Return the parts of a multi-value as stripped text."""
    text = text_of(dataset, keyword)
    return tuple(text.split("\\")) if text else ()


def number_of(dataset: Dataset, keyword: str) -> float | None:
    """Return the first value as a finite number, or None."""
    numbers = numbers_of(dataset, keyword)
    return numbers[0] if numbers else None


def numbers_of(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Return all values as finite numbers, or () when any of them is not.

    Text of any value representation serves (some files have Imager Pixel Spacing as UT), and so
    does a decimal comma; ``has_comma`` tells.
    """
    value = value_of(dataset, keyword)
    if value is None or isinstance(value, (bytes, Dataset)):
        return ()
    if isinstance(value, str):
        value = value.split("\\")
    try:
        parts = value if isinstance(value, (list, MultiValue)) else [value]
        numbers = tuple(_number(part) for part in parts)
    except CONVERSION_ERRORS:
        return ()
    return numbers if all(math.isfinite(n) for n in numbers) else ()


def _number(part: Any) -> float:
    if isinstance(part, str) and _WITH_COMMA.fullmatch(part.strip(" \0")):
        part = part.strip(" \0").replace(",", ".")
    return float(part)


def has_comma(dataset: Dataset, keyword: str) -> bool:
    """Whether the numbers of an element are written with decimal commas."""
    return "," in text_of(dataset, keyword) and bool(numbers_of(dataset, keyword))


def whole_of(dataset: Dataset, keyword: str) -> int | None:
    """Return the first value as an integer, or None."""
    number = number_of(dataset, keyword)
    return int(number) if number is not None and number == int(number) else None


def items_of(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence, [] when absent or damaged."""
    value = value_of(dataset, keyword)
    if value is None or not hasattr(value, "__iter__") or isinstance(value, (str, bytes)):
        return []
    try:
        return [item for item in value if isinstance(item, Dataset)]
    except CONVERSION_ERRORS:
        return []


def codes_of(dataset: Dataset, keyword: str) -> list[tuple[str, str]]:
    """Return (code value, code meaning in lower case) of the items of a code sequence."""
    return [
        (text_of(item, "CodeValue"), text_of(item, "CodeMeaning").lower())
        for item in items_of(dataset, keyword)
    ]
