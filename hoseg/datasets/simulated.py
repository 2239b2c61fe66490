"""Folders written by ``hoseg simulate``: one a film, with ``index.csv`` over all."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from hoseg.datasets.documents import Loose, has_columns, read_json, read_rows
from hoseg.datasets.labelled import GradedHip, LabelledImage, LazyFilm, read_image
from hoseg.datasets.pictures import read_mask
from hoseg.datasets.places import inside, relative_name
from hoseg.radiograph import Orientation, Side, Spacing, SpacingSource, View

INDEX = "index.csv"
_COLUMNS = {"name", "image", "masks", "truth"}
_MATURE, _CORTICATED = 0.35, 0.7


class ComponentTruth(Loose):
    """One lesion.

    maturity: from 0 (cloud) to 1 (corticated bone)
    attached_to: bones it hangs on in space, "pelvis" and "femur"
    centroid_px: (row, column) of its projection
    """

    maturity: float = 0.0
    attached_to: list[Literal["pelvis", "femur"]] = Field(default_factory=list)
    centroid_px: tuple[float, float] = (0.0, 0.0)


class HipTruth(Loose):
    """The parts of a hip's record that are used."""

    side: Side
    on_film: bool = True
    brooker_3d: Annotated[int, Field(ge=0, le=4)]
    gap_3d_mm: float | None = None
    head_px: tuple[float, float] | None = None
    components: list[ComponentTruth] = Field(default_factory=list)


class OrientationTruth(Loose):
    """Patient directions along the image."""

    columns: Side = Side.LEFT
    rows_to_feet: bool = True


class FilmTruth(Loose):
    """The parts of ``truth.json`` that are used."""

    view: View = View.UNKNOWN
    side: Side = Side.UNKNOWN
    spacing_mm: Annotated[float, Field(gt=0, lt=100)]
    orientation: OrientationTruth = OrientationTruth()
    hips: list[HipTruth] = Field(default_factory=list)


def recognises(path: Path) -> bool:
    """Whether ``path`` was written by ``hoseg simulate``."""
    return has_columns(path / INDEX, _COLUMNS)


def films(path: Path, spacing_mm: float | None = None) -> list[LazyFilm]:
    """Films in the order of the index; each is a patient of its own."""
    return [
        LazyFilm(
            case=row["name"],
            patient=row["name"],
            path=_file(path, row["image"]),
            reader=partial(_read, path, row, spacing_mm),
        )
        for row in read_rows(path / INDEX, _COLUMNS)
    ]


def _file(root: Path, name: str) -> Path:
    return inside(root, root / relative_name(name, root / INDEX))


def read_truth(path: Path) -> FilmTruth:
    """Read ``truth.json``; InputError names the key that does not fit."""
    return read_json(FilmTruth, path)


def _read(root: Path, row: dict[str, str], spacing_mm: float | None) -> LabelledImage:
    truth = read_truth(_file(root, row["truth"]))
    mm = spacing_mm or truth.spacing_mm
    radiograph = read_image(_file(root, row["image"]), None)
    if radiograph.spacing is None:
        radiograph = replace(radiograph, spacing=Spacing(mm, mm, 0.0, SpacingSource.GEOMETRY))
    orientation = Orientation(truth.orientation.columns, truth.orientation.rows_to_feet, "user")
    radiograph = replace(radiograph, view=truth.view, side=truth.side, orientation=orientation)
    masks = _file(root, row["masks"])
    ignore = masks.with_name("ignore.png")
    return LabelledImage(
        case=row["name"],
        patient=row["name"],
        radiograph=radiograph,
        masks=read_mask(masks),
        ignore=read_mask(inside(root, ignore)) if ignore.exists() else None,
        hips=tuple(_graded(hip) for hip in truth.hips if hip.on_film),
    )


def _graded(hip: HipTruth) -> GradedHip:
    """Grade of a hip by its construction in 3D; what the masks show can be graded from them."""
    return GradedHip(hip.side, hip.brooker_3d, hip.gap_3d_mm, _maturity(hip), hip.head_px)


def _maturity(hip: HipTruth) -> str:
    if not hip.components:
        return ""
    most = max(component.maturity for component in hip.components)
    if most < _MATURE:
        return "hazy"
    return "mature_discrete" if most < _CORTICATED else "mature_extensive"
