"""Choosing threshold and peak of ossification together (the rule: ``hoseg.segment.peaks``).

Every threshold cuts a film into components once; what a component is worth (its peak, its area,
what truth it covers) then tells the figures of every peak without looking at pixels again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from hoseg.segment.peaks import FINE_SHIFT, byte_level
from hoseg.train.validate import FALSE_COMPONENT_MM2, LARGE_OSSIFICATION_MM2

HIT_FRACTION = 0.2
"""Share of a lesion that must be covered, as in ``hoseg.evaluate.lesions``."""

MOST_LOST = 0.1
"""Share of what is found that a higher peak may cost (``raised_peak``)."""

_THRESHOLD_BYTES = np.unique(np.r_[140:232:8, 232:248:2, 248:255])
_PEAK_LOGITS = np.arange(2.0, 11.01, 0.125)


@dataclass(frozen=True, eq=False)
class ScaledFilm:
    """One structure on one film: scaled logits, truth, and where it is known; all (H, W)."""

    values: NDArray[np.float32]
    truth: NDArray[np.bool_]
    known: NDArray[np.bool_]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Truth that is scored."""
        return self.truth & self.known


@dataclass(frozen=True, eq=False)
class FilmComponents:
    """The components of one film at one threshold, n of them, and its m true lesions.

    peaks: (n,) largest scaled logit of each
    areas, hits: (n,) scored pixels, and those of them on true ossification
    lesions: (m,) pixels of true lesions of at least 25 mm2
    covered: (n, m) pixels of each lesion that each component covers
    truth: pixels of true ossification
    """

    peaks: NDArray[np.float64]
    areas: NDArray[np.int64]
    hits: NDArray[np.int64]
    lesions: NDArray[np.int64]
    covered: NDArray[np.int64]
    truth: int


@dataclass(frozen=True)
class Figures:
    """What a pair of threshold and peak does to the calibration films.

    dice: median over films with at least 1 cm2 of ossification; 0 without any
    lesion_f1: of lesions of at least 25 mm2
    found: share of such lesions that are found
    false_a_film: components of at least 25 mm2 a film without ossification
    """

    dice: float
    lesion_f1: float
    found: float
    false_a_film: float

    @property
    def score(self) -> float:
        """What the best pair has most of."""
        return self.dice + self.lesion_f1


def best_pair(
    films: Sequence[ScaledFilm], spacing_mm: float, most_false: float
) -> tuple[float, float]:
    """Threshold and peak with the best Dice and lesion F1 among pairs with few false components.

    most_false: components of at least 25 mm2 a film without ossification. When no pair keeps to
        it, the one with the fewest is taken.
    """
    best: tuple[float, float] | None = None
    best_key = (False, -np.inf, -np.inf)
    lesions = [_label(film.seen, FALSE_COMPONENT_MM2 / spacing_mm**2) for film in films]
    for byte in _THRESHOLD_BYTES.tolist():
        # The mask starts where the rounded byte of probability does.
        level = logit((byte - 0.5) / 255)
        parts = [cut(film, level, *pair) for film, pair in zip(films, lesions, strict=True)]
        for peak in _PEAK_LOGITS[logit(byte / 255) <= _PEAK_LOGITS].tolist():
            got = figures(parts, _reached(peak), spacing_mm)
            quiet = got.false_a_film <= most_false
            key = (quiet, got.score if quiet else -got.false_a_film, got.score)
            if key > best_key:
                best, best_key = (_floor(byte / 255, 4), _floor(expit(peak), 7)), key
    if best is None:
        raise ValueError("no pair of threshold and peak was tried")
    return best


def raised_peak(
    films: Sequence[ScaledFilm], pair: tuple[float, float], spacing_mm: float, most_false: float
) -> float:
    """The least peak, from that of a pair on, at which films of another kind are quiet enough.

    A pair is chosen on simulated films; real ones may need a higher peak. It is not raised beyond
    where ``MOST_LOST`` of what the pair finds on these films would be lost.

    films: at least one without ossification, else the peak stays
    pair: threshold and peak
    most_false: components of at least 25 mm2 a film without ossification
    """
    threshold, peak = pair
    if all(film.seen.any() for film in films):
        return peak
    lesions = [_label(film.seen, FALSE_COMPONENT_MM2 / spacing_mm**2) for film in films]
    level = logit((round(threshold * 255) - 0.5) / 255)
    parts = [cut(film, level, *own) for film, own in zip(films, lesions, strict=True)]
    start = figures(parts, _reached(logit(peak)), spacing_mm)
    best, fewest = peak, start.false_a_film
    for higher in _PEAK_LOGITS[logit(peak) < _PEAK_LOGITS].tolist():
        if fewest <= most_false:
            break
        got = figures(parts, _reached(higher), spacing_mm)
        if got.found < (1 - MOST_LOST) * start.found:
            break
        if got.false_a_film < fewest:
            best, fewest = _floor(expit(higher), 7), got.false_a_film
    return best


def cut(
    film: ScaledFilm, level: float, lesions: NDArray[np.int32], sizes: NDArray[np.int64]
) -> FilmComponents:
    """Components of a film where its scaled logits reach a level.

    lesions: (H, W) label of the true lesion at each pixel, 0 = none
    sizes: (m + 1,) pixels of each label
    """
    drawn = (film.values >= level).astype(np.uint8)
    count, labels = _components(drawn)
    inside = drawn > 0
    peaks = np.full(count, -np.inf)
    np.maximum.at(peaks, labels[inside], film.values[inside])
    scored = labels[inside & film.known]
    areas = np.bincount(scored, minlength=count)
    hits = np.bincount(labels[inside & film.seen], minlength=count)
    where = inside & (lesions > 0)
    pairs = labels[where].astype(np.int64) * len(sizes) + lesions[where]
    covered = np.bincount(pairs, minlength=count * len(sizes)).reshape(count, len(sizes))
    truth = int(np.count_nonzero(film.seen))
    return FilmComponents(peaks[1:], areas[1:], hits[1:], sizes[1:], covered[1:, 1:], truth)


def figures(parts: Sequence[FilmComponents], peak: float, spacing_mm: float) -> Figures:
    """Figures when components that do not reach a peak (scaled logit) are dropped."""
    large, lesion = LARGE_OSSIFICATION_MM2 / spacing_mm**2, FALSE_COMPONENT_MM2 / spacing_mm**2
    dice: list[float] = []
    clean = false_clean = found = missed = false = 0
    for part in parts:
        kept = part.peaks >= peak
        areas, hits = part.areas[kept], part.hits[kept]
        big = areas >= lesion
        if part.truth == 0:
            clean += 1
            false_clean += int(np.count_nonzero(big))
        if part.truth >= large:
            dice.append(2 * float(hits.sum()) / (part.truth + float(areas.sum())))
        covered = part.covered[kept].sum(axis=0) >= HIT_FRACTION * part.lesions
        found += int(np.count_nonzero(covered))
        missed += int(np.count_nonzero(~covered))
        false += int(np.count_nonzero(big & (hits < HIT_FRACTION * areas)))
    f1 = 2 * found / max(2 * found + missed + false, 1)
    share = found / max(found + missed, 1)
    return Figures(float(np.median(dice)) if dice else 0.0, f1, share, false_clean / max(clean, 1))


def suppress_weak(
    margins: NDArray[np.float32], threshold: float, peak: float
) -> NDArray[np.float32]:
    """Lower components without a peak to just below zero, as masks of a release have it.

    margins: (H, W) scaled logits less that of ``threshold``: the mask is where they reach zero
    """
    drawn = (margins >= 0).astype(np.uint8)
    count, labels = _components(drawn)
    highest = np.full(count, -np.inf)
    np.maximum.at(highest, labels.ravel(), margins.ravel())
    weak = highest < logit(peak) - logit(threshold)
    weak[0] = False
    return np.where(weak[labels], np.float32(-1e-3), margins)


def _reached(peak: float) -> float:
    """Least scaled logit that the rule on bytes takes for this peak."""
    return logit((byte_level(expit(peak - FINE_SHIFT)) - 0.5) / 255) + FINE_SHIFT


def _components(drawn: NDArray[np.uint8]) -> tuple[int, NDArray[np.int32]]:
    """Return how many labels there are, background included, and the label of each pixel."""
    count, labels = cv2.connectedComponents(drawn, connectivity=8)
    return count, np.asarray(labels, np.int32)


def _label(
    mask: NDArray[np.bool_], smallest_px: float
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Components of at least a size, numbered from 1, and the pixels of each (of 0: none)."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    sizes = stats[:, cv2.CC_STAT_AREA].astype(np.int64)
    keep = sizes >= smallest_px
    keep[0] = False
    numbers = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return numbers[labels], np.r_[0, sizes[keep]]


def _floor(value: float, digits: int) -> float:
    """Round down, so that the byte it stands for stays the same."""
    return float(np.floor(value * 10**digits) / 10**digits)
