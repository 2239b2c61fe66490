"""Films with made-up truth, and a reader whose errors are known, for tests of the whole path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

from hoseg.datasets.labelled import GradedHip, LabelledImage
from hoseg.evaluate.score import Prediction
from hoseg.evaluate.stream import Segmented
from hoseg.grade.finding import HipFinding, Landmarks
from hoseg.imaging.reading import Reading
from hoseg.radiograph import (
    Grid,
    Prepared,
    Radiograph,
    Segmentation,
    Side,
    Spacing,
    SpacingSource,
    View,
)

SHAPE, SPACING_MM = (240, 320), 1.0
MATURITY = ("hazy", "mature_discrete", "mature_extensive")


def finding(side=Side.LEFT, grade=0, probabilities=None, gap_mm=None, abstained=None, head=None):
    """A finding with only what evaluation looks at."""
    if probabilities is None and grade is not None:
        probabilities = np.full(5, 0.05) + np.eye(5)[grade] * 0.75
    chances = {} if probabilities is None else {"brooker": tuple(map(float, probabilities))}
    return HipFinding(
        side=side,
        classes={"brooker": grade},
        class_probabilities=chances,
        gap_mm=gap_mm,
        landmarks=Landmarks(head_px=head),
        abstained=abstained,
    )


def ellipse(centre, axes, angle=0):
    """Filled ellipse (bool) at (row, column) with (half-height, half-width)."""
    plane = np.zeros(SHAPE, np.uint8)
    cv2.ellipse(
        plane, (round(centre[1]), round(centre[0])), (axes[1], axes[0]), angle, 0, 360, 1, -1
    )
    return plane > 0


@dataclass
class PhantomFilm:
    """A pelvis film with two hips; everything follows from the seed."""

    seed: int
    patient: str
    prevalence: float = 0.5
    case: str = ""
    split: str = ""
    path: Path = Path("phantom")

    def __post_init__(self):
        self.case = self.case or f"film-{self.seed:04d}"

    def read(self):
        rng = np.random.default_rng(self.seed)
        heads = ((110, 80), (110, 240))
        pelvis = ellipse((70, 90), (50, 60)) | ellipse((70, 230), (50, 60))
        femur = np.zeros(SHAPE, bool)
        for row, column in heads:
            femur |= ellipse((row, column), (22, 22)) | ellipse((row + 70, column), (60, 13))
        implant = np.zeros(SHAPE, bool)
        if rng.random() < 0.4:
            implant = ellipse((150, 80), (55, 7)) | ellipse((108, 82), (18, 18))
        ossification, hidden, hips = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool), []
        for side, head, sign in ((Side.RIGHT, heads[0], -1), (Side.LEFT, heads[1], 1)):
            grade, maturity, gap = 0, "", None
            if rng.random() < self.prevalence:
                grade = int(rng.integers(1, 5))
                maturity = MATURITY[rng.integers(3)]
                gap = {2: rng.uniform(10, 25), 3: rng.uniform(1, 10)}.get(grade)
                size = (4 + 3 * grade, 3 + 2 * grade)
                place = (head[0] + 5 - 15 * (grade > 2), head[1] + sign * rng.integers(28, 50))
                ossification |= ellipse(place, size, rng.integers(0, 90))
                hidden |= ellipse((place[0] + 25, place[1]), (5, 5))
            hips.append(GradedHip(side, grade, gap, maturity, head))
        masks = (pelvis * 1 + femur * 2 + implant * 4 + (ossification & ~hidden) * 8).astype(
            np.uint8
        )
        ignore = (hidden * 8).astype(np.uint8)
        pixels = 200.0 * pelvis + 230 * femur + 500 * implant + 180 * ossification
        pixels = ndimage.gaussian_filter(pixels + 80, 1.5) + rng.normal(0, 12, SHAPE)
        view = View.AP_PELVIS if self.seed % 3 else View.FROG_LEG
        radiograph = Radiograph(
            pixels.astype(np.float32),
            self.case,
            Spacing(SPACING_MM, SPACING_MM, 0.02, SpacingSource.USER),
            view=view,
        )
        return LabelledImage(self.case, self.patient, radiograph, masks, ignore, tuple(hips))


class PhantomReader:
    """Shifts every mask by ``shift`` pixels, forgets and invents ossification, errs in class."""

    label = "phantom@0000"

    def __init__(self, shift=1, miss=0.15, invent=0.15, wrong=0.25, seed=0):
        self.shift, self.miss, self.invent, self.wrong = shift, miss, invent, wrong
        self.seed, self.calls, self._truth = seed, 0, {}

    def watch(self, film):
        """Look at the truth, as no real reader may."""
        self._truth[film.case] = film.read()
        return film

    def _rng(self, radiograph):
        return np.random.default_rng([self.seed, int(radiograph.source[-4:])])

    def segment(self, radiograph):
        self.calls += 1
        rng, truth = self._rng(radiograph), self._truth[radiograph.source]
        masks = np.roll(truth.masks, self.shift, axis=1) if self.shift else truth.masks.copy()
        if rng.random() < self.miss:
            masks &= 7
        if rng.random() < self.invent:
            masks |= (ellipse((40, 160), (6, 6)) * 8).astype(np.uint8)
        planes = np.stack([(masks >> bit) & 1 for bit in range(4)]).astype(np.float32)
        soft = np.stack([ndimage.gaussian_filter(p, 2) for p in planes])
        probabilities = (255 * np.clip(soft * 0.96 + 0.02, 0, 1)).astype(np.uint8)
        grid = Grid(SHAPE, (0.0, 0.0), (1.0, 1.0), (SPACING_MM, SPACING_MM))
        prepared = Prepared(radiograph.pixels, np.ones(SHAPE, bool), grid, SHAPE)
        found = Segmentation(masks, probabilities, grid, self.label)
        return Segmented(Reading(radiograph, prepared, found))

    def conclude(self, found):
        radiograph = found.reading.radiograph
        rng, truth = self._rng(radiograph), self._truth[radiograph.source]
        hips = []
        for hip in truth.hips:
            if rng.random() < 0.06:
                hips.append(finding(hip.side, None, abstained="cropped"))
                continue
            grade = hip.brooker
            if rng.random() < self.wrong:
                grade = int(np.clip(grade + rng.choice([-1, 1]), 0, 4))
            sure = rng.uniform(0.4, 0.95)
            chances = np.full(5, (1 - sure) / 4) + np.eye(5)[grade] * (sure - (1 - sure) / 4)
            gap = None if hip.gap_mm is None else max(0.0, hip.gap_mm + rng.normal(-0.4, 1.2))
            hips.append(finding(hip.side, grade, chances, gap, head=hip.centre_px))
        return Prediction(found.reading.segmentation, tuple(hips))

    def grade_truth(self, truth):
        return tuple(
            finding(h.side, h.brooker, gap_mm=h.gap_mm, head=h.centre_px) for h in truth.hips
        )


def phantom_set(count, reader, prevalence=0.5):
    """Films of which every two neighbours show the same patient."""
    return [reader.watch(PhantomFilm(i, f"patient-{i // 2}", prevalence)) for i in range(count)]


def without_masks(truth):
    """The same film with grades alone."""
    return replace(truth, masks=None, ignore=None)
