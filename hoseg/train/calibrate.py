"""Temperatures and thresholds from simulated films the network has not been trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from hoseg.radiograph import STRUCTURES, Structure
from hoseg.train.augment import Crop
from hoseg.train.validate import FALSE_COMPONENT_MM2, count_components

MOST_FALSE_COMPONENTS = 0.15
"""False ossification components a film without ossification, at most."""

_GRID = np.append(np.round(np.arange(0.3, 0.951, 0.025), 3), (0.96, 0.97, 0.98, 0.985, 0.99))
_MOST_PIXELS = 400_000


@dataclass(frozen=True)
class Calibration:
    """Values of the card: one a structure, in bit order."""

    temperatures: tuple[float, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class _Film:
    """One structure on one film: scaled logits, truth, and where it is known; all (H, W)."""

    values: NDArray[np.float32]
    truth: NDArray[np.bool_]
    known: NDArray[np.bool_]

    def at(self, threshold: float) -> NDArray[np.bool_]:
        """Mask at a probability threshold."""
        return (self.values >= _logit(threshold)) & self.known


def calibrate(
    logits: Sequence[NDArray[np.float32]], crops: Sequence[Crop], spacing_mm: float
) -> Calibration:
    """Fit temperatures (Guo et al., ICML 2017) and choose thresholds.

    logits: (4, H, W) of each film
    crops: the films, with their targets and ignored bits

    Bones and implants get the threshold of the best Dice. Ossification gets the best Dice among
    thresholds with at most 0.15 false components of 25 mm2 a film without any.
    """
    temperatures, thresholds = [], []
    for channel in range(len(STRUCTURES)):
        bit = 1 << channel
        films = [
            _Film(values[channel], (crop[1] & bit) > 0, (crop[2] & bit) == 0)
            for values, crop in zip(logits, crops, strict=True)
        ]
        temperature = fit_temperature(
            np.concatenate([film.values[film.known] for film in films]),
            np.concatenate([film.truth[film.known] for film in films]),
        )
        films = [replace(film, values=film.values / temperature) for film in films]
        allowed = _GRID
        if bit == Structure.OSSIFICATION:
            allowed = _quiet_thresholds(films, spacing_mm)
        temperatures.append(round(temperature, 4))
        thresholds.append(_best_dice(films, allowed))
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


def _best_dice(films: Sequence[_Film], allowed: NDArray[np.float64]) -> float:
    """Threshold with the best Dice over all pixels; 0.5 when there is no such structure."""
    inside = [film.truth & film.known for film in films]
    total = sum(np.count_nonzero(mask) for mask in inside)
    if total == 0:
        return 0.5
    dice = []
    for threshold in allowed:
        found = [film.at(threshold) for film in films]
        both = sum(np.count_nonzero(a & b) for a, b in zip(found, inside, strict=True))
        dice.append(2 * both / (total + sum(np.count_nonzero(mask) for mask in found)))
    return float(allowed[int(np.argmax(dice))])


def _quiet_thresholds(films: Sequence[_Film], spacing_mm: float) -> NDArray[np.float64]:
    """Thresholds that keep false components rare; the highest one if none does."""
    clean = [film for film in films if not film.truth.any()]
    smallest = FALSE_COMPONENT_MM2 / spacing_mm**2
    quiet = [
        threshold
        for threshold in _GRID
        if sum(count_components(film.at(threshold), smallest) for film in clean)
        <= MOST_FALSE_COMPONENTS * max(1, len(clean))
    ]
    return np.array(quiet or [_GRID[-1]])
