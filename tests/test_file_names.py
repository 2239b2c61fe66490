r"""Names of files as text: always encodable, reversible, and unchanged where they can be."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoseg.file_names import as_path, as_text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"h\xfcfte.dcm", r"h\xfcfte.dcm"),
        (b"\xff\xfe/\x80.png", r"\xff\xfe/\x80.png"),
        ("hüfte 髋.dcm".encode(), "hüfte 髋.dcm"),
        (b"back\\slash.dcm", "back\\slash.dcm"),
        (rb"a\xe4.dcm", r"a\x5cxe4.dcm"),
        (b"a\\b\xe4.dcm", r"a\x5cb\xe4.dcm"),
        (rb"\udcff", r"\x5cudcff"),
    ],
)
def test_known_spellings(name, text):
    path = os.fsdecode(name)
    assert as_text(path) == text
    assert str(as_path(text)) == path


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name and b"/" not in name))
def test_every_name_comes_back(name):
    path = os.fsdecode(name)
    text = as_text(path)
    text.encode("utf-8")  # raises for anything that cannot be stored
    assert os.fsencode(as_path(f"films/{text}")) == os.fsencode(os.path.join("films", path)) or (
        path in (".", "..")
    )


@given(st.text(st.characters(exclude_characters="\0/"), min_size=1))
def test_surrogates_of_windows_come_back(name):
    text = as_text(f"films/{name}")
    text.encode("utf-8")
    assert as_path(text).name == name or name == "."


@given(st.lists(st.binary(max_size=4), min_size=2, max_size=2, unique=True))
def test_two_names_are_never_spelled_alike(pair):
    one, other = (as_text(os.fsdecode(name)) for name in pair)
    assert one != other
