"""Fit the weights by which a row of strokes counts as text (``hoseg/dicom/text_rows.json``).

Rows are found on crops of films with and without random planted text (as in
``bench_burned_in.py``). Simulated films carry words of their own: rows without planted text that
a first fit takes for text are left out of the second.

    python scripts/fit_burned_in.py FOLDER_OF_FILMS FILM.dcm --crops 250 --out text_rows.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from bench_burned_in import plant, read_film, requantised
from numpy.typing import NDArray
from scipy.optimize import minimize

from hoseg.dicom.burned_in import find_rows
from hoseg.dicom.text_model import expand
from hoseg.dicom.text_rows import FEATURES

CHOSEN = (
    "roughness", "value spread", "smaller spread", "log support", "sharpness", "noises",
    "log letters", "line spread", "complexity",
)  # fmt: skip
CROP_PX = 640
PLANTED_SHARE = 2 / 3  # of the crops get a text
STRENGTH = 0.05  # of the data against the pull of the weights towards 0
OWN_TEXT = 0.6  # probability from which a row without planted text is left out

Array = NDArray[Any]


def main() -> None:
    """Harvest rows, fit twice, write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("--crops", type=int, default=250)
    parser.add_argument("--seed", type=int, default=500)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    files = [f for p in args.films for f in (sorted(p.rglob("*.dcm")) if p.is_dir() else [p])]
    features, text = harvest(files, args.crops, np.random.default_rng(args.seed))
    columns = [FEATURES.index(name) for name in CHOSEN]
    mean, deviation = features[:, columns].mean(axis=0), features[:, columns].std(axis=0)
    inputs = expand((features[:, columns] - mean) / deviation)
    weights = fit(inputs, text)
    keep = text | (probability(inputs, weights) < OWN_TEXT)
    weights = fit(inputs[keep], text[keep])
    document = {
        "features": CHOSEN,
        "mean": mean.round(4).tolist(),
        "deviation": deviation.round(4).tolist(),
        "intercept": round(float(weights[0]), 4),
        "weights": weights[1:].round(4).tolist(),
    }
    args.out.write_text(json.dumps(document, indent=1) + "\n")
    print(f"{len(text)} rows, {text.sum()} of text, {(~keep).sum()} left out")


def harvest(files: list[Path], crops: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Features (N, F) of rows on random crops, and whether each is planted text (N,)."""
    features, text = [], []
    for _ in range(crops):
        film, inverted = read_film(files[int(rng.integers(len(files)))])
        film, _ = requantised(film, rng)
        row, column = (int(rng.integers(max(n - CROP_PX, 0) + 1)) for n in film.shape)
        part = np.ascontiguousarray(film[row : row + CROP_PX, column : column + CROP_PX])
        planted, alpha = part, np.zeros(part.shape)
        if np.ptp(part) and rng.random() < PLANTED_SHARE:
            planted, alpha, *_ = plant(part, inverted, rng)
        ink = (alpha > 0.5) & (planted != part)
        for found in find_rows(planted):
            inside = np.zeros(part.shape, bool)
            for box in found.boxes:
                inside[box.slices] = True
            hit = np.count_nonzero(ink & inside)
            is_text = hit > 0.1 * inside.sum() and hit > 0.15 * ink.sum()
            if is_text or not alpha[inside].any():
                features.append(found.features)
                text.append(is_text)
    return np.array(features), np.array(text, bool)


def fit(inputs: Array, text: Array) -> Array:
    """Intercept and weights of a logistic regression with a quadratic penalty."""
    sign = np.where(text, 1.0, -1.0)

    def loss(weights: Array) -> tuple[float, Array]:
        score = sign * (weights[0] + inputs @ weights[1:])
        slope = -STRENGTH * sign / (1 + np.exp(np.clip(score, -50, 50)))
        gradient = np.concatenate([[slope.sum()], inputs.T @ slope + weights[1:]])
        value = STRENGTH * np.logaddexp(0, -score).sum() + 0.5 * weights[1:] @ weights[1:]
        return float(value), gradient

    start = np.zeros(inputs.shape[1] + 1)
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x)


def probability(inputs: Array, weights: Array) -> Array:
    """Of being text, for each row."""
    return np.asarray(1 / (1 + np.exp(-(weights[0] + inputs @ weights[1:]))))


if __name__ == "__main__":
    main()
