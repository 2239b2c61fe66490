"""LabelMe JSON: one file an image, with polygons, rectangles and circles."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hoseg.datasets import rle
from hoseg.datasets.folder import (
    TABLE,
    read_table,
    table_rows,
    to_uint16,
    with_rows,
    write_table,
)
from hoseg.datasets.labelled import (
    LabelledImage,
    LazyFilm,
    Loose,
    read_image,
    read_json,
    structure_of,
    unknown_label,
)
from hoseg.datasets.pictures import write_picture
from hoseg.radiograph import STRUCTURES

_CIRCLE_POINTS = 64


class Shape(Loose):
    """One drawn shape; points are (x, y) with pixel corners at whole numbers."""

    label: str
    points: list[tuple[float, float]] = Field(min_length=1)
    shape_type: Literal["polygon", "rectangle", "circle"] = "polygon"


class LabelmeFile(Loose):
    """The parts of a LabelMe file that are used."""

    shapes: list[Shape]
    image_path: str = Field(alias="imagePath")
    height: int = Field(alias="imageHeight", gt=0)
    width: int = Field(alias="imageWidth", gt=0)


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
        found.append(
            LazyFilm(
                case=file.stem,
                patient=first.get("patient") or file.stem,
                path=file,
                split=first.get("split", ""),
                reader=partial(_read, file, rows, spacing_mm),
            )
        )
    return found


def write(images: Iterable[LabelledImage], out: Path) -> int:
    """Write ``NAME.png``, ``NAME.json`` beside it, and a table; holes in masks are lost."""
    count = 0
    rows: list[dict[str, object]] = []
    for image in images:
        name = f"{image.case}.png"
        write_picture(out / name, to_uint16(image.radiograph)[0])
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
        (out / f"{image.case}.json").write_text(json.dumps(content), encoding="utf-8")
        rows += table_rows(image)
        count += 1
    write_table(out / TABLE, rows)
    return count


def polygon_of(shape: Shape) -> list[float]:
    """Flat polygon of any shape."""
    points = np.asarray(shape.points, np.float64)
    if shape.shape_type == "rectangle" and len(points) == 2:
        (x0, y0), (x1, y1) = points
        points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    if shape.shape_type == "circle" and len(points) == 2:
        radius = float(np.hypot(*(points[1] - points[0])))
        angles = np.linspace(0, 2 * np.pi, _CIRCLE_POINTS, endpoint=False)
        points = points[0] + radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return points.ravel().tolist()


def _read(file: Path, rows: list[dict[str, str]], spacing_mm: float | None) -> LabelledImage:
    content = read_json(LabelmeFile, file)
    masks: NDArray[np.uint8] = np.zeros((content.height, content.width), np.uint8)
    for shape in content.shapes:
        try:
            bit = structure_of(shape.label)
        except KeyError as error:
            raise unknown_label(file, shape.label) from error
        masks[rle.fill_polygons([polygon_of(shape)], masks.shape)] |= np.uint8(bit)
    image = file.parent / content.image_path.replace("\\", "/")
    labelled = LabelledImage(file.stem, file.stem, read_image(image, spacing_mm), masks)
    return with_rows(labelled, rows, file)


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
    if path.is_file():
        return [path] if path.suffix.lower() == ".json" else []
    return [p for p in sorted(path.glob("*.json")) if _is_labelme(p)]


def _is_labelme(path: Path) -> bool:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and {"shapes", "imagePath"} <= content.keys()
