"""Several labelled datasets as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hoseg.datasets.labelled import Dataset, LabelledFilm, LabelledImage


@dataclass(frozen=True)
class PooledFilm:
    """A film of one of several datasets, whose case and patient carry the dataset's name."""

    film: LabelledFilm
    dataset: str

    @property
    def case(self) -> str:
        """``dataset/case``."""
        return f"{self.dataset}/{self.film.case}"

    @property
    def patient(self) -> str:
        """``dataset/patient``: patients of two datasets are never taken for one."""
        return f"{self.dataset}/{self.film.patient}"

    @property
    def split(self) -> str:
        """As in its dataset."""
        return self.film.split

    @property
    def path(self) -> Path:
        """The image file, for messages."""
        return self.film.path

    def read(self) -> LabelledImage:
        """Decode image and labels."""
        return replace(self.film.read(), case=self.case, patient=self.patient, dataset=self.dataset)


def pool(datasets: Sequence[Dataset]) -> tuple[LabelledFilm, ...]:
    """All films of some datasets; those of one alone keep their names.

    A dataset goes by the last part of its path; by all of it where two share that.
    """
    if len(datasets) == 1:
        return datasets[0].films
    last = [dataset.path.resolve().name for dataset in datasets]
    return tuple(
        PooledFilm(film, name if last.count(name) == 1 else str(dataset.path))
        for name, dataset in zip(last, datasets, strict=True)
        for film in dataset.films
    )
