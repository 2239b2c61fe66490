"""LabelMe JSON: one file an image, with polygons, rectangles and circles."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hoseg.datasets import rle
from hoseg.datasets.documents import Loose, has_keys, read_json
from hoseg.datasets.folder import (
    TABLE,
    read_table,
    stated_spacing,
    table_rows,
    to_uint16,
    with_rows,
    write_table,
)
from hoseg.datasets.labelled import (
    LabelledImage,
    LazyFilm,
    check_stated_size,
    read_image,
    structure_of,
    unknown_label,
)
from hoseg.datasets.pictures import write_picture
from hoseg.datasets.places import existing_picture, find_picture, inside, target
from hoseg.dicom.pictures import picture_format, read_picture
from hoseg.dicom.source import Limits, Source
from hoseg.errors import InputError
from hoseg.radiograph import STRUCTURES, Radiograph

_CIRCLE_POINTS = 64


class Shape(Loose):
    """One drawn shape; points are (x, y) with pixel corners at whole numbers.

    mask: PNG of a shape of type "mask", base64; its two points are the corners of its pixels
    """

    label: str
    points: list[tuple[float, float]] = Field(min_length=1)
    shape_type: str | None = "polygon"
    mask: str | None = None


class LabelmeFile(Loose):
    """The parts of a LabelMe file that are used.

    image_data: the picture itself, base64
    """

    shapes: list[Shape]
    image_path: str | None = Field(None, alias="imagePath")
    image_data: str | None = Field(None, alias="imageData")
    height: int | None = Field(None, alias="imageHeight")
    width: int | None = Field(None, alias="imageWidth")


_AREAS = ("polygon", "rectangle", "circle", "rotation", "mask")
_NO_AREAS = ("point", "points", "line", "linestrip", "line_strip")


def recognises(path: Path) -> bool:
    """Whether ``path`` is a folder with LabelMe files, or one such file."""
    return any(_is_labelme(candidate) for candidate in _candidates(path)[:1])


def films(path: Path, spacing_mm: float | None = None) -> list[LazyFilm]:
    """One film a JSON file, sorted by name."""
    facts = read_table((path.parent if path.is_file() else path) / TABLE)
    found = []
    for file in _candidates(path):
        rows = facts.get(file.stem, [])
        first = rows[0] if rows else {}
        root = path.parent if path.is_file() else path
        found.append(
            LazyFilm(
                case=file.relative_to(root).with_suffix("").as_posix(),
                patient=first.get("patient") or file.stem,
                path=file,
                split=first.get("split", ""),
                reader=partial(_read, root, file, rows, spacing_mm),
            )
        )
    return found


def write(images: Iterable[LabelledImage], out: Path) -> int:
    """Write ``NAME.png``, ``NAME.json`` beside it, and a table; holes in masks are lost."""
    count = 0
    rows: list[dict[str, object]] = []
    for image in images:
        name = f"{image.case}.png"
        write_picture(target(out, name), to_uint16(image.radiograph)[0])
        height, width = image.radiograph.shape
        content: dict[str, object] = {
            "version": "5.0.0",
            "flags": {},
            "shapes": _shapes(image),
            "imagePath": name,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        target(out, f"{image.case}.json").write_text(json.dumps(content), encoding="utf-8")
        rows += table_rows(image)
        count += 1
    write_table(out / TABLE, rows)
    return count


def polygon_of(shape: Shape) -> list[float]:
    """Flat polygon of a shape that has an area, but for a mask."""
    points = np.asarray(shape.points, np.float64)
    if shape.shape_type == "rectangle" and len(points) == 2:
        (x0, y0), (x1, y1) = points
        points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    if shape.shape_type == "circle" and len(points) == 2:
        radius = float(np.hypot(*(points[1] - points[0])))
        angles = np.linspace(0, 2 * np.pi, _CIRCLE_POINTS, endpoint=False)
        with np.errstate(over="ignore"):  # what lies at infinity is refused with the polygon
            points = points[0] + radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return points.ravel().tolist()


def _read(
    root: Path, file: Path, rows: list[dict[str, str]], spacing_mm: float | None
) -> LabelledImage:
    content = read_json(LabelmeFile, inside(root, file))
    radiograph = _picture(content, file, spacing_mm)
    size = radiograph.shape
    if content.height is not None and content.width is not None:
        size = (content.height, content.width)
    check_stated_size(size, radiograph, file)
    masks: NDArray[np.uint8] = np.zeros(size, np.uint8)
    notes = []
    for number, shape in enumerate(content.shapes):
        if _has_area(shape, number, file):
            _draw(shape, number, masks, file)
        else:
            what = (
                f"shape {number} ({shape.label!r:.80}) is a {shape.shape_type or 'polygon':.20} of "
            )
            notes.append(f"{what}{len(shape.points)} points: nothing is in it")
    labelled = LabelledImage(file.stem, file.stem, radiograph, masks, notes=tuple(notes))
    return with_rows(labelled, rows, file)


def _picture(content: LabelmeFile, file: Path, spacing_mm: float | None) -> Radiograph:
    """The picture beside the labels, else the one that is in them."""
    name = content.image_path or f"{file.stem}.png"
    path = find_picture(file.parent, name, file)
    if path.is_file() or not content.image_data:
        return read_image(existing_picture(file.parent, name, file), spacing_mm)
    try:
        data = base64.b64decode(content.image_data, validate=False)
    except ValueError as error:
        text = f"imageData is not base64 ({error})"
        raise InputError(str(file), text, code="bad_annotation") from error
    if picture_format(data) is None:
        text = "imageData holds neither PNG, TIFF nor JPEG; put the picture beside it"
        raise InputError(str(file), text, code="bad_annotation")
    pair = None if spacing_mm is None else (spacing_mm, spacing_mm)
    radiograph = read_picture(data, Source(file, str(file)), Limits())
    return replace(radiograph, spacing=None if pair is None else stated_spacing(*pair, file))


def _has_area(shape: Shape, number: int, file: Path) -> bool:
    """Whether pixels lie in a shape; a point or a line may mark something and is left out."""
    kind = shape.shape_type or "polygon"
    if kind in _NO_AREAS or (kind == "polygon" and len(shape.points) < 3):
        return False
    if kind not in _AREAS or (kind in ("rectangle", "circle") and len(shape.points) < 2):
        text = f"shape {number} ({shape.label!r:.80}) is a {kind:.20} of {len(shape.points)} points"
        text += f"; expected {', '.join(_AREAS)}: draw it as a polygon"
        raise InputError(str(file), text, code="bad_annotation")
    return True


def _draw(shape: Shape, number: int, masks: NDArray[np.uint8], file: Path) -> None:
    try:
        bit = np.uint8(structure_of(shape.label))
    except KeyError as error:
        raise unknown_label(file, shape.label) from error
    try:
        if shape.shape_type == "mask":
            _draw_mask(shape, masks, bit)
        else:
            masks[rle.fill_polygons([polygon_of(shape)], masks.shape)] |= bit
    except ValueError as error:
        text = f"shape {number} ({shape.label!r:.80}): {error}"
        raise InputError(str(file), text, code="bad_annotation") from error


def _draw_mask(shape: Shape, masks: NDArray[np.uint8], bit: np.uint8) -> None:
    """Put a mask at its place; ValueError when it does not fit."""
    try:
        data = np.frombuffer(base64.b64decode(shape.mask or ""), np.uint8)
        inside_it = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
    except cv2.error:
        inside_it = None
    if inside_it is None:
        raise ValueError("its mask is not a PNG in base64")
    column, row = (round(value) for value in shape.points[0])
    rows, columns = inside_it.shape
    part = masks[row : row + rows, column : column + columns]
    if row < 0 or column < 0 or part.shape != inside_it.shape:
        text = f"its mask of {rows} x {columns} at row {row}, column {column} leaves the picture"
        raise ValueError(text)
    part[inside_it > 0] |= bit


def _shapes(image: LabelledImage) -> list[dict[str, object]]:
    if image.masks is None:
        return []
    return [
        {
            "label": name,
            "points": np.reshape(polygon, (-1, 2)).tolist(),
            "group_id": None,
            "shape_type": "polygon",
            "flags": {},
        }
        for channel, name in enumerate(STRUCTURES)
        for polygon in rle.outline_polygons(((image.masks >> channel) & 1) > 0)
    ]


def _candidates(path: Path) -> list[Path]:
    """The file itself, or the LabelMe files of a folder, and of those in it when it has none."""
    if path.is_file():
        return [path] if path.suffix.lower() == ".json" else []
    for pattern in ("*.json", "*/*.json"):
        found = [file for file in sorted(path.glob(pattern)) if _is_labelme(file)]
        if found:
            return found
    return []


def _is_labelme(path: Path) -> bool:
    return path.is_file() and has_keys(path, {"shapes", "imagePath"})
