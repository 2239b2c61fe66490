"""COCO JSON: polygons and run lengths, as CVAT, Label Studio and FiftyOne export them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hoseg.datasets import rle
from hoseg.datasets.folder import to_uint16, user_spacing
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
from hoseg.errors import InputError
from hoseg.radiograph import STRUCTURES

ANNOTATIONS = "annotations.json"


class RunLengths(Loose):
    """Counts as numbers, or compressed; ``size`` is (height, width)."""

    size: tuple[int, int]
    counts: list[int] | str


class Annotation(Loose):
    """One object of one image."""

    image_id: int | str
    category_id: int
    segmentation: list[list[float]] | RunLengths = Field(default_factory=list)
    iscrowd: int = 0


class Image(Loose):
    """One image; ``patient``, ``split`` and ``spacing_mm`` are ours and optional."""

    id: int | str
    file_name: str
    height: Annotated[int, Field(gt=0)]
    width: Annotated[int, Field(gt=0)]
    patient: str = ""
    split: str = ""
    spacing_mm: float | None = None


class Category(Loose):
    """A label."""

    id: int
    name: str


class CocoFile(Loose):
    """The parts of a COCO file that are used."""

    images: list[Image]
    annotations: list[Annotation]
    categories: list[Category]


def recognises(path: Path) -> bool:
    """Whether ``path`` is a COCO JSON, or a folder with one at a usual place."""
    found = _find_json(path)
    if found is None:
        return False
    try:
        content = json.loads(found.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and {"images", "annotations", "categories"} <= content.keys()


def films(path: Path, spacing_mm: float | None = None) -> list[LazyFilm]:
    """Images of the file, in its order."""
    found = _find_json(path)
    if found is None:
        raise InputError(str(path), "no COCO JSON file here", code="not_a_dataset")
    content = read_json(CocoFile, found)
    names = {category.id: category.name for category in content.categories}
    for name in names.values():
        _bit(name, found)
    by_image: dict[int | str, list[Annotation]] = {}
    for annotation in content.annotations:
        if annotation.category_id not in names:
            raise unknown_label(found, f"category {annotation.category_id}")
        by_image.setdefault(annotation.image_id, []).append(annotation)
    return [
        LazyFilm(
            case=Path(image.file_name).with_suffix("").as_posix(),
            patient=image.patient or Path(image.file_name).stem,
            path=_image_path(found, image.file_name),
            split=image.split,
            reader=partial(_read, found, image, by_image.get(image.id, []), names, spacing_mm),
        )
        for image in content.images
    ]


def write(images: Iterable[LabelledImage], out: Path) -> int:
    """Write ``images/*.png`` and ``annotations.json`` with compressed run lengths."""
    content: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1 << c, "name": name} for c, name in enumerate(STRUCTURES)],
    }
    for number, image in enumerate(images, start=1):
        name = f"{image.case}.png"
        write_picture(out / "images" / name, to_uint16(image.radiograph)[0])
        height, width = image.radiograph.shape
        spacing = image.radiograph.spacing
        content["images"].append(
            {
                "id": number, "file_name": name, "height": height, "width": width,
                "patient": image.patient, "split": image.split,
                "spacing_mm": spacing.mean_mm if spacing else None,
            }
        )  # fmt: skip
        content["annotations"] += _annotations(image, number, len(content["annotations"]))
    out.mkdir(parents=True, exist_ok=True)
    (out / ANNOTATIONS).write_text(json.dumps(content), encoding="utf-8")
    return len(content["images"])


def mask_of(annotation: Annotation, shape: tuple[int, int], path: Path) -> NDArray[np.bool_]:
    """Mask (H, W) of one object."""
    shapes = annotation.segmentation
    if isinstance(shapes, list):
        return rle.fill_polygons(shapes, shape)
    if shapes.size != shape:
        raise InputError(
            str(path),
            f"run lengths of image {annotation.image_id} are for {shapes.size[0]} x "
            f"{shapes.size[1]}, the image is {shape[0]} x {shape[1]} (rows x columns)",
            code="size_mismatch",
        )
    try:
        counts = rle.expand(shapes.counts) if isinstance(shapes.counts, str) else shapes.counts
        return rle.decode(counts, shape)
    except ValueError as error:
        raise InputError(
            str(path),
            f"run lengths of image {annotation.image_id}: {error}",
            code="bad_annotation",
        ) from error


def _read(
    path: Path,
    image: Image,
    annotations: list[Annotation],
    names: dict[int, str],
    spacing_mm: float | None,
) -> LabelledImage:
    file = _image_path(path, image.file_name)
    radiograph = read_image(file, spacing_mm)
    if image.spacing_mm is not None:
        radiograph = replace(radiograph, spacing=user_spacing(str(image.spacing_mm), path))
    shape = (image.height, image.width)
    masks, ignore = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for annotation in annotations:
        inside = mask_of(annotation, shape, path)
        # A crowd of polygons says "somewhere in here": nothing is known pixel by pixel.
        vague = annotation.iscrowd and isinstance(annotation.segmentation, list)
        plane = ignore if vague else masks
        plane[inside] |= np.uint8(_bit(names[annotation.category_id], path))
    case = Path(image.file_name).with_suffix("").as_posix()
    return LabelledImage(
        case, image.patient or Path(image.file_name).stem, radiograph, masks,
        ignore if ignore.any() else None,
    )  # fmt: skip


def _annotations(image: LabelledImage, number: int, first: int) -> list[dict[str, Any]]:
    """One object a connected component, so that lesions stay apart."""
    found: list[dict[str, Any]] = []
    if image.masks is None:
        return found
    for channel in range(len(STRUCTURES)):
        plane = (image.masks >> channel) & 1
        count, labels, stats, _ = cv2.connectedComponentsWithStats(plane, connectivity=8)
        for part in range(1, count):
            left, top, width, height, area = (int(v) for v in stats[part])
            counts = rle.encode(labels == part)
            found.append(
                {
                    "id": first + len(found) + 1, "image_id": number, "category_id": 1 << channel,
                    "iscrowd": 0, "area": area, "bbox": [left, top, width, height],
                    "segmentation": {
                        "size": list(image.masks.shape), "counts": rle.compress(counts),
                    },
                }
            )  # fmt: skip
    return found


def _bit(name: str, path: Path) -> int:
    try:
        return structure_of(name)
    except KeyError as error:
        raise unknown_label(path, name) from error


def _find_json(path: Path) -> Path | None:
    """The file itself, or the annotation file at one of the usual places of a folder."""
    if path.is_file():
        return path if path.suffix.lower() == ".json" else None
    for name in (
        ANNOTATIONS, "_annotations.coco.json", "labels.json", "result.json",
        "annotations/instances_default.json",
    ):  # fmt: skip
        if (path / name).is_file():
            return path / name
    return None


def _image_path(json_path: Path, name: str) -> Path:
    """Image beside the JSON, in ``images/`` or ``data/`` there, or one folder up."""
    for folder in (
        json_path.parent, json_path.parent / "images", json_path.parent / "data",
        json_path.parent.parent / "images", json_path.parent.parent / "images" / "default",
    ):  # fmt: skip
        if (folder / name).is_file():
            return folder / name
    return json_path.parent / "images" / name
