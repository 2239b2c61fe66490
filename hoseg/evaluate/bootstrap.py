"""Intervals by resampling patients, because films and hips of one patient are not independent.

Every statistic in ``hoseg.evaluate.statistics`` takes a matrix of weights (B, n): how often
each of n rows occurs in each of B resamples. Drawing patients with replacement is then one
multinomial draw, and a thousand resamples of a statistic are a few matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError

FloatArray = NDArray[np.float64]
Statistic = Callable[[FloatArray], FloatArray]
"""Weights (B, n) to values (B,); nan where undefined."""

Events = Literal["", "share", "count"]
"""What a row counts: one event or none, any number of events, or nothing that is counted."""

LEVEL = 0.95
INTERVAL = f"{LEVEL:.0%} percentile bootstrap, patients resampled"
MIN_DEFINED = 0.5
"""No interval when the statistic is undefined in more than this share of resamples."""
_BLOCK = 4_000_000  # weights held at a time: bounded memory for any number of rows


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval.

    value, low, high: None where undefined (no rows, one class only, a single patient)
    n: rows it rests on
    patients: clusters it rests on
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    patients: int


@dataclass(frozen=True, eq=False)
class Resamples:
    """How often each patient was drawn: counts (B, P) uint16."""

    counts: NDArray[np.uint16]

    @staticmethod
    def draw(patients: int, repeats: int, rng: np.random.Generator) -> Resamples:
        """Draw ``patients`` patients with replacement, ``repeats`` times."""
        if repeats < 1:
            raise SettingError("bootstrap", repeats, "a number of resamples >= 1")
        equal = np.full(patients, 1 / patients) if patients else np.zeros(0)
        if not patients:
            return Resamples(np.zeros((repeats, 0), np.uint16))
        return Resamples(rng.multinomial(patients, equal, size=repeats).astype(np.uint16))


def estimate(
    statistic: Statistic, patient: NDArray[np.intp], resamples: Resamples, events: Events = ""
) -> Estimate:
    """Value and percentile interval of a statistic over rows that belong to patients.

    Parameters
    ----------
    statistic : weights (B, n) to values (B,)
    patient : (n,) index of the patient of each row, into the columns of ``resamples.counts``
    resamples : shared by all figures of a report, so that they can be compared
    events : what the statistic is the mean of
    """
    n, patients = len(patient), len(np.unique(patient))
    if n == 0:
        return Estimate(None, None, None, 0, 0)
    value = float(statistic(np.ones((1, n)))[0])
    if not np.isfinite(value):
        return Estimate(None, None, None, n, patients)
    if patients < 2:
        return Estimate(value, None, None, n, patients)
    if exact := _without_contrast(value, patients, events):
        return Estimate(value, *exact, n, patients)
    step = max(1, _BLOCK // n)
    counts = resamples.counts
    blocks = [
        statistic(counts[start : start + step][:, patient].astype(np.float64))
        for start in range(0, len(counts), step)
    ]
    draws = np.concatenate(blocks)
    draws = draws[np.isfinite(draws)]
    if len(draws) < MIN_DEFINED * len(counts):
        return Estimate(value, None, None, n, patients)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high), n, patients)


def _without_contrast(value: float, patients: int, events: Events) -> tuple[float, float] | None:
    """Interval where no row, or every row, has its event; None otherwise.

    Every resample then says the same, and a percentile interval has no width however few the
    patients: the exact bound for events that no patient showed stands in (Clopper-Pearson of a
    share, Poisson of a count), as if each patient were one row.
    """
    tail = (1 - LEVEL) / 2
    share = 1 - tail ** (1 / patients)
    if events and value == 0:
        return 0.0, share if events == "share" else -math.log(tail) / patients
    if events == "share" and value == 1:
        return 1 - share, 1.0
    return None
