r"""File names as text that every table, database and page can hold.

A name on disk is bytes. Those that are not UTF-8 reach Python as lone surrogates, which neither
SQLite nor JSON nor CSV can store. In text such a byte is spelled ``\xe4``; a backslash in such a
name, and one that would itself read like a spelling, is spelled ``\x5c``. All other names are
their own spelling, so that spelling is reversible.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_SPELLED = re.compile(r"\\x(5c|[89a-f][0-9a-f])|\\u(d[89a-f][0-9a-f]{2})")
_NEEDS_SPELLING = re.compile(rf"[\ud800-\udfff]|{_SPELLED.pattern}")
_BYTES = range(0xDC80, 0xDD00)  # PEP 383: byte + 0xDC00


def as_text(path: str | os.PathLike[str]) -> str:
    r"""Spell a path so that it can be written down.

    Examples
    --------
    >>> as_text("films/h\udcfcfte.dcm")
    'films/h\\xfcfte.dcm'
    """
    name = os.fspath(path)
    if not _NEEDS_SPELLING.search(name):
        return name
    return "".join(_spell(letter) for letter in name)


def as_path(text: str) -> Path:
    """Return the path that ``as_text`` spelled."""
    return Path(_SPELLED.sub(_unspell, text))


def _spell(letter: str) -> str:
    if letter == "\\":
        return r"\x5c"
    code = ord(letter)
    if code in _BYTES:
        return rf"\x{code - 0xDC00:02x}"
    # A surrogate that is no byte: Windows allows them.
    return rf"\u{code:04x}" if 0xD800 <= code <= 0xDFFF else letter


def _unspell(found: re.Match[str]) -> str:
    byte, surrogate = found.groups()
    if surrogate:
        return chr(int(surrogate, 16))
    code = int(byte, 16)
    return chr(code) if code < 0x80 else chr(0xDC00 + code)
