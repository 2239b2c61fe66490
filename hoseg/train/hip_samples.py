"""Hips and ossifications of labelled films as a model reads them, with their truth.

What the networks and regressions behind a grade (``hoseg.grade.models``) are taught and judged on.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoseg.datasets import LabelledImage, open_dataset
from hoseg.datasets.simulated import HipTruth, read_truth
from hoseg.evaluate.hips import match, true_hips
from hoseg.evaluate.model import EvaluatedPipeline
from hoseg.grade import GradeSettings, GradingModels, HipFinding, grade
from hoseg.grade.chances import BY_CLOSE_UP, MEASUREMENTS, measure_hips
from hoseg.grade.closeup import ATTACHMENT, AttachmentNetwork, CloseUpNetwork, close_up_of_hip
from hoseg.imaging.reading import Reading
from hoseg.infer.predictor import Options, Predictor
from hoseg.pipeline import Pipeline
from hoseg.train.attachment import CloseUpRecorder, attachment_targets

BY_RULES = tuple(name for name in MEASUREMENTS if name not in BY_CLOSE_UP)
TRUTH = "truth.json"
"""Beside a simulated film: what its ossifications hang on."""


@dataclass(frozen=True, eq=False)
class HipSample:
    """One graded hip.

    film: number of its film among all films
    source: number of the folder the film is from
    read: class by the rules
    every_contact: the same with every contact on the film counted
    values: measurements ``BY_RULES``
    drawn: (5,) P(class) of the draws
    shown: its close-up
    """

    film: int
    source: int
    truth: int
    read: int
    every_contact: int
    values: NDArray[np.float64]
    drawn: NDArray[np.float64]
    shown: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class OssificationSample:
    """One ossification.

    shown: its close-up
    hangs_on: (2,) whether on the pelvis, the femur; nan when far from it
    touching: (2,) whether it does on the film
    by_share: (2,) probability of superimposition by the share of it that lies over the bone
    """

    film: int
    source: int
    shown: NDArray[np.uint8]
    hangs_on: NDArray[np.float32]
    touching: NDArray[np.bool_]
    by_share: NDArray[np.float64]


Films = tuple[list[HipSample], list[OssificationSample]]


def look_at(
    model: Path, folders: list[Path], attachment: bytes | None, start: int, step: int
) -> Films:
    """Read every ``step``-th film with one thread.

    attachment: the network that tells attachment from superimposition; None = count all contacts
    """
    pipeline = Pipeline(Predictor(model, "cpu", options=Options(threads=1, gate=False)))
    # Without the class model: the fit wants the draws, not an earlier fit.
    pipeline.grading = GradingModels()
    if attachment is not None:
        network = AttachmentNetwork(CloseUpNetwork(ATTACHMENT, attachment))
        pipeline.grading = GradingModels(contacts=network)
    reader = EvaluatedPipeline(pipeline)
    hips: list[HipSample] = []
    pieces: list[OssificationSample] = []
    number = 0
    for source, folder in enumerate(folders):
        for film in open_dataset(folder).films:
            number += 1
            if number % step != start:
                continue
            truth = film.read()
            seen = reader.segment(truth.radiograph)
            findings = reader.conclude(seen).hips
            hips += _hips(truth, findings, seen.reading, number, source)
            built = film.path.parent / TRUTH
            if findings and built.exists():
                pieces += _pieces(truth, read_truth(built).hips, seen.reading, (number, source))
    return hips, pieces


def _hips(
    truth: LabelledImage,
    findings: Sequence[HipFinding],
    reading: Reading,
    number: int,
    source: int,
) -> list[HipSample]:
    rows = measure_hips(findings, reading, BY_RULES)
    true = true_hips(truth.hips, ())
    hips = []
    for hip, finding in zip(true, match(true, findings), strict=True):
        row = next((r for f, r in zip(findings, rows, strict=True) if f is finding), None)
        if finding is None or row is None or hip.brooker is None or finding.brooker is None:
            continue
        shown, every = close_up_of_hip(finding, reading), finding.brooker_every_contact
        if shown is None:
            continue
        drawn = np.array(finding.brooker_probabilities)
        every = finding.brooker if every is None else every
        hips.append(
            HipSample(number, source, hip.brooker, finding.brooker, every, row, drawn, shown)
        )
    return hips


def _pieces(
    truth: LabelledImage,
    built: Sequence[HipTruth],
    reading: Reading,
    place: tuple[int, int],
) -> list[OssificationSample]:
    recorder = CloseUpRecorder()
    masks = np.zeros(truth.radiograph.shape, np.uint8) if truth.masks is None else truth.masks
    grade(reading, GradingModels(contacts=recorder), draws=0)
    components = [component for hip in built for component in hip.components]
    found = []
    for contacts, pictures in zip(recorder.contacts, recorder.close_ups, strict=True):
        targets = attachment_targets(contacts, masks, components)
        touching = contacts.contact_mm <= GradeSettings().attach_mm
        rows = zip(pictures, targets, touching, contacts.superimposition, strict=True)
        found += [
            OssificationSample(*place, shown, hangs_on, touches, by_share)
            for shown, hangs_on, touches, by_share in rows
            if not np.isnan(hangs_on).all()
        ]
    return found


def read_films(
    model: Path, folders: list[Path], workers: int, attachment: bytes | None = None
) -> Films:
    """All hips and ossifications of some folders, in the order of the films."""
    jobs = [(model, folders, attachment, start, workers) for start in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(look_at, *zip(*jobs, strict=True)))
    hips = [hip for found, _ in parts for hip in found]
    pieces = [piece for _, found in parts for piece in found]
    return sorted(hips, key=lambda hip: hip.film), sorted(pieces, key=lambda piece: piece.film)
