"""Fit the calibrated P(class) of a model on simulated films, and write it into its folder.

    hoseg simulate --out B --count 400 --seed 71001 --prevalence balanced --spacing-mm 0.5
    hoseg simulate --out N --count 400 --seed 71002 --prevalence natural --spacing-mm 0.5
    hoseg simulate --out M --count 2000 --seed 71003 --prevalence balanced --spacing-mm 0.5
    python scripts/fit_classes.py models/NAME B N --close-ups M

With ``--close-ups`` a small network learns first to look at close-ups of the hips of those films
(``hoseg.grade.closeup``); without, the model keeps the one it has, if any. Then the regressions are
fitted on the other films, which the small network has not seen. Needed anew whenever the network
changes. Films must not be those the model is judged on. Prints how well films that a fit has not
seen are predicted (five folds), beside the draws and the measurements without the close-up.

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

from hoseg.datasets import open_dataset
from hoseg.evaluate import statistics as stats
from hoseg.evaluate.case import BINS, CLASSES
from hoseg.evaluate.hips import match, true_hips
from hoseg.evaluate.measures import SEVERE
from hoseg.evaluate.model import PipelineReader
from hoseg.grade import Probabilities
from hoseg.grade.chances import BY_CLOSE_UP, MEASUREMENTS, measure_hips, write_class_model
from hoseg.grade.closeup import FILE, CloseUpNetwork, Film, close_up
from hoseg.pipeline import Pipeline
from hoseg.segment.card import Card, read_card, write_card
from hoseg.segment.predictor import Options, Predictor
from hoseg.segment.weights import add_file, load_model
from hoseg.train.classes import fit_class_model, held_out_probabilities
from hoseg.train.closeup import CloseUpSettings, fit_close_up, to_onnx
from hoseg.train.model_card import with_classes

BY_RULES = tuple(name for name in MEASUREMENTS if name not in BY_CLOSE_UP)


@dataclass(frozen=True, eq=False)
class Hip:
    """One graded hip.

    film: number of its film among all films
    source: number of the folder the film is from
    values: measurements ``BY_RULES``
    drawn: (5,) P(class) of the draws
    shown: its close-up
    """

    film: int
    source: int
    truth: int
    values: NDArray[np.float64]
    drawn: NDArray[np.float64]
    shown: NDArray[np.uint8]


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
            found = Probabilities(seen.segmentation.probabilities, seen.segmentation.grid)
            plane = Film(seen.prepared.pixels, found, truth.radiograph.orientation)
            rows = measure_hips(findings, plane, BY_RULES)
            true = true_hips(truth.hips, ())
            for hip, finding in zip(true, match(true, findings), strict=True):
                row = next((r for f, r in zip(findings, rows, strict=True) if f is finding), None)
                if finding is None or row is None or hip.brooker is None:
                    continue
                shown = close_up(finding, plane)
                if shown is not None:
                    drawn = np.array([p for _, p in finding.verdict("brooker").probabilities])
                    hips.append(Hip(number, source, hip.brooker, row, drawn, shown))
    return hips


def read_hips(model: Path, folders: list[Path], workers: int) -> list[Hip]:
    """All hips of some folders, in the order of the films."""
    jobs = [(model, folders, start, workers) for start in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        hips = [hip for part in pool.map(hips_of, *zip(*jobs, strict=True)) for hip in part]
    return sorted(hips, key=lambda hip: hip.film)


def learn_close_ups(hips: Sequence[Hip], settings: CloseUpSettings) -> bytes:
    """Train the small network on all of some hips."""
    shown, truth = np.stack([hip.shown for hip in hips]), np.array([hip.truth for hip in hips])
    network = fit_close_up(
        shown,
        truth,
        settings,
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
    likeliest = stats.kappa(stats.confusion(truth, chances.argmax(axis=1), CLASSES, ones), 2)
    return (
        f"ECE {ece[0]:.3f}, Brier {brier:.3f}, severe AUC {auc[0]:.3f}, "
        f"quadratic kappa of the likeliest class {likeliest[0]:.3f}"
    )


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
    onnx = load_model(args.model).files.get(FILE)
    hips = read_hips(args.model, args.films, args.workers)
    if args.close_ups:
        learners = read_hips(args.model, args.close_ups, args.workers)
        print(f"close-ups of {len(learners)} hips", flush=True)
        onnx = learn_close_ups(learners, CloseUpSettings(epochs=args.epochs))
    names, values = BY_RULES, np.array([hip.values for hip in hips])
    truth, drawn = np.array([hip.truth for hip in hips]), np.array([hip.drawn for hip in hips])
    films, source = np.array([h.film for h in hips]), np.array([h.source for h in hips])
    tried = {"draws": drawn, "measured": held_out_probabilities(values, truth, films, names)}
    if onnx is not None:
        looks = CloseUpNetwork(onnx).log_odds(hip.shown for hip in hips)
        names, values = names + BY_CLOSE_UP, np.hstack([values, looks])
        tried["looked at"] = held_out_probabilities(values, truth, films, names)
    model = fit_class_model(values, truth, names)
    for index, folder in enumerate(args.films):
        here = source == index
        print(f"{folder}: {here.sum()} hips")
        for name, chances in tried.items():
            print(f"  {name:10} {figures(truth[here], chances[here])}")
    if args.dry:
        return
    card = read_card(args.model / "card.json")
    if args.close_ups and onnx is not None:
        card = add_file(args.model, FILE, onnx)
        card = card.model_copy(update={"data": card.data | {"close_up_hips": len(learners)}})
    _write(card.model_copy(update={"classes": write_class_model(model)}), args.model)


def _write(card: Card, folder: Path) -> None:
    write_card(card, folder / "card.json")
    readme = folder / "MODEL_CARD.md"
    readme.write_text(with_classes(readme.read_text("utf-8"), card), "utf-8")
    print(f"written to {folder / 'card.json'} and {readme.name}")


if __name__ == "__main__":
    main()
