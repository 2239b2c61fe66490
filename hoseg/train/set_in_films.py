"""A data set of real films, healthy as they are and with simulated ossification set in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hoseg.datasets import folder as labelled_folder
from hoseg.datasets.pictures import write_picture
from hoseg.radiograph import Side, Structure, View
from hoseg.train.local_films import LocalFilm
from hoseg.train.set_in import OssificationShadow, SetIn, set_in

TRIES = 6
"""Shadows tried for each copy before a film is left as it is."""
CLEAR_MM2, CLEAR_CONTRAST = 100.0, 0.3
"""An ossification of at least this area and contrast (in steps from soft tissue to bone) is clear:
a reader would hardly miss it."""


@dataclass(frozen=True)
class SetInCase:
    """One picture of the data set.

    film: name of the real film; case: of this copy
    side: hip that ossification was set into; unknown = none was
    area_mm2, contrast: of what is visible of it
    """

    case: str
    film: str
    patient: str
    side: Side = Side.UNKNOWN
    area_mm2: float = 0.0
    contrast: float = 0.0

    @property
    def clear(self) -> bool:
        """Whether a reader would hardly miss it."""
        return self.area_mm2 >= CLEAR_MM2 and self.contrast >= CLEAR_CONTRAST


def write_set_in_films(
    films: Sequence[LocalFilm],
    shadows: Iterator[OssificationShadow],
    copies: int,
    folder: Path,
    rng: np.random.Generator,
    validation: Collection[str] = (),
) -> list[SetInCase]:
    """Write each film as it is and, where it has hips, ``copies`` times with ossification.

    folder: new data set in the format "folder"; the class of each hip stands in its table, for
        films without ossification of their own
    validation: patients whose films validate a training; the others' are trained on
    """
    cases: list[SetInCase] = []
    rows: list[dict[str, object]] = []
    for film in films:
        split = "val" if film.patient in validation else "train"
        case = SetInCase(f"{film.name}-0", film.name, film.patient)
        cases.append(case)
        rows += _write(folder, film, case, None, split)
        for number in range(1, copies + 1):
            made = _one_copy(film, shadows, rng)
            if made is None:
                break
            side, changed = made
            case = SetInCase(
                f"{film.name}-{number}", film.name, film.patient,
                side, changed.area_mm2, changed.contrast,
            )  # fmt: skip
            cases.append(case)
            rows += _write(folder, film, case, changed, split)
    labelled_folder.write_table(folder / labelled_folder.TABLE, rows)
    return cases


def _one_copy(
    film: LocalFilm, shadows: Iterator[OssificationShadow], rng: np.random.Generator
) -> tuple[Side, SetIn] | None:
    for _ in range(TRIES if film.places else 0):
        side, place = film.places[int(rng.integers(len(film.places)))]
        made = set_in(film.background, place, next(shadows), rng)
        if made is not None:
            return side, made
    return None


def _write(
    folder: Path, film: LocalFilm, case: SetInCase, made: SetIn | None, split: str
) -> list[dict[str, object]]:
    """Write image, masks and ignored pixels; the rows of the table."""
    grey, masks, ignore = film.background.grey, film.masks, film.ignore
    if made is not None:
        grey = made.grey
        masks = masks | np.where(made.visible, np.uint8(Structure.OSSIFICATION), np.uint8(0))
        ignore = ignore | np.where(made.hidden, np.uint8(Structure.OSSIFICATION), np.uint8(0))
        ignore = np.where(made.visible, ignore & ~np.uint8(Structure.OSSIFICATION), ignore)
    pixels = np.clip(np.round(grey), 0, 65535).astype(np.uint16)
    for name, picture in (("images", pixels), ("masks", masks), ("ignore", ignore)):
        write_picture(folder / name / f"{case.case}.png", picture)
    common: dict[str, object] = {
        "name": case.case,
        "patient": film.patient,
        "split": split,
        "spacing_mm": f"{film.background.spacing_mm:.6g}",
        "view": str(View.AP_PELVIS) if len(film.places) > 1 else "",
    }
    if not film.without or not film.places:
        return [common]
    classes = {side: 0 for side, _ in film.places}
    if made is not None:
        classes[case.side] = made.brooker
    return [common | {"side": str(side), "brooker": k} for side, k in classes.items()]
