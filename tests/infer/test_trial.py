"""Polarity and scale are asked of the network where the film leaves them open."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from hoseg.imaging.prepare import prepare
from hoseg.infer.trial import expected_error, segment
from hoseg.radiograph import (
    Attributes,
    Prepared,
    Radiograph,
    Segmentation,
    Spacing,
    SpacingSource,
)

HEAD_MM = 24.0


class Bones:
    """A predictor that knows bright discs of one size: doubtful of all others."""

    spacing_mm = 1.0

    def __init__(self) -> None:
        self.films: list[Prepared] = []

    def predict(self, films: list[Prepared]) -> list[Segmentation]:
        self.films += films
        return [self._answer(film) for film in films]

    def _answer(self, film: Prepared) -> Segmentation:
        bright = (film.pixels > 1.0).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(bright)
        largest = stats[1:, cv2.CC_STAT_AREA].max(initial=0)
        radius_mm = np.sqrt(largest / np.pi)
        sure = np.exp(-abs(np.log(max(radius_mm, 1) / HEAD_MM)))
        level = 128 + int(126 * sure)
        plane = np.where(bright > 0, np.uint8(level), np.uint8(0))
        probabilities = np.stack([plane] * 4)
        return Segmentation(np.zeros(film.original_shape, np.uint8), probabilities, film.grid, "x")


def disc_film(width_mm: float, *, inverted: bool = False, spacing: bool = False) -> Radiograph:
    """A film of 400 x 400 pixels with one bright disc of the size of a femoral head."""
    mm = width_mm / 400
    rows, columns = np.mgrid[:400, :400]
    inside = (rows - 200) ** 2 + (columns - 200) ** 2 < (HEAD_MM / mm) ** 2
    noise = np.random.default_rng(0).normal(0, 12, (400, 400))
    grey = cv2.GaussianBlur(np.where(inside, 180.0, 100.0) + noise, (0, 0), 1.0)
    pixels = (255 - grey if inverted else grey).astype(np.uint8)
    known = Spacing(mm, mm, 0.0, SpacingSource.USER) if spacing else None
    return Radiograph(pixels, "disc.png", known)


def run(film: Radiograph) -> tuple[Bones, Prepared]:
    bones = Bones()
    reading = segment(bones, film, prepare(film, bones.spacing_mm))
    assert reading.segmentation.grid == reading.prepared.grid
    return bones, reading.prepared


@pytest.mark.parametrize("width_mm", [400, 280, 200, 140])
def test_scale_without_millimetres(width_mm):
    _, prepared = run(disc_film(width_mm))
    rows = prepared.grid.shape[0] * prepared.grid.spacing_mm[0]
    assert rows == pytest.approx(width_mm, rel=0.02)
    (note,) = (n for n in prepared.notes if n.code == "scale_assumed")
    assert f"{width_mm} mm" in note.text


@pytest.mark.parametrize("inverted", [False, True])
def test_polarity(inverted):
    _, prepared = run(disc_film(200, inverted=inverted, spacing=True))
    assert prepared.inverted == inverted
    codes = {n.code for n in prepared.notes}
    assert ("polarity_flipped" in codes) == inverted
    assert "polarity_uncertain" not in codes


def test_a_film_that_says_all_passes_once():
    film = disc_film(200, spacing=True)
    sure = replace(
        film, attributes=Attributes(modality="DX", photometric="MONOCHROME2", intensity_sign=-1)
    )
    bones, prepared = run(sure)
    assert len(bones.films) == 1
    assert prepared is bones.films[0]


def test_doubt_is_zero_for_certain_bones_and_large_for_none():
    film = prepare(disc_film(200, spacing=True), 1.0)
    answer = Bones().predict([film])[0]
    sharp = np.where(answer.probabilities > 0, np.uint8(255), np.uint8(0))
    assert expected_error(replace(answer, probabilities=sharp)) == 0
    vague = np.full_like(sharp, 100)
    assert expected_error(replace(answer, probabilities=vague)) > 1000
