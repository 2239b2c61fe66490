"""Films on disk: pixels, masks, truth and an index, by all cores, the same for the same seed."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, fields, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError
from hoseg.files import make_folder, write_whole, written_whole
from hoseg.grade import HipFinding, grade_masks
from hoseg.picture_files import write_pixels
from hoseg.radiograph import Geometry, Orientation, Side, Spacing, SpacingSource, Structure
from hoseg.simulate.body.own_anatomy import AnatomySettings
from hoseg.simulate.body.projector import Camera
from hoseg.simulate.dicom_out import Acquisition, sample_variant, write_dicom
from hoseg.simulate.film.film import SimulatedFilm, render
from hoseg.simulate.made import already_made, note_made
from hoseg.simulate.patient.layers import Layers
from hoseg.simulate.patient.projection import film_camera, project_on
from hoseg.simulate.patient.scene import Scene, sample_scene
from hoseg.simulate.patient.settings import BALANCED, NATURAL, SceneSettings
from hoseg.simulate.record import film_record, magnification, visible_ossification_mm2

PREVALENCES = {"natural": NATURAL, "balanced": BALANCED}
_STRUCTURES = np.uint8(sum(Structure))


@dataclass(frozen=True)
class FolderSettings:
    """What ``write_folder`` writes.

    prevalence: "natural" or "balanced"
    spacing_mm: at the plane of the hip
    size: (rows, columns), or None for what the view needs
    anatomy: own meshes or label map, instead of the shape model
    """

    count: int
    seed: int = 0
    dicom: bool = False
    prevalence: str = "balanced"
    spacing_mm: float = 0.3
    size: tuple[int, int] | None = None
    anatomy: AnatomySettings = field(default_factory=AnatomySettings)

    def __post_init__(self) -> None:
        if self.count < 1:
            raise SettingError("count", self.count, "at least 1")
        if self.seed < 0:
            raise SettingError("seed", self.seed, "a number that is not negative")
        if not 0.05 <= self.spacing_mm <= 2:
            raise SettingError("spacing_mm", self.spacing_mm, "mm in [0.05, 2]")
        if self.prevalence not in ("natural", "balanced"):
            raise SettingError("prevalence", self.prevalence, "natural or balanced")
        if self.size is not None and not all(64 <= side <= 6000 for side in self.size):
            raise SettingError("size", self.size, "ROWSxCOLUMNS, each in [64, 6000]")

    def as_dict(self) -> dict[str, Any]:
        """What the films depend on, as JSON has it: of files the contents, not where they lie."""
        size = None if self.size is None else list(self.size)
        return asdict(self) | {"size": size, "anatomy": self.anatomy.fingerprint()}


@dataclass(frozen=True)
class IndexRow:
    """One line of ``index.csv``. Classes are Brooker's; empty where a hip is not on the film."""

    name: str
    image: str
    masks: str
    truth: str
    view: str
    side: str
    rows: int
    columns: int
    spacing_mm: float
    magnification: float
    right_class_3d: int | None
    right_class_2d: int | None
    right_gap_3d_mm: float | None
    left_class_3d: int | None
    left_class_2d: int | None
    left_gap_3d_mm: float | None
    visible_ossification_mm2: float
    classes_differ: int


@dataclass(frozen=True)
class FolderSummary:
    """What was written, and how often 3D and 2D classes of a hip differ."""

    films: int
    hips_graded: int
    hips_differ: int

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        rate = self.hips_differ / self.hips_graded if self.hips_graded else None
        return {**asdict(self), "rate": rate}


@dataclass(frozen=True, eq=False)
class FolderSample:
    """One film with its scene and what grading makes of its masks."""

    film: SimulatedFilm
    layers: Layers
    scene: Scene
    camera: Camera
    findings: tuple[HipFinding, ...]


def simulate_film(index: int, settings: FolderSettings) -> FolderSample:
    """Film ``index`` of a folder: depends on ``settings.seed`` and ``index`` alone."""
    scene_settings = SceneSettings(brooker=PREVALENCES[settings.prevalence])
    rng = np.random.default_rng([settings.seed, 0, index])
    scene = sample_scene(scene_settings, rng, settings.anatomy.source())
    camera = film_camera(scene, settings.spacing_mm, settings.size)
    layers = project_on(scene, camera)
    film = render(layers, np.random.default_rng([settings.seed, 1, index]))
    spacing = Spacing(settings.spacing_mm, settings.spacing_mm, 0.0, SpacingSource.USER)
    orientation = Orientation(Side.LEFT, True, "attribute")
    geometry = Geometry(spacing, scene.centred, scene.view, orientation)
    findings = grade_masks(film.masks, geometry, field=film.field, draws=20)
    return FolderSample(film, layers, scene, camera, findings)


def parse_size(text: str) -> tuple[int, int] | None:
    """``"1500x1200"`` to (rows, columns); empty to None."""
    if not text:
        return None
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.strip().isdigit() for part in parts):
        raise SettingError("size", text, "ROWSxCOLUMNS, such as 1500x1200")
    return (int(parts[0]), int(parts[1]))


def write_folder(
    out: Path, settings: FolderSettings, workers: int, advance: Callable[[], None]
) -> FolderSummary:
    """Write ``settings.count`` films below ``out`` and call ``advance`` after each.

    Nothing is done when these very films are there; a set that was broken off is made anew.

    Raises
    ------
    OutputError: the folder cannot be written
    InputError: the anatomy of the settings cannot be used
    SettingError: neither can it, or ``out`` holds something else than films of these settings
    """
    settings.anatomy.source()  # what is wrong with it is said before any worker starts
    make_folder(out)
    made_with = settings.as_dict()
    if (made := already_made(out, made_with)) is not None:
        return FolderSummary(**made)
    note_made(out, made_with, None)
    rows: dict[int, IndexRow] = {}
    cores = workers or os.cpu_count() or 1
    if cores == 1 or settings.count == 1:
        for index in range(settings.count):
            rows[index] = write_film(out, index, settings)
            advance()
    else:
        with ProcessPoolExecutor(cores, get_context("spawn"), _single_threaded) as pool:
            jobs = {
                pool.submit(write_film, out, index, settings): index
                for index in range(settings.count)
            }
            for job in as_completed(jobs):
                rows[jobs[job]] = job.result()
                advance()
    ordered = [rows[index] for index in range(settings.count)]
    _write_index(out / "index.csv", ordered)
    summary = _summary(ordered)
    note_made(out, made_with, asdict(summary))
    return summary


def write_film(out: Path, index: int, settings: FolderSettings) -> IndexRow:
    """Write film ``index`` to its own folder. The truth is written last."""
    sample = simulate_film(index, settings)
    name = f"{index:06d}"
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    film = sample.film
    bits = film.recipe.processing.bits
    if settings.dicom:
        image = folder / "image.dcm"
        _write_object(
            image,
            f"{settings.seed}-{name}",
            sample,
            np.random.default_rng([settings.seed, 3, index]),
        )
    else:
        image = folder / "image.png"
        # All 16 bits are used, so that viewers show the film.
        full = film.pixels.astype(np.uint32) * 65535 // (2**bits - 1)
        _write_png(image, full.astype(np.uint16))
    _write_png(folder / "masks.png", film.masks)
    _write_png(folder / "ignore.png", film.ignore & _STRUCTURES)
    record = film_record(sample.scene, sample.camera, sample.layers, film, sample.findings)
    write_whole(folder / "truth.json", json.dumps(record, indent=1))
    return _row(name, image, sample, record)


def _write_png(path: Path, pixels: NDArray[np.unsignedinteger]) -> None:
    write_pixels(path, pixels, [cv2.IMWRITE_PNG_COMPRESSION, 2])


def _write_object(path: Path, name: str, sample: FolderSample, rng: np.random.Generator) -> None:
    """One DICOM object in a drawn variant."""
    recipe = sample.film.recipe
    top = 2**recipe.processing.bits - 1
    variant, shown = sample_variant(rng), sample.film.pixels
    if recipe.processing.dark_bone and not recipe.fluoroscopy:
        # A radiograph stored with dark bone is MONOCHROME1; fluoroscopes do show dark bone.
        variant, shown = replace(variant, inverted=True), top - shown
    acquisition = Acquisition(
        name=name,
        view=sample.scene.view,
        side=sample.scene.centred,
        columns=Side.LEFT,
        spacing_mm=sample.film.spacing_mm,
        magnification=magnification(sample.scene, sample.camera),
        kvp=recipe.exposure.kvp,
        source_detector_mm=sample.camera.source_detector_mm,
    )
    write_dicom(path, shown, recipe.processing.bits, acquisition, variant)


def _row(name: str, image: Path, sample: FolderSample, record: dict[str, Any]) -> IndexRow:
    height, width = sample.film.masks.shape
    classes: dict[str, Any] = {}
    differ = 0
    for hip in record["hips"]:
        side = hip["side"]
        graded = hip["on_film"] and hip["brooker_2d"] is not None
        classes[f"{side}_class_3d"] = hip["brooker_3d"] if hip["on_film"] else None
        classes[f"{side}_class_2d"] = hip["brooker_2d"] if hip["on_film"] else None
        classes[f"{side}_gap_3d_mm"] = hip["gap_3d_mm"] if hip["on_film"] else None
        differ += bool(graded and hip["brooker_3d"] != hip["brooker_2d"])
    return IndexRow(
        name=name,
        image=f"{name}/{image.name}",
        masks=f"{name}/masks.png",
        truth=f"{name}/truth.json",
        view=record["view"],
        side=record["side"],
        rows=height,
        columns=width,
        spacing_mm=record["spacing_mm"],
        magnification=round(record["magnification"], 5),
        visible_ossification_mm2=round(visible_ossification_mm2(sample.film), 2),
        classes_differ=differ,
        **classes,
    )


def _single_threaded() -> None:
    cv2.setNumThreads(1)


def _write_index(path: Path, rows: list[IndexRow]) -> None:
    with written_whole(path) as part, part.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([entry.name for entry in fields(IndexRow)])
        for row in rows:
            writer.writerow(["" if v is None else v for v in asdict(row).values()])


def _summary(rows: list[IndexRow]) -> FolderSummary:
    graded = sum(
        (row.right_class_2d is not None and row.right_class_3d is not None)
        + (row.left_class_2d is not None and row.left_class_3d is not None)
        for row in rows
    )
    return FolderSummary(len(rows), graded, sum(row.classes_differ for row in rows))
