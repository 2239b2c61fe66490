"""COCO JSON: polygons and run lengths, as CVAT, Label Studio and FiftyOne export them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hoseg.datasets import rle
from hoseg.datasets.documents import Loose, has_keys, read_json
from hoseg.datasets.folder import to_uint16, user_spacing
from hoseg.datasets.labelled import (
    LabelledImage,
    LazyFilm,
    check_stated_size,
    read_image,
    structure_of,
    unknown_label,
)
from hoseg.datasets.pictures import write_picture
from hoseg.datasets.places import case_of, existing_picture, find_picture, relative_name, target
from hoseg.errors import InputError
from hoseg.radiograph import STRUCTURES

ANNOTATIONS = "annotations.json"


class RunLengths(Loose):
    """Counts as numbers, or compressed; ``size`` is (height, width)."""

    size: tuple[int, int]
    counts: list[int] | str


class Annotation(Loose):
    """One object of one image; a polygon alone stands for a list of one."""

    image_id: int | str
    category_id: int
    segmentation: list[list[float]] | list[float] | RunLengths | None = None
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


_KEYS = {"images", "annotations", "categories"}
_SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


def recognises(path: Path) -> bool:
    """Whether ``path`` is a COCO JSON, or a folder with one at a usual place."""
    return any(has_keys(file, _KEYS) for file, _ in _annotation_files(path)[:1])


def films(path: Path, spacing_mm: float | None = None) -> list[LazyFilm]:
    """Images of the file, or of all parts of the data set, in their order."""
    found = _annotation_files(path)
    if not found:
        raise InputError(str(path), "no COCO JSON file here", code="not_a_dataset")
    return [film for file, part in found for film in _films(file, part, spacing_mm)]


def _films(file: Path, part: str, spacing_mm: float | None) -> Iterator[LazyFilm]:
    """Images of one file; ``part`` is the folder or the suffix that it is of, such as "train"."""
    content = read_json(CocoFile, file)
    names = {category.id: category.name for category in content.categories}
    by_image: dict[int | str, list[Annotation]] = {}
    for annotation in content.annotations:
        if annotation.category_id not in names:
            raise unknown_label(file, f"category {annotation.category_id}")
        # A category without annotations says nothing, such as the root that Roboflow adds.
        _bit(names[annotation.category_id], file)
        by_image.setdefault(annotation.image_id, []).append(annotation)
    for image in content.images:
        yield LazyFilm(
            case=case_of(image.file_name, file),
            patient=image.patient or relative_name(image.file_name, file).stem,
            path=find_picture(file.parent, image.file_name, file, part),
            split=image.split or _SPLITS.get(part.lower(), ""),
            reader=partial(_read, file, part, image, by_image.get(image.id, []), names, spacing_mm),
        )


def write(images: Iterable[LabelledImage], out: Path) -> int:
    """Write ``images/*.png`` and ``annotations.json`` with compressed run lengths."""
    content: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1 << c, "name": name} for c, name in enumerate(STRUCTURES)],
    }
    for number, image in enumerate(images, start=1):
        name = f"{image.case}.png"
        write_picture(target(out, "images", name), to_uint16(image.radiograph)[0])
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
    where = f"annotation of image {annotation.image_id}"
    if not shapes:
        text = f"{where} is a box without an outline; export segmentations, not detections"
        raise InputError(str(path), text, code="bad_annotation")
    if isinstance(shapes, RunLengths) and shapes.size != shape:
        raise InputError(
            str(path),
            f"run lengths of image {annotation.image_id} are for {shapes.size[0]} x "
            f"{shapes.size[1]}, the image is {shape[0]} x {shape[1]} (rows x columns)",
            code="size_mismatch",
        )
    try:
        if not isinstance(shapes, RunLengths):
            return rle.fill_polygons([p for p in _polygons(annotation) if _encloses(p)], shape)
        counts = rle.expand(shapes.counts) if isinstance(shapes.counts, str) else shapes.counts
        return rle.decode(counts, shape)
    except ValueError as error:
        raise InputError(str(path), f"{where}: {error}", code="bad_annotation") from error


def _polygons(annotation: Annotation) -> list[list[float]]:
    """Polygons of an object; none of run lengths."""
    shapes = annotation.segmentation
    if not shapes or isinstance(shapes, RunLengths):
        return []
    lists = [polygon for polygon in shapes if isinstance(polygon, list)]
    return lists or [[number for number in shapes if isinstance(number, float)]]


def _encloses(polygon: list[float]) -> bool:
    """Whether a polygon is more than a point or a line, which some programs write too."""
    return len(polygon) not in (0, 2, 4)


def _read(
    path: Path,
    part: str,
    image: Image,
    annotations: list[Annotation],
    names: dict[int, str],
    spacing_mm: float | None,
) -> LabelledImage:
    radiograph = read_image(existing_picture(path.parent, image.file_name, path, part), spacing_mm)
    if image.spacing_mm is not None:
        radiograph = replace(radiograph, spacing=user_spacing(str(image.spacing_mm), path))
    shape = (image.height, image.width)
    check_stated_size(shape, radiograph, path)
    masks, ignore = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    notes = []
    for annotation in annotations:
        name = names[annotation.category_id]
        inside = mask_of(annotation, shape, path)
        # A crowd of polygons says "somewhere in here": nothing is known pixel by pixel.
        vague = annotation.iscrowd and isinstance(annotation.segmentation, list)
        plane = ignore if vague else masks
        plane[inside] |= np.uint8(_bit(name, path))
        if not all(map(_encloses, _polygons(annotation))):
            notes.append(
                f"an outline of {name!r:.80} has fewer than three points: nothing is in it"
            )
    patient = image.patient or relative_name(image.file_name, path).stem
    return LabelledImage(
        case_of(image.file_name, path), patient, radiograph, masks,
        ignore if ignore.any() else None, notes=tuple(notes),
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


def _annotation_files(path: Path) -> list[tuple[Path, str]]:
    """The file itself, or those at the usual places of a folder, with the part each is of."""
    if path.is_file():
        part = path.stem.removeprefix("instances_") if path.stem.startswith("instances_") else ""
        return [(path, part or path.parent.name)] if path.suffix.lower() == ".json" else []
    for name in (ANNOTATIONS, "_annotations.coco.json", "labels.json", "result.json"):
        if (path / name).is_file():
            return [(path / name, "")]
    # CVAT: one file a subset, "instances_Train.json". Roboflow: a folder a split.
    instances = sorted(path.glob("annotations/instances_*.json"))
    if instances:
        return [(file, file.stem.removeprefix("instances_")) for file in instances]
    splits = sorted(path.glob("*/_annotations.coco.json"))
    return [(file, file.parent.name) for file in splits]
