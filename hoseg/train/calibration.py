"""Temperatures, thresholds and peaks from simulated films the network has not been trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logit

from hoseg.radiograph import STRUCTURES, Structure
from hoseg.train.augment import Crop
from hoseg.train.hysteresis import ScaledFilm, best_pair, raised_peak

MOST_FALSE_COMPONENTS = 0.12
"""False ossification components a film without ossification, at most."""

MOST_FALSE_LABELLED = 0.04
"""The same on labelled films without ossification that were held out of training: real ones, where
nothing is simulated. There the network shows its mistakes, and readers lose their trust."""

NEGLIGIBLE_DICE = 0.001
"""Two thresholds whose Dice differs by less are taken as equally good."""

_GRID = np.round(np.arange(0.3, 0.951, 0.025), 3)
_MOST_PIXELS = 400_000


@dataclass(frozen=True)
class ThresholdCalibration:
    """Values of the card: one a structure, in bit order; no peak is None."""

    temperatures: tuple[float, ...]
    thresholds: tuple[float, ...]
    peaks: tuple[float | None, ...]


def calibrate(
    logits: Sequence[NDArray[np.float32]], crops: Sequence[Crop], spacing_mm: float
) -> ThresholdCalibration:
    """Fit temperatures (Guo et al., ICML 2017) and choose thresholds and peaks.

    logits: (4, H, W) of each film
    crops: the films, with their targets and ignored bits

    Bones and implants get the threshold of the best Dice. Ossification gets the pair of threshold
    and peak that finds it best while false components stay rare (``hoseg.train.hysteresis``).
    """
    temperatures: list[float] = []
    thresholds: list[float] = []
    peaks: list[float | None] = []
    for channel in range(len(STRUCTURES)):
        bit = 1 << channel
        films = [
            ScaledFilm(values[channel], (crop[1] & bit) > 0, (crop[2] & bit) == 0)
            for values, crop in zip(logits, crops, strict=True)
        ]
        temperature = fit_temperature(
            np.concatenate([film.values[film.known] for film in films]),
            np.concatenate([film.truth[film.known] for film in films]),
        )
        films = [replace(film, values=film.values / temperature) for film in films]
        temperatures.append(round(temperature, 4))
        if bit == Structure.OSSIFICATION:
            threshold, peak = best_pair(films, spacing_mm, MOST_FALSE_COMPONENTS)
            thresholds.append(threshold)
            peaks.append(peak)
        else:
            thresholds.append(_best_dice(films))
            peaks.append(None)
    return ThresholdCalibration(tuple(temperatures), tuple(thresholds), tuple(peaks))


def quieten(
    found: ThresholdCalibration,
    logits: Sequence[NDArray[np.float32]],
    crops: Sequence[Crop],
    spacing_mm: float,
) -> ThresholdCalibration:
    """Raise the peak of ossification until labelled films without any are quiet too.

    found: chosen on simulated films
    logits: (4, H, W) of each labelled film that was held out of training
    crops: the films, with their targets and ignored bits
    """
    channel = STRUCTURES.index(Structure.OSSIFICATION.name.lower())
    peak = found.peaks[channel]
    if peak is None:
        return found
    bit = int(Structure.OSSIFICATION)
    films = [
        ScaledFilm(
            values[channel] / np.float32(found.temperatures[channel]),
            (targets & bit) > 0,
            (ignore & bit) == 0,
        )
        for values, (_, targets, ignore) in zip(logits, crops, strict=True)
    ]
    pair = (found.thresholds[channel], peak)
    peaks = list(found.peaks)
    peaks[channel] = raised_peak(films, pair, spacing_mm, MOST_FALSE_LABELLED)
    return replace(found, peaks=tuple(peaks))


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


def _best_dice(films: Sequence[ScaledFilm]) -> float:
    """Threshold nearest to 0.5 whose Dice over all pixels is all but the best.

    Where simulated films do not tell thresholds apart, the middle is taken: on a real film (RG2)
    outlines at lower ones grew into what is burnt out. 0.5 when there is no such structure.
    """
    total = sum(np.count_nonzero(film.seen) for film in films)
    if total == 0:
        return 0.5
    dice = []
    for threshold in _GRID:
        found = [(film.values >= logit(threshold)) & film.known for film in films]
        both = sum(np.count_nonzero(a & b.seen) for a, b in zip(found, films, strict=True))
        dice.append(2 * both / (total + sum(np.count_nonzero(mask) for mask in found)))
    good = _GRID[np.array(dice) >= max(dice) - NEGLIGIBLE_DICE]
    return float(good[int(np.argmin(np.abs(good - 0.5)))])
