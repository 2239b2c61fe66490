"""A reader that knows the truth, in place of the network: grading then rests on fixed masks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .names import Grid, Prepared, Segmentation

Masks = NDArray[np.uint8]

LABEL = "frozen@000000000000"
PERMILLE = (990, 985, 980, 950)
"""Surest answer for each structure, x 1000."""

OSSIFICATION = 3
"""Its bit."""

FADE_PERMILLE = 250
"""Ossification is this much less sure at the right edge than at the left one."""


class FrozenReader:
    """Answers like a predictor: true masks, and probabilities made of them in whole numbers.

    spacing_mm: at which films must be prepared
    masks: (H, W) uint8 of each film that may be asked about, by its shape
    """

    label = LABEL

    def __init__(self, spacing_mm: float, masks: Mapping[tuple[int, int], Masks]) -> None:
        self.spacing_mm = spacing_mm
        self._masks = masks

    def predict(self, films: Sequence[Prepared]) -> list[Segmentation]:
        """Segment prepared films."""
        return [self._read(film) for film in films]

    def _read(self, film: Prepared) -> Segmentation:
        masks = self._masks[film.original_shape]
        return Segmentation(masks.copy(), _probabilities(masks, film), film.grid, LABEL)


def read_masks(folders: Iterable[Path]) -> dict[tuple[int, int], Masks]:
    """What can be seen of the true masks of simulated films, by their shape."""
    found: dict[tuple[int, int], Masks] = {}
    for folder in folders:
        masks, ignore = (read_picture(folder / name) for name in ("masks.png", "ignore.png"))
        found[masks.shape[0], masks.shape[1]] = masks & ~ignore
    return found


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Pixels as they are stored."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise FileNotFoundError(path)
    return np.asarray(pixels)


def _probabilities(masks: Masks, film: Prepared) -> Masks:
    """(4, h, w) uint8: blurred masks, never quite sure, zero outside the exposed field."""
    part = masks[_window(film.grid)]
    rows, columns = film.grid.shape
    shrinks = part.shape[0] >= rows and part.shape[1] >= columns
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    fade = FADE_PERMILLE * np.arange(columns, dtype=np.uint32) // columns
    answers = []
    for bit, permille in enumerate(PERMILLE):
        plane = cv2.resize(((part >> bit) & 1) * np.uint8(255), (columns, rows), interpolation=how)
        soft = cv2.GaussianBlur(plane, (5, 5), 0).astype(np.uint32)
        answers.append((soft * (permille - fade * (bit == OSSIFICATION)) + 500) // 1000)
    return (np.stack(answers) * film.field).astype(np.uint8)


def _window(grid: Grid) -> tuple[slice, slice]:
    """Original pixels that a grid covers."""
    first = [o - (step - 1) / 2 for o, step in zip(grid.origin_px, grid.step_px, strict=True)]
    sizes = [n * step for n, step in zip(grid.shape, grid.step_px, strict=True)]
    top, left = (round(edge) for edge in first)
    return slice(top, round(first[0] + sizes[0])), slice(left, round(first[1] + sizes[1]))
