"""A site's own films without labels, made into films that a network can learn from.

Bones and implants are the model's own answer where it is sure, and not asked for where it is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.datasets.documents import read_rows
from hoseg.dicom import decode, discover
from hoseg.errors import InputError
from hoseg.grade import grade
from hoseg.imaging.reading import Reading
from hoseg.imaging.resample import grid_window
from hoseg.pipeline import Pipeline
from hoseg.radiograph import STRUCTURES, Radiograph, Side, Structure
from hoseg.reasons import status_of
from hoseg.train.set_in import Background, HipPlace, place_of

LEAST_SPACING_MM = 0.35
"""Finer films are shrunk to this: the network works at twice it."""
HEAD_RADIUS_MM = 24.0
"""Of an adult femoral head, where a film bears no millimetres (Young et al., Clin Anat 2019:
mean diameter 48 mm)."""
LEAST_BONE_MM2, LEAST_IMPLANT_MM2 = 1500.0, 150.0
"""A piece of bone, of metal, smaller than this is taken for a stray answer and not taught."""
UNSURE = (38, 217)
"""Probabilities x 255 between these are unsure: the outline there is not asked for."""
TABLE_COLUMNS = ("file", "patient", "spacing_mm", "ossification")
ALL_STRUCTURES = np.uint8((1 << len(STRUCTURES)) - 1)

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LocalFilm:
    """One film as it will be taught.

    name: unique among the films; patient: never shared with another person's
    without: whether it shows no ossification; else its ossification is not asked for
    background: the film upright, dense bright, at no finer than ``LEAST_SPACING_MM``
    masks, ignore: (H, W) uint8, bits of ``Structure``
    places: its hips
    """

    name: str
    patient: str
    without: bool
    background: Background
    masks: NDArray[np.uint8]
    ignore: NDArray[np.uint8]
    places: tuple[tuple[Side, HipPlace], ...]


@dataclass(frozen=True)
class Skipped:
    """A film that was not used, and why."""

    source: str
    why: str


def read_film_table(path: Path | None) -> dict[str, Mapping[str, str]]:
    """Rows by name of file: "patient", "spacing_mm" and "ossification", each may be absent.

    Raises
    ------
    InputError
        No such table, no column "file", a spacing that is no number (``bad_table``).
    """
    if path is None:
        return {}
    rows: dict[str, Mapping[str, str]] = {row["file"]: row for row in read_rows(path, ("file",))}
    for name, row in rows.items():
        _spacing_of(row, path, name)
    return rows


def read_local_films(
    inputs: Sequence[Path],
    table: Mapping[str, Mapping[str, str]],
    pipeline: Pipeline,
) -> Iterator[LocalFilm | Skipped]:
    """Read every film once with the model that is to be adapted.

    inputs: files and folders, as ``hoseg run`` takes them
    table: of ``read_film_table``. A film marked other than "none" or "" there may show
        ossification; what it shows is not asked for. Without a table no film shows any, and
        patients are those of the files, else each film is one of its own.
    """
    for source in discover(inputs):
        row = table.get(PurePath(source.name).name, {})
        spacing_mm = _spacing_of(row, source.path, source.name)
        try:
            pair = None if spacing_mm is None else (spacing_mm, spacing_mm)
            films = decode(replace(source, spacing_mm=pair))
        except InputError as error:
            if status_of(error.code) != "skipped":
                yield Skipped(source.name, error.sentence)
            continue
        for radiograph in films:
            yield _local_film(radiograph, row, pipeline)


def _local_film(
    radiograph: Radiograph, row: Mapping[str, str], pipeline: Pipeline
) -> LocalFilm | Skipped:
    result = pipeline.read(radiograph)
    if result.reading is None or result.result.status not in ("graded", "abstained"):
        return Skipped(radiograph.source, result.result.sentence)
    reading = result.reading  # upright
    places = tuple(
        (finding.side, place)
        for finding in grade(reading, draws=0)
        if (place := place_of(finding)) is not None
    )
    spacing_mm = _working_spacing(reading, places)
    if spacing_mm is None:
        return Skipped(radiograph.source, "has no millimetres and no femoral head to tell them by")
    name = Path(radiograph.source).stem + (
        f"-{radiograph.attributes.frame}" if radiograph.attributes.frame else ""
    )
    patient = row.get("patient") or radiograph.attributes.patient_id or radiograph.source
    without = row.get("ossification", "").strip().casefold() in ("", "none", "no")
    return _teachable(name, patient, without, reading, (spacing_mm, places))


def _teachable(
    name: str,
    patient: str,
    without: bool,
    reading: Reading,
    known: tuple[float, tuple[tuple[Side, HipPlace], ...]],
) -> LocalFilm:
    spacing_mm, places = known
    field = _on_film(reading, reading.prepared.field.astype(np.uint8), cv2.INTER_NEAREST) > 0
    masks, ignore = _sure_answers(reading, spacing_mm)
    if not without:
        ignore |= np.uint8(Structure.OSSIFICATION)
    ignore[~field] = ALL_STRUCTURES
    factor = min(spacing_mm / LEAST_SPACING_MM, 1.0)
    grey = _dense_bright(reading)
    if factor < 1:
        size = (round(grey.shape[1] * factor), round(grey.shape[0] * factor))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)
        masks, ignore, small = (
            np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST), np.uint8)
            for picture in (masks, ignore, field.astype(np.uint8))
        )
        field = small > 0
        places = tuple((side, _shrunk(place, factor)) for side, place in places)
    bones = (masks & (Structure.PELVIS | Structure.FEMUR)) > 0
    background = Background(grey, bones, field, spacing_mm / factor)
    return LocalFilm(name, patient, without, background, masks, ignore, places)


def _sure_answers(
    reading: Reading, spacing_mm: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Masks of pelvis, femur and implant without stray pieces, and where they are not sure."""
    found = reading.segmentation
    masks = np.zeros(found.masks.shape, np.uint8)
    ignore = np.zeros(found.masks.shape, np.uint8)
    for channel, structure in enumerate((Structure.PELVIS, Structure.FEMUR, Structure.IMPLANT)):
        implant = structure is Structure.IMPLANT
        least = (LEAST_IMPLANT_MM2 if implant else LEAST_BONE_MM2) / spacing_mm**2
        answer = ((found.masks & structure) > 0).astype(np.uint8)
        kept = _large_pieces(answer, least)
        masks[kept] |= np.uint8(structure)
        chance = _on_film(reading, found.probabilities[channel], cv2.INTER_LINEAR)
        near = cv2.dilate(kept.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        unsure = (chance > UNSURE[0]) & (chance < UNSURE[1]) & near
        ignore[unsure] |= np.uint8(structure)
    return masks, ignore


def _large_pieces(mask: NDArray[np.uint8], least_px: float) -> Mask:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= least_px
    large[0] = False
    return np.asarray(large[labels], bool)


def _on_film(reading: Reading, picture: NDArray[np.uint8], how: int) -> NDArray[np.uint8]:
    """A picture on the network's grid, on the film's pixels; zero outside it."""
    window = grid_window(reading.segmentation.grid)
    whole = np.zeros(reading.radiograph.shape, np.uint8)
    whole[window.slices] = cv2.resize(picture, window.shape[::-1], interpolation=how)
    return whole


def _dense_bright(reading: Reading) -> NDArray[np.float32]:
    """The film's own grey levels (H, W) in [0, 65535], dense bright."""
    pixels = np.nan_to_num(reading.radiograph.pixels.astype(np.float32))
    low, high = np.percentile(pixels, (0.02, 99.98))
    scaled = (np.clip(pixels, low, high) - low) * np.float32(65535 / max(high - low, 1e-6))
    return 65535 - scaled if reading.prepared.inverted else scaled


def _working_spacing(reading: Reading, places: Sequence[tuple[Side, HipPlace]]) -> float | None:
    """Millimetres of a pixel: the film's own, else by the femoral heads, else None."""
    if reading.radiograph.spacing is not None:
        return float(reading.radiograph.spacing.mean_mm)
    if not places:
        return None
    return HEAD_RADIUS_MM / float(np.median([place.radius_px for _, place in places]))


def _shrunk(place: HipPlace, factor: float) -> HipPlace:
    head = (place.head_px + 0.5) * factor - 0.5
    return HipPlace(head, place.radius_px * factor, place.shaft, place.lateral)


def _spacing_of(row: Mapping[str, str], path: Path, name: str) -> float | None:
    text = row.get("spacing_mm", "")
    if not text:
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = float("nan")
    if not 0.01 <= value <= 10:
        why = f"{name}: spacing_mm = {text!r}; expected mm in [0.01, 10], or nothing"
        raise InputError(str(path), why, code="bad_table")
    return value
