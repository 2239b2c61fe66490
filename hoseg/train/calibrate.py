"""Temperatures and thresholds from simulated films the network has not been trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from hoseg.radiograph import STRUCTURES, Structure
from hoseg.train.augment import Crop
from hoseg.train.validate import FALSE_COMPONENT_MM2, count_components

MOST_FALSE_COMPONENTS = 0.15
"""False ossification components a film without ossification, at most."""

_GRID = np.round(np.arange(0.3, 0.951, 0.025), 3)
_MOST_PIXELS = 400_000


@dataclass(frozen=True)
class Calibration:
    """Values of the card: one a structure, in bit order."""

    temperatures: tuple[float, ...]
    thresholds: tuple[float, ...]


def calibrate(logits: NDArray[np.float32], crops: Sequence[Crop], spacing_mm: float) -> Calibration:
    """Fit temperatures (Guo et al., ICML 2017) and choose thresholds.

    logits: (N, 4, S, S)
    crops: their targets and ignored bits

    Bones and implants get the threshold of the best Dice. Ossification gets the best Dice among
    thresholds with at most 0.15 false components of 25 mm2 a film without any.
    """
    temperatures, thresholds = [], []
    for channel in range(len(STRUCTURES)):
        bit = 1 << channel
        truth = np.stack([(crop[1] & bit) > 0 for crop in crops])
        known = np.stack([(crop[2] & bit) == 0 for crop in crops])
        values = logits[:, channel]
        temperature = fit_temperature(values[known], truth[known])
        allowed = _GRID
        if bit == Structure.OSSIFICATION:
            allowed = _quiet_thresholds(values / temperature, truth, known, spacing_mm)
        temperatures.append(round(temperature, 4))
        thresholds.append(_best_dice(values / temperature, truth, known, allowed))
    return Calibration(tuple(temperatures), tuple(thresholds))


def fit_temperature(logits: NDArray[np.float32], truth: NDArray[np.bool_]) -> float:
    """Temperature in [0.25, 4] with the least cross-entropy of ``sigmoid(logits / T)``."""
    step = max(1, len(logits) // _MOST_PIXELS)
    x, t = logits[::step].astype(np.float64), truth[::step]
    if not t.any():
        return 1.0

    def entropy(log_temperature: float) -> float:
        scaled = x / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, scaled) - scaled * t))

    found = minimize_scalar(entropy, bounds=(np.log(0.25), np.log(4)), method="bounded")
    return float(np.exp(found.x))


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def _best_dice(
    scaled: NDArray[np.float32],
    truth: NDArray[np.bool_],
    known: NDArray[np.bool_],
    allowed: NDArray[np.float64],
) -> float:
    """Threshold with the best Dice over all pixels; 0.5 when there is no such structure."""
    inside = truth & known
    if not inside.any():
        return 0.5
    dice = []
    for threshold in allowed:
        guess = (scaled >= _logit(threshold)) & known
        dice.append(2 * np.count_nonzero(guess & inside) / (guess.sum() + inside.sum()))
    return float(allowed[int(np.argmax(dice))])


def _quiet_thresholds(
    scaled: NDArray[np.float32],
    truth: NDArray[np.bool_],
    known: NDArray[np.bool_],
    spacing_mm: float,
) -> NDArray[np.float64]:
    """Thresholds that keep false components rare; the highest one if none does."""
    clean = [i for i in range(len(truth)) if not truth[i].any()]
    smallest = FALSE_COMPONENT_MM2 / spacing_mm**2
    quiet = []
    for threshold in _GRID:
        false = sum(
            count_components((scaled[i] >= _logit(threshold)) & known[i], smallest) for i in clean
        )
        if false <= MOST_FALSE_COMPONENTS * max(1, len(clean)):
            quiet.append(threshold)
    return np.array(quiet or [_GRID[-1]])
