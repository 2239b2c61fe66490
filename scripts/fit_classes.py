"""Fit the calibrated P(class) of a model on simulated films, and write it into its card.

    hoseg simulate --out B --count 400 --seed 71001 --prevalence balanced --spacing-mm 0.5
    hoseg simulate --out N --count 400 --seed 71002 --prevalence natural --spacing-mm 0.5
    python scripts/fit_classes.py models/NAME B N

Needed anew whenever the network changes. Films must not be those the model is judged on. Prints
how well films that a fit has not seen are predicted (five folds), beside the draws alone.

Research use only. Not a medical device.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoseg.datasets import open_dataset
from hoseg.evaluate import statistics as stats
from hoseg.evaluate.case import BINS, CLASSES
from hoseg.evaluate.hips import match, true_hips
from hoseg.evaluate.measures import SEVERE
from hoseg.evaluate.model import PipelineReader
from hoseg.grade import Probabilities
from hoseg.grade.chances import MEASUREMENTS, measure_hips, write_class_model
from hoseg.pipeline import Pipeline
from hoseg.segment.card import read_card, write_card
from hoseg.segment.predictor import Options, Predictor
from hoseg.train.classes import fit_class_model, held_out_probabilities
from hoseg.train.model_card import with_classes


@dataclass(frozen=True, eq=False)
class Hip:
    """One graded hip.

    film: number of its film among all films
    source: number of the folder the film is from
    values: (F,) measurements
    drawn: (5,) P(class) of the draws
    """

    film: int
    source: int
    truth: int
    values: NDArray[np.float64]
    drawn: NDArray[np.float64]


def hips_of(model: Path, folders: list[Path], start: int, step: int) -> list[Hip]:
    """Read every ``step``-th film with one thread."""
    options = Options(threads=1, gate=False)
    pipeline = Pipeline(Predictor(model, "cpu", options=options))
    pipeline.class_model = None  # the fit wants the draws, not an earlier fit
    reader = PipelineReader(pipeline)
    hips, number = [], 0
    for source, folder in enumerate(folders):
        for film in open_dataset(folder, "simulated").films:
            number += 1
            if number % step != start:
                continue
            truth = film.read()
            seen = reader.segment(truth.radiograph)
            findings = reader.conclude(truth.radiograph, seen).hips
            plane = Probabilities(seen.segmentation.probabilities, seen.segmentation.grid)
            rows = measure_hips(findings, plane, tuple(MEASUREMENTS))
            true = true_hips(truth.hips, ())
            for hip, finding in zip(true, match(true, findings), strict=True):
                row = next((r for f, r in zip(findings, rows, strict=True) if f is finding), None)
                if row is not None and hip.brooker is not None:
                    drawn = np.array([p for _, p in finding.verdict("brooker").probabilities])
                    hips.append(Hip(number, source, hip.brooker, row, drawn))
    return hips


def figures(truth: NDArray[np.intp], chances: NDArray[np.float64]) -> str:
    """Calibration error, Brier score and severe AUC in a line."""
    ones = np.ones((1, len(truth)))
    right = chances.argmax(axis=1) == truth
    ece = stats.calibration_error(stats.calibration_sums(chances.max(axis=1), right, BINS), ones)
    brier = ((chances - np.eye(CLASSES)[truth]) ** 2).sum(axis=1).mean()
    score = chances[:, SEVERE:].sum(axis=1) + 1e-4 * (chances @ np.arange(CLASSES))
    auc = stats.auc(score, truth >= SEVERE, ones)
    likeliest = stats.kappa(stats.confusion(truth, chances.argmax(axis=1), CLASSES, ones), 2)
    return (
        f"ECE {ece[0]:.3f}, Brier {brier:.3f}, severe AUC {auc[0]:.3f}, "
        f"quadratic kappa of the likeliest class {likeliest[0]:.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="model folder; its card.json is rewritten")
    parser.add_argument("films", type=Path, nargs="+", help="folders of hoseg simulate")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--dry", action="store_true", help="print figures, write nothing")
    args = parser.parse_args()
    card = read_card(args.model / "card.json")
    jobs = [(args.model, args.films, start, args.workers) for start in range(args.workers)]
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        hips = [hip for part in pool.map(hips_of, *zip(*jobs, strict=True)) for hip in part]
    hips.sort(key=lambda hip: hip.film)
    truth = np.array([hip.truth for hip in hips])
    values, drawn = np.array([h.values for h in hips]), np.array([h.drawn for h in hips])
    films, source = np.array([h.film for h in hips]), np.array([h.source for h in hips])
    model = fit_class_model(values, truth)
    unseen = held_out_probabilities(values, truth, films)
    for index, folder in enumerate(args.films):
        here = source == index
        print(f"{folder}: {here.sum()} hips")
        print(f"  draws      {figures(truth[here], drawn[here])}")
        print(f"  calibrated {figures(truth[here], unseen[here])}")
    if args.dry:
        return
    card = card.model_copy(update={"classes": write_class_model(model)})
    write_card(card, args.model / "card.json")
    readme = args.model / "MODEL_CARD.md"
    readme.write_text(with_classes(readme.read_text("utf-8"), card), "utf-8")
    print(f"written to {args.model / 'card.json'} and {readme.name}")


if __name__ == "__main__":
    main()
