"""Teach a model on simulated films what grading asks it besides masks, and write it to its folder.

    hoseg simulate --out B --count 400 --seed 71001 --prevalence balanced --spacing-mm 0.5
    hoseg simulate --out N --count 400 --seed 71002 --prevalence natural --spacing-mm 0.5
    hoseg simulate --out M --count 2000 --seed 71003 --prevalence balanced --spacing-mm 0.5
    python scripts/fit_classes.py models/NAME B N --close-ups M

With ``--close-ups`` two small networks learn first from those films (``hoseg.grade.closeup``):
one looks at each ossification and tells attachment from superimposition, one looks at each hip and
tells its class. Without, the model keeps those it has, if any. Then the regressions behind P(class)
are fitted on the other films, which the small networks have not seen. Needed anew whenever the
segmentation network changes. Films must not be those the model is judged on. Prints how well films
that a fit has not seen are predicted (five folds), beside the draws and the measurements without
the close-up; and how well the rules agree with the truth in space, with every contact and with
those that count.

Research use only. Not a medical device.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hoseg.datasets import LabelledImage, open_dataset
from hoseg.datasets.simulated import HipTruth, read_truth
from hoseg.evaluate import statistics as stats
from hoseg.evaluate.case import BINS, CLASSES
from hoseg.evaluate.figures import SEVERE
from hoseg.evaluate.hips import match, true_hips
from hoseg.evaluate.model import EvaluatedPipeline
from hoseg.grade import GradeSettings, GradingModels, HipFinding, grade
from hoseg.grade.chances import BY_CLOSE_UP, MEASUREMENTS, measure_hips, write_class_model
from hoseg.grade.closeup import (
    ATTACHMENT,
    HIP,
    AttachmentNetwork,
    CloseUpNetwork,
    Kind,
    close_up_of_hip,
)
from hoseg.imaging.reading import Reading
from hoseg.infer.predictor import Options, Predictor
from hoseg.pipeline import Pipeline
from hoseg.segment.card import read_card
from hoseg.segment.card_text import write_card
from hoseg.segment.weights import add_file, load_model
from hoseg.train.attachment import CloseUpRecorder, attachment_targets
from hoseg.train.classes import fit_class_model, held_out_probabilities
from hoseg.train.closeup_network import CloseUpSettings, class_targets, fit_close_up, to_onnx

BY_RULES = tuple(name for name in MEASUREMENTS if name not in BY_CLOSE_UP)


@dataclass(frozen=True, eq=False)
class Hip:
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
class Piece:
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


Films = tuple[list[Hip], list[Piece]]


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
    hips: list[Hip] = []
    pieces: list[Piece] = []
    number = 0
    for source, folder in enumerate(folders):
        for film in open_dataset(folder, "simulated").films:
            number += 1
            if number % step != start:
                continue
            truth = film.read()
            seen = reader.segment(truth.radiograph)
            findings = reader.conclude(seen).hips
            hips += _hips(truth, findings, seen.reading, number, source)
            if findings:
                built = read_truth(film.path.parent / "truth.json").hips
                pieces += _pieces(truth, built, seen.reading, (number, source))
    return hips, pieces


def _hips(
    truth: LabelledImage,
    findings: Sequence[HipFinding],
    reading: Reading,
    number: int,
    source: int,
) -> list[Hip]:
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
        hips.append(Hip(number, source, hip.brooker, finding.brooker, every, row, drawn, shown))
    return hips


def _pieces(
    truth: LabelledImage,
    built: Sequence[HipTruth],
    reading: Reading,
    place: tuple[int, int],
) -> list[Piece]:
    recorder = CloseUpRecorder()
    masks = np.zeros(truth.radiograph.shape, np.uint8) if truth.masks is None else truth.masks
    grade(reading, GradingModels(contacts=recorder), draws=0)
    components = [component for hip in built for component in hip.components]
    found = []
    for contacts, pictures in zip(recorder.contacts, recorder.close_ups, strict=True):
        targets = attachment_targets(contacts, masks, components)
        touching = contacts.contact_mm <= GradeSettings().attach_mm
        rows = zip(pictures, targets, touching, contacts.superimposition, strict=True)
        found += [Piece(*place, *row) for row in rows if not np.isnan(row[1]).all()]
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


def learn(
    kind: Kind, shown: Sequence[NDArray[np.uint8]], targets: NDArray[np.float32], epochs: int
) -> bytes:
    """Train one of the small networks."""
    print(f"{kind.file}: {len(targets)} close-ups", flush=True)
    network = fit_close_up(
        kind,
        np.stack(shown),
        targets,
        CloseUpSettings(epochs=epochs),
        lambda epoch, loss: print(f"  epoch {epoch}: loss {loss:.4f}", flush=True),
    )
    return to_onnx(network)


def figures(truth: NDArray[np.intp], chances: NDArray[np.float64]) -> str:
    """Calibration error, Brier score and severe AUC in a line."""
    ones = np.ones((1, len(truth)))
    right = chances.argmax(axis=1) == truth
    ece = stats.calibration_error(stats.calibration_sums(chances.max(axis=1), right, BINS), ones)
    brier = ((chances - np.eye(CLASSES)[truth]) ** 2).sum(axis=1).mean()
    score = chances[:, SEVERE:].sum(axis=1) + 1e-4 * (chances @ np.arange(CLASSES))
    auc = stats.auc(score, truth >= SEVERE, ones)
    return (
        f"ECE {ece[0]:.3f}, Brier {brier:.3f}, severe AUC {auc[0]:.3f}, "
        f"quadratic kappa of the likeliest class {agreement(truth, chances.argmax(axis=1)):.3f}"
    )


def contact_figures(pieces: Sequence[Piece], network: CloseUpNetwork) -> str:
    """How well attachment is told from superimposition, in a line."""
    odds = network.log_odds(piece.shown for piece in pieces)
    touching = np.array([piece.touching for piece in pieces])
    hangs_on = np.array([piece.hangs_on for piece in pieces])[touching] > 0
    score, share = odds[touching], -np.array([piece.by_share for piece in pieces])[touching]
    ones = np.ones((1, len(score)))
    return (
        f"{len(score)} contacts, {(~hangs_on).sum()} superimposed: "
        f"AUC {stats.auc(score, hangs_on, ones)[0]:.3f} "
        f"(by the share over the bone {stats.auc(share, hangs_on, ones)[0]:.3f}); not counted: "
        f"{(~hangs_on & (score < 0)).sum()} of them and {(hangs_on & (score < 0)).sum()} real ones"
    )


def agreement(truth: NDArray[np.intp], classes: NDArray[np.intp]) -> float:
    """Quadratic-weighted kappa."""
    counts = stats.confusion(truth, classes, CLASSES, np.ones((1, len(truth))))
    return float(stats.kappa(counts, 2)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="model folder; its card.json is rewritten")
    parser.add_argument("films", type=Path, nargs="+", help="folders of hoseg simulate")
    parser.add_argument("--close-ups", type=Path, nargs="+", default=[], help="the same, others")
    parser.add_argument("--epochs", type=int, default=CloseUpSettings.epochs)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--dry", action="store_true", help="print figures, write nothing")
    args = parser.parse_args()
    torch.set_num_threads(args.workers)
    onnx = dict(load_model(args.model).files)
    learnt = {}
    if args.close_ups:
        learners, pieces = read_films(args.model, args.close_ups, args.workers)
        hangs_on = np.array([piece.hangs_on for piece in pieces])
        onnx[ATTACHMENT.file] = learn(
            ATTACHMENT, [piece.shown for piece in pieces], hangs_on, args.epochs
        )
        classes = class_targets(np.array([hip.truth for hip in learners]))
        onnx[HIP.file] = learn(HIP, [hip.shown for hip in learners], classes, args.epochs)
        learnt = {"close_up_hips": len(learners), "close_up_ossifications": len(pieces)}
    hips, seen = read_films(args.model, args.films, args.workers, onnx.get(ATTACHMENT.file))
    names, values = BY_RULES, np.array([hip.values for hip in hips])
    truth, drawn = np.array([hip.truth for hip in hips]), np.array([hip.drawn for hip in hips])
    films, source = np.array([h.film for h in hips]), np.array([h.source for h in hips])
    tried = {"draws": drawn, "measured": held_out_probabilities(values, truth, films, names)}
    if HIP.file in onnx:
        by_close_up = CloseUpNetwork(HIP, onnx[HIP.file]).log_odds(hip.shown for hip in hips)
        names, values = names + BY_CLOSE_UP, np.hstack([values, by_close_up])
        tried["close-ups"] = held_out_probabilities(values, truth, films, names)
    model = fit_class_model(values, truth, names)
    read, every = np.array([(hip.read, hip.every_contact) for hip in hips]).T
    for index, folder in enumerate(args.films):
        here = source == index
        print(f"{folder}: {here.sum()} hips")
        agree = [agreement(truth[here], classes[here]) for classes in (read, every)]
        print(f"  rules: quadratic kappa {agree[0]:.3f}; every contact counted: {agree[1]:.3f}")
        if ATTACHMENT.file in onnx:
            network = CloseUpNetwork(ATTACHMENT, onnx[ATTACHMENT.file])
            print(f"  {contact_figures([p for p in seen if p.source == index], network)}")
        for name, chances in tried.items():
            print(f"  {name:10} {figures(truth[here], chances[here])}")
    if args.dry:
        return
    card = read_card(args.model / "card.json")
    for kind in (ATTACHMENT, HIP) if args.close_ups else ():
        card = add_file(args.model, kind.file, onnx[kind.file])
    facts = {"data": card.data | learnt, "classes": write_class_model(model)}
    write_card(card.model_copy(update=facts), args.model)
    print(f"written to {args.model}")


if __name__ == "__main__":
    main()
