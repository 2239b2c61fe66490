"""Attribute values of files that nobody checked: a value, or a stated absence, never a surprise."""

from __future__ import annotations

import math
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


def value_of(dataset: Dataset, keyword: str) -> Any:
    """Return the value of an element, or None when absent, empty or damaged."""
    try:
        value = dataset.get(keyword)
    except CONVERSION_ERRORS:
        return None
    return None if value is None or value == "" else value


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
    """Return all values as finite numbers, or () when any of them is not."""
    value = value_of(dataset, keyword)
    if value is None or isinstance(value, (bytes, Dataset)):
        return ()
    try:
        parts = value if isinstance(value, (list, MultiValue)) else [value]
        numbers = tuple(float(part) for part in parts)
    except CONVERSION_ERRORS:
        return ()
    return numbers if all(math.isfinite(n) for n in numbers) else ()


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
