"""A folder of images and masks, with an optional table of what else is known.

::

    DIR/images/NAME.{png,tif,dcm,nii.gz}   DIR/masks/NAME.{png,tif,nii.gz}   DIR/dataset.csv

``dataset.csv`` may have the columns ``name, patient, split, spacing_mm, side, view, brooker,
gap_mm``; one row an image, or one a graded hip. Masks are the OR of the bits of ``Structure``.
``ignore/NAME.png``, where it exists, holds the same bits where nothing is known. The same table is
read, and written, beside nnU-Net and LabelMe files, which have no place for what it says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from hoseg.datasets.documents import read_rows
from hoseg.datasets.grades import hips_of_rows
from hoseg.datasets.labelled import LabelledImage, LazyFilm, read_image
from hoseg.datasets.pictures import (
    NIFTI,
    read_mask,
    read_nifti,
    stem_of,
    suffix_of,
    write_picture,
)
from hoseg.datasets.places import inside, target
from hoseg.errors import InputError, SettingError
from hoseg.files import guarded, write_csv
from hoseg.radiograph import Radiograph, Side, Spacing, SpacingSource, View

TABLE = "dataset.csv"
_LITTER = ("thumbs.db", "desktop.ini")
COLUMNS = ("name", "patient", "split", "spacing_mm", "side", "view", "brooker", "gap_mm")


def recognises(path: Path) -> bool:
    """Whether ``path`` has this layout."""
    return (path / "images").is_dir() and (path / "masks").is_dir()


def films(path: Path, spacing_mm: float | None = None) -> list[LazyFilm]:
    """Films of the folder, sorted by name."""
    rows = read_table(path / TABLE)
    masks = {stem_of(p): p for p in (path / "masks").iterdir() if is_picture_file(p)}
    found = []
    for image in sorted(p for p in (path / "images").iterdir() if is_picture_file(p)):
        name = stem_of(image)
        mine = rows.get(name, [])
        first = mine[0] if mine else {}
        found.append(
            LazyFilm(
                case=name,
                patient=first.get("patient") or name,
                path=image,
                split=first.get("split", ""),
                reader=partial(_read, path, image, masks.get(name), mine, spacing_mm),
            )
        )
    return found


def write(images: Iterable[LabelledImage], out: Path) -> int:
    """Write images as 16-bit PNG, masks, and the table; returns how many."""
    rows = []
    for image in images:
        pixels, _ = to_uint16(image.radiograph)
        write_picture(target(out, "images", f"{image.case}.png"), pixels)
        if image.masks is not None:
            write_picture(target(out, "masks", f"{image.case}.png"), image.masks)
        if image.ignore is not None:
            write_picture(target(out, "ignore", f"{image.case}.png"), image.ignore)
        rows += table_rows(image)
    (out / "masks").mkdir(parents=True, exist_ok=True)
    write_table(out / TABLE, rows)
    return len({row["name"] for row in rows})


def write_table(path: Path, rows: Iterable[dict[str, object]]) -> None:
    """Write ``dataset.csv``."""
    cells = ([guarded(str(row.get(column, ""))) for column in COLUMNS] for row in rows)
    write_csv(path, COLUMNS, cells)


def read_table(path: Path) -> dict[str, list[dict[str, str]]]:
    """Rows of ``dataset.csv`` by name; empty when there is none."""
    rows: dict[str, list[dict[str, str]]] = {}
    for row in read_rows(path, ("name",)) if path.exists() else ():
        rows.setdefault(row["name"], []).append(row)
    return rows


def table_rows(image: LabelledImage) -> list[dict[str, object]]:
    """Rows of the table for one image: one a graded hip, at least one."""
    spacing = image.radiograph.spacing
    common: dict[str, object] = {
        "name": image.case,
        "patient": image.patient,
        "split": image.split,
        "spacing_mm": f"{spacing.mean_mm:.6g}" if spacing else "",
        "side": str(image.radiograph.side),
        "view": str(image.radiograph.view),
    }
    graded = [hip for hip in image.hips if hip.brooker is not None]
    return [
        {
            **common,
            "side": str(hip.side),
            "brooker": hip.brooker,
            "gap_mm": "" if hip.gap_mm is None else f"{hip.gap_mm:.3f}",
        }
        for hip in graded
    ] or [common]


def to_uint16(radiograph: Radiograph) -> tuple[np.ndarray, float]:
    """Pixels as uint16 with bones bright, and the grey levels a step stands for.

    Whole numbers that fit are kept as they are (shifted to start at zero).
    """
    pixels = radiograph.pixels
    low, high = float(np.nanmin(pixels)), float(np.nanmax(pixels))
    whole = np.issubdtype(pixels.dtype, np.integer) and high - low <= 65535
    scale = 1.0 if whole else max(high - low, 1e-12) / 65535
    levels = np.round((np.nan_to_num(pixels.astype(np.float64), nan=low) - low) / scale)
    if radiograph.display.inverted:
        levels = levels.max() - levels
    return levels.astype(np.uint16), scale


def with_facts(radiograph: Radiograph, row: dict[str, str], path: Path) -> Radiograph:
    """Put side, view and spacing of a table row into a radiograph that lacks them."""
    changes: dict[str, object] = {}
    for key, kind in (("side", Side), ("view", View)):
        if row.get(key):
            try:
                changes[key] = kind(row[key].lower())
            except ValueError as error:
                allowed = ", ".join(kind)
                raise InputError(
                    str(path), f"{key} = {row[key]!r:.80}; expected {allowed}", code="bad_table"
                ) from error
    if row.get("spacing_mm"):
        changes["spacing"] = user_spacing(row["spacing_mm"], path)
    return replace(radiograph, **changes)  # type: ignore[arg-type]


def with_rows(image: LabelledImage, rows: list[dict[str, str]], path: Path) -> LabelledImage:
    """Put what ``dataset.csv`` says of a film into it: patient, spacing, side, view and grades."""
    if not rows:
        return image
    return replace(
        image,
        patient=rows[0].get("patient") or image.patient,
        radiograph=with_facts(image.radiograph, _film_row(rows), path),
        hips=hips_of_rows(rows, path),
    )


def _film_row(rows: list[dict[str, str]]) -> dict[str, str]:
    """What the rows say of the whole film: of one that shows both hips, the side is a hip's."""
    sides = {row.get("side", "").lower() for row in rows}
    both = len(sides) > 1 or rows[0].get("view", "").lower() == View.AP_PELVIS
    return {**rows[0], "side": ""} if both else rows[0]


def user_spacing(text: str, path: Path) -> Spacing:
    """Spacing written by a person, in mm."""
    try:
        value = float(text.replace(",", "."))
        return stated_spacing(value, value, path)
    except ValueError as error:
        text = f"spacing_mm = {text!r:.80}; expected a positive number of mm"
        raise InputError(str(path), text, code="bad_table") from error


def stated_spacing(row_mm: float, column_mm: float, path: Path) -> Spacing:
    """Spacing that a file of labels or a NIfTI header states, in mm."""
    try:
        return Spacing(row_mm, column_mm, 0.02, SpacingSource.USER)
    except SettingError as error:
        text = f"spacing_mm = {row_mm:g} x {column_mm:g}; expected positive numbers of mm"
        raise InputError(str(path), text, code="bad_table") from error


def is_picture_file(path: Path) -> bool:
    """Whether a file may be a picture: not one that an operating system puts beside them."""
    name = path.name.casefold()
    return path.is_file() and not name.startswith(".") and name not in _LITTER


def read_film(root: Path, image: Path, spacing_mm: float | None) -> Radiograph:
    """Read the image of a data set, NIfTI or any other kind, that lies inside ``root``."""
    if suffix_of(inside(root, image)) not in NIFTI:
        return read_image(image, spacing_mm)
    pixels, (row_mm, column_mm) = read_nifti(image)
    return Radiograph(pixels, str(image), spacing=stated_spacing(row_mm, column_mm, image))


def _read(
    root: Path,
    image: Path,
    mask: Path | None,
    rows: list[dict[str, str]],
    spacing_mm: float | None,
) -> LabelledImage:
    if mask is None:
        raise InputError(str(image), f"no mask named {stem_of(image)} in masks/", code="no_mask")
    ignore = root / "ignore" / f"{stem_of(image)}.png"
    labelled = LabelledImage(
        case=stem_of(image),
        patient=stem_of(image),
        radiograph=read_film(root, image, spacing_mm),
        masks=read_mask(inside(root, mask)),
        ignore=read_mask(inside(root, ignore)) if ignore.exists() else None,
    )
    return with_rows(labelled, rows, image)
