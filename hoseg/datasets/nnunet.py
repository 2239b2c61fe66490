"""nnU-Net raw v2: ``imagesTr/CASE_0000.EXT``, ``labelsTr/CASE.EXT``, ``dataset.json``.

Our structures overlap and nnU-Net's labels may not, so a written label is the mask of bits itself
(16 values), with the names of the combinations in ``dataset.json``. Reading understands such
files, and any whose label names contain ours (``pelvis``, ``femur+ossification``, ...).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoseg.datasets.folder import (
    TABLE,
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
    Loose,
    read_image,
    read_json,
    structure_of,
    unknown_label,
)
from hoseg.datasets.pictures import NIFTI, read_mask, read_nifti, suffix_of, write_picture
from hoseg.errors import InputError
from hoseg.radiograph import STRUCTURES, Radiograph, Spacing, SpacingSource

HEADER = "dataset.json"
_PARTS = (("imagesTr", "labelsTr", "train"), ("imagesTs", "labelsTs", "test"))


class Header(Loose):
    """The parts of ``dataset.json`` that are used."""

    channel_names: dict[str, str]
    labels: dict[str, int | list[int]]
    file_ending: str


def recognises(path: Path) -> bool:
    """Whether ``path`` has this layout."""
    return (path / HEADER).is_file() and (path / "imagesTr").is_dir()


def films(path: Path, spacing_mm: float | None = None) -> list[LazyFilm]:
    """Training cases, then test cases that have labels."""
    header = read_json(Header, path / HEADER)
    table = _label_table(header, path / HEADER)
    facts = read_table(path / TABLE)
    found = []
    for images, labels, split in _PARTS:
        for image in sorted((path / images).glob(f"*_0000{header.file_ending}")):
            case = image.name.removesuffix(f"_0000{header.file_ending}")
            label = path / labels / f"{case}{header.file_ending}"
            if split == "test" and not label.exists():
                continue
            rows = facts.get(case, [])
            first = rows[0] if rows else {}
            # Its training cases are split anew, by patient and fold; its test cases stay apart.
            apart = split if split == "test" else first.get("split", "")
            patient = first.get("patient") or case
            reader = partial(_read, image, label, table, rows, spacing_mm)
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
        write_picture(out / "imagesTr" / f"{image.case}_0000.png", pixels)
        write_picture(out / "labelsTr" / f"{image.case}.png", image.masks)
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


def _label_table(header: Header, path: Path) -> NDArray[np.int16]:
    """Bits of each label value; -1 for values without a name."""
    table = np.full(256, -1, np.int16)
    table[0] = 0
    for name, value in header.labels.items():
        bits = 0
        for part in name.split("+"):
            try:
                bits |= structure_of(part)
            except KeyError as error:
                raise unknown_label(path, name) from error
        for number in [value] if isinstance(value, int) else value[:1]:
            table[number] = bits
    return table


def _read(
    image: Path,
    label: Path,
    table: NDArray[np.int16],
    rows: list[dict[str, str]],
    spacing_mm: float | None,
) -> LabelledImage:
    if not label.exists():
        raise InputError(str(image), f"no label file {label.name} in labelsTr/", code="no_mask")
    case = label.name.removesuffix(suffix_of(label))
    if suffix_of(image) in NIFTI:
        pixels, spacing = read_nifti(image)
        radiograph = Radiograph(
            pixels, str(image), spacing=Spacing(*spacing, 0.02, SpacingSource.USER)
        )
    else:
        radiograph = read_image(image, spacing_mm)
    bits = table[read_mask(label)]
    if bits.min() < 0:
        value = int(read_mask(label)[bits < 0][0])
        raise unknown_label(label, f"value {value}")
    labelled = LabelledImage(case, case, radiograph, bits.astype(np.uint8))
    return with_rows(labelled, rows, image)
