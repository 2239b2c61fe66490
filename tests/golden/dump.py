"""A DICOM object as text: every attribute on a line, long binary values as hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

_OF_THE_WRITER = ("FileMetaInformationGroupLength", "ImplementationClassUID",
                  "ImplementationVersionName")  # fmt: skip


def dump(path: Path) -> str:
    """Text of a DICOM file; what names the version of pydicom is left out."""
    dataset = pydicom.dcmread(path, force=True)  # some films are without the file meta information
    meta = Dataset(dataset.file_meta)
    for keyword in _OF_THE_WRITER:
        if keyword in meta:
            delattr(meta, keyword)
    return "\n".join([*_lines(meta), *_lines(dataset)]) + "\n"


def _lines(dataset: Dataset, indent: str = "") -> Iterator[str]:
    for element in dataset:
        head = f"{indent}{element.tag} {element.VR} {element.keyword or element.name}"
        if element.VR == "SQ":
            yield f"{head}: {len(element.value)} items"
            for number, item in enumerate(element.value, start=1):
                yield f"{indent}  item {number}"
                yield from _lines(item, indent + "    ")
        elif isinstance(element.value, bytes):
            digest = hashlib.sha256(element.value).hexdigest()
            yield f"{head}: {len(element.value)} bytes, sha256 {digest}"
        else:
            yield f"{head}: {element.value!r}"
