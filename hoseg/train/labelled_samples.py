"""Training samples from labelled datasets, at the working spacing, split by patient."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.datasets import open_dataset
from hoseg.datasets.labelled import LabelledFilm, LabelledImage
from hoseg.errors import SettingError
from hoseg.imaging.prepare import prepare
from hoseg.imaging.resample import grid_window
from hoseg.radiograph import Structure
from hoseg.train.augment import Crop, centre_crop
from hoseg.train.config import LabelledSource, TrainConfig
from hoseg.train.sample import ALL_BITS, SACRUM_BIT, TrainingSample

_KEPT_FILMS = 256
_READERS = 4
_SPLITS = ("", "train", "val", "test")


class LabelledSamples:
    """Films of one dataset, of the training patients or of those held out.

    held_out: give the patients of the validation fold instead of the others
    """

    def __init__(self, config: TrainConfig, source: LabelledSource, *, held_out: bool) -> None:
        self.config, self.source = config, source
        dataset = open_dataset(source.path, source.format)
        split = split_films(dataset.films, config.validation.fold, config.validation.folds)
        self.films = split.validation if held_out else split.training
        if not self.films and not held_out:
            raise SettingError(
                "sources.path", str(source.path), "a dataset with films outside the validation fold"
            )
        self._load = lru_cache(_KEPT_FILMS)(self._read)

    def draw(self, index: int, rng: np.random.Generator) -> TrainingSample:
        """Draw a film; now and then one centred on its ossification."""
        sample = self._load(int(rng.integers(len(self.films))))
        focus = None
        bone = np.argwhere(sample.targets & Structure.OSSIFICATION)
        if len(bone) and rng.random() < self.source.ossification:
            row, column = bone[rng.integers(len(bone))]
            focus = (float(row), float(column))
        return TrainingSample(sample.pixels, sample.targets, sample.ignore, sample.field, focus)

    def whole_crops(self) -> list[Crop]:
        """Centre crops of all films, unchanged, for validation."""
        return [
            centre_crop(self._read(number), self.config.crop_px)
            for number in range(len(self.films))
        ]

    def whole_films(self) -> list[Crop]:
        """All films as the network sees them, with their targets and ignored bits."""
        samples = (self._read(number) for number in range(len(self.films)))
        return [
            (sample.pixels.astype(np.float32), sample.targets, sample.ignore) for sample in samples
        ]

    def _read(self, number: int) -> TrainingSample:
        return to_sample(self.films[number].read(), self.config.spacing_mm)

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in self.__dict__.items() if key != "_load"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._load = lru_cache(_KEPT_FILMS)(self._read)


@dataclass(frozen=True)
class FilmSplit:
    """Films of a dataset to train and to validate on; those of its test split are in neither."""

    training: list[LabelledFilm]
    validation: list[LabelledFilm]


def split_films(films: Sequence[LabelledFilm], fold: int, folds: int) -> FilmSplit:
    """Part films by their declared splits, else by patient.

    A declared "val" is what validates. Without one, and among films that declare nothing, the
    patients of a fold do.
    """
    split = FilmSplit([], [])
    declared = any(film.split == "val" for film in films)
    for film in films:
        if film.split not in _SPLITS:
            allowed = f"one of {', '.join(_SPLITS[1:])} or nothing"
            raise SettingError("split", film.split, allowed, where=f"{film.path} ({film.case})")
        if film.split == "test":
            continue
        fixed = film.split == "val" or (film.split == "train" and declared)
        held_out = film.split == "val" if fixed else in_fold(film.patient, fold, folds)
        (split.validation if held_out else split.training).append(film)
    return split


def in_fold(patient: str, fold: int, folds: int) -> bool:
    """Whether a patient is among those held out in a fold, whatever the dataset."""
    digest = hashlib.sha256(patient.encode()).digest()
    return int.from_bytes(digest[:4], "big") % folds == fold


def check_labelled(config: TrainConfig) -> None:
    """Read every labelled film once, so that one that does not fit is named before training.

    Raises
    ------
    InputError
        A film whose image or masks cannot be read, or do not fit each other.
    SettingError
        A film without masks; nothing to validate on, where nothing is simulated either.
    """
    sources = [source for source in config.sources if isinstance(source, LabelledSource)]
    held_out = 0
    for source in sources:
        dataset = open_dataset(source.path, source.format)
        split = split_films(dataset.films, config.validation.fold, config.validation.folds)
        held_out += len(split.validation)
        with ThreadPoolExecutor(_READERS) as pool:
            list(pool.map(_check_film, split.training + split.validation))
    if sources and len(sources) == len(config.sources) and not held_out:
        place = f"fold {config.validation.fold} of {config.validation.folds}"
        allowed = (
            f"a dataset with patients in {place}, or a split 'val': try another validation.fold, "
            "fewer validation.folds, or more patients"
        )
        raise SettingError("sources.path", str(sources[0].path), allowed)


def _check_film(film: LabelledFilm) -> None:
    image = film.read()
    if image.masks is None:
        raise SettingError("sources", image.case, "films with masks (this one has grades alone)")


def to_sample(image: LabelledImage, spacing_mm: float) -> TrainingSample:
    """Resample a labelled film as the network will see it; labels go the same way."""
    if image.masks is None:
        raise SettingError("sources", image.case, "films with masks (this one has grades alone)")
    prepared = prepare(image.radiograph, spacing_mm)
    window = grid_window(prepared.grid)

    def shrink(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        inside = mask[window.slices]
        small = cv2.resize(inside, prepared.grid.shape[::-1], interpolation=cv2.INTER_NEAREST)
        return np.asarray(small, np.uint8)

    ignore = np.zeros(prepared.grid.shape, np.uint8)
    if image.ignore is not None:
        ignore = shrink(image.ignore)
    ignore = ignore | np.uint8(SACRUM_BIT)
    ignore = np.where(prepared.field, ignore, np.uint8(ALL_BITS))
    return TrainingSample(prepared.pixels, shrink(image.masks), ignore, prepared.field)
