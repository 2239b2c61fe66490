"""Choose temperatures, thresholds and peaks of a model on labelled films; write them to its card.

    hoseg simulate --out B --count 450 --seed 71011 --prevalence balanced --spacing-mm 0.5
    hoseg simulate --out N --count 260 --seed 71012 --prevalence natural --spacing-mm 0.5
    python scripts/calibrate.py models/NAME B N

A release chooses them on simulated films of its own configuration; this does the same on films as
``hoseg run`` meets them, border and all, or on labelled films of one's own. Films must not be those
the model is judged on. What was exported from the model, and its class probabilities
(``fit_classes.py``), have to be made anew afterwards.

Research use only. Not a medical device.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import hoseg
from hoseg.datasets import open_dataset
from hoseg.segment.card_text import write_card
from hoseg.segment.weights import load_model
from hoseg.train.augment import Crop
from hoseg.train.calibration import MOST_FALSE_COMPONENTS, calibrate
from hoseg.train.labelled_samples import to_sample
from hoseg.train.validate import predict


def films_of(folder: Path, spacing_mm: float) -> list[Crop]:
    """Every film of a dataset as the network sees it, with its targets."""
    samples = (to_sample(film.read(), spacing_mm) for film in open_dataset(folder).films)
    return [(sample.pixels, sample.targets, sample.ignore) for sample in samples]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="model folder; its card is rewritten")
    parser.add_argument("films", type=Path, nargs="+", help="labelled datasets")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = load_model(args.model)
    crops = [crop for folder in args.films for crop in films_of(folder, model.card.spacing_mm)]
    logits = predict(model.network(), crops, torch.device("cpu"), batch=4)
    found = calibrate(logits, crops, model.card.spacing_mm)
    print(f"{len(crops)} films: {found}")
    if args.dry:
        return
    chosen = {
        "hoseg": hoseg.__version__,
        "films": {folder.name: len(open_dataset(folder).films) for folder in args.films},
        "most_false": MOST_FALSE_COMPONENTS,
    }
    card = model.card.model_copy(
        update={
            "temperatures": found.temperatures,
            "thresholds": found.thresholds,
            "peaks": found.peaks,
            "data": model.card.data | {"calibration": chosen},
        }
    )
    write_card(card, args.model)


if __name__ == "__main__":
    main()
