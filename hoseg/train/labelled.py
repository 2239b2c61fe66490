"""Training samples from labelled datasets, at the working spacing, split by patient."""

from __future__ import annotations

import hashlib
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
from hoseg.train.sample import ALL_BITS, SACRUM_BIT, Sample

_KEPT_FILMS = 256


class LabelledSamples:
    """Films of one dataset, of the training patients or of those held out.

    held_out: give the patients of the validation fold instead of the others
    """

    def __init__(self, config: TrainConfig, source: LabelledSource, *, held_out: bool) -> None:
        self.config, self.source = config, source
        dataset = open_dataset(source.path, source.format)
        self.films = [
            film
            for film in dataset.films
            if in_fold(film, config.validation.fold, config.validation.folds) == held_out
        ]
        if not self.films and not held_out:
            raise SettingError(
                "sources.path", str(source.path), "a dataset with films outside the validation fold"
            )
        self._load = lru_cache(_KEPT_FILMS)(self._read)

    def draw(self, index: int, rng: np.random.Generator) -> Sample:
        """Draw a film; now and then one centred on its ossification."""
        sample = self._load(int(rng.integers(len(self.films))))
        focus = None
        bone = np.argwhere(sample.targets & Structure.OSSIFICATION)
        if len(bone) and rng.random() < self.source.ossification:
            row, column = bone[rng.integers(len(bone))]
            focus = (float(row), float(column))
        return Sample(sample.pixels, sample.targets, sample.ignore, sample.field, focus)

    def whole_crops(self) -> list[Crop]:
        """Centre crops of all films, unchanged, for validation."""
        return [
            centre_crop(self._read(number), self.config.crop_px)
            for number in range(len(self.films))
        ]

    def _read(self, number: int) -> Sample:
        return to_sample(self.films[number].read(), self.config.spacing_mm)

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in self.__dict__.items() if key != "_load"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._load = lru_cache(_KEPT_FILMS)(self._read)


def in_fold(film: LabelledFilm, fold: int, folds: int) -> bool:
    """Whether a film belongs to the validation fold: by its patient, or by its declared split."""
    if film.split:
        return film.split != "train"
    digest = hashlib.sha256(film.patient.encode()).digest()
    return int.from_bytes(digest[:4], "big") % folds == fold


def to_sample(image: LabelledImage, spacing_mm: float) -> Sample:
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
    return Sample(prepared.pixels, shrink(image.masks), ignore, prepared.field)
