"""nnU-Net raw v2: ``imagesTr/CASE_0000.EXT``, ``labelsTr/CASE.EXT``, ``dataset.json``.

Our structures overlap and nnU-Net's labels may not, so a written label is the mask of bits itself
(16 values), with the names of the combinations in ``dataset.json``. Reading understands such
files, and any whose label names contain ours (``pelvis``, ``femur+ossification``, ...).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoseg.datasets.documents import Loose, read_json
from hoseg.datasets.folder import (
    TABLE,
    read_film,
    read_table,
    table_rows,
    to_uint16,
    with_rows,
    write_table,
)
from hoseg.datasets.labelled import (
    ALL_STRUCTURES,
    LabelledImage,
    LazyFilm,
    structure_of,
    unknown_label,
)
from hoseg.datasets.pictures import read_mask, suffix_of, write_picture
from hoseg.datasets.places import inside, target
from hoseg.errors import InputError
from hoseg.radiograph import STRUCTURES

HEADER = "dataset.json"
_PARTS = (("imagesTr", "labelsTr", "train"), ("imagesTs", "labelsTs", "test"))


class Header(Loose):
    """The parts of ``dataset.json`` that are used.

    labels: value of each name, several where a name is of a region; in version 1 name of each value
    file_ending: of images and labels; version 1 does not say
    """

    labels: dict[str, int | list[int] | str]
    file_ending: str | None = None


_ENDINGS = (".png", ".tif", ".tiff", ".bmp", ".nii.gz", ".nii")
_IGNORE = "ignore"


@dataclass(frozen=True, eq=False)
class Labels:
    """What the values of a label file mean.

    bits: (256,) int16, bits of ``Structure``, -1 where a value has no name that is known
    names: name of each value, for messages
    ignored: values where nothing is known
    """

    bits: NDArray[np.int16]
    names: dict[int, str]
    ignored: tuple[int, ...]


def recognises(path: Path) -> bool:
    """Whether ``path`` has this layout."""
    return (path / HEADER).is_file() and (path / "imagesTr").is_dir()


def films(path: Path, spacing_mm: float | None = None) -> list[LazyFilm]:
    """Training cases, then test cases that have labels."""
    header = read_json(Header, path / HEADER)
    meanings = _meanings(header, path / HEADER)
    ending = _file_ending(header, path)
    facts = read_table(path / TABLE)
    found = []
    for images, labels, split in _PARTS:
        for image in sorted((path / images).glob(f"*_0000{ending}")):
            case = image.name.removesuffix(f"_0000{ending}")
            label = path / labels / f"{case}{ending}"
            if split == "test" and not label.exists():
                continue
            rows = facts.get(case, [])
            first = rows[0] if rows else {}
            # Its training cases are split anew, by patient and fold; its test cases stay apart.
            apart = split if split == "test" else first.get("split", "")
            patient = first.get("patient") or case
            reader = partial(_read, path, image, label, meanings, rows, spacing_mm)
            found.append(LazyFilm(case, patient, image, reader, split=apart))
    return found


def write(images: Iterable[LabelledImage], out: Path) -> int:
    """Write 16-bit PNG images, their masks of bits, and the table of what else is known."""
    count = 0
    rows: list[dict[str, object]] = []
    for image in images:
        if image.masks is None:
            raise InputError(image.radiograph.source, "has grades alone, no masks", code="no_mask")
        pixels = to_uint16(image.radiograph)[0]
        write_picture(target(out, "imagesTr", f"{image.case}_0000.png"), pixels)
        write_picture(target(out, "labelsTr", f"{image.case}.png"), image.masks)
        rows += table_rows(image)
        count += 1
    header = {
        "channel_names": {"0": "radiograph"},
        "labels": {_name(bits): bits for bits in range(ALL_STRUCTURES + 1)},
        "numTraining": count,
        "file_ending": ".png",
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / HEADER).write_text(json.dumps(header, indent=1), encoding="utf-8")
    write_table(out / TABLE, rows)
    return count


def _name(bits: int) -> str:
    names = [name for channel, name in enumerate(STRUCTURES) if bits >> channel & 1]
    return "+".join(names) or "background"


def _file_ending(header: Header, path: Path) -> str:
    """Ending of all files, as it is stated, else that of the first image."""
    ending = header.file_ending
    if ending is None:
        first = next(iter(sorted((path / "imagesTr").glob("*_0000.*"))), None)
        ending = suffix_of(first) if first is not None else ".nii.gz"
    if ending not in _ENDINGS:
        text = f"file_ending = {ending!r:.80}; expected {', '.join(_ENDINGS)}"
        raise InputError(str(path / HEADER), text, code="bad_annotation")
    return ending


def _meanings(header: Header, path: Path) -> Labels:
    """What each label value means, whichever way round the table is written."""
    bits = np.full(256, -1, np.int16)
    bits[0] = 0
    names: dict[int, str] = {}
    ignored: list[int] = []
    for key, value in header.labels.items():
        name, numbers = _name_and_values(key, value, path)
        meaning = _bits_of(name)
        for number in numbers:
            names[number] = name
            if name.strip().lower() == _IGNORE:
                ignored.append(number)
            # A value may be of several regions.
            bits[number] = meaning if min(meaning, bits[number]) < 0 else meaning | bits[number]
    return Labels(bits, names, tuple(ignored))


def _name_and_values(key: str, value: int | list[int] | str, path: Path) -> tuple[str, list[int]]:
    if isinstance(value, str):
        key, value = value, int(key) if key.isdecimal() and len(key) < 4 else -1
    numbers = [value] if isinstance(value, int) else value
    if not all(0 <= number <= 255 for number in numbers):
        text = f"labels.{key}: expected values in 0-255, or in version 1 names of such values"
        raise InputError(str(path), text, code="bad_annotation")
    return key, numbers


def _bits_of(name: str) -> int:
    """Bits of a name or of a sum of names, -1 when one means no structure of ours."""
    bits = 0
    for part in name.split("+"):
        try:
            bits |= structure_of(part)
        except KeyError:
            return -1
    return bits


def _read(
    root: Path,
    image: Path,
    label: Path,
    meanings: Labels,
    rows: list[dict[str, str]],
    spacing_mm: float | None,
) -> LabelledImage:
    if not label.exists():
        raise InputError(str(image), f"no label file {label.name} in labelsTr/", code="no_mask")
    case = label.name.removesuffix(suffix_of(label))
    values = read_mask(inside(root, label))
    bits = meanings.bits[values]
    if bits.min(initial=0) < 0:
        value = int(values[bits < 0][0])
        raise unknown_label(label, meanings.names.get(value, f"value {value}"))
    ignore = np.where(np.isin(values, meanings.ignored), ALL_STRUCTURES, 0).astype(np.uint8)
    labelled = LabelledImage(
        case,
        case,
        read_film(root, image, spacing_mm),
        bits.astype(np.uint8),
        ignore if ignore.any() else None,
    )
    return with_rows(labelled, rows, image)
