"""Grey levels the network can rely on: the same tissue near the same number on every film."""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

CLIP = 4.0
"""Normalised values are clipped to [-CLIP, CLIP]."""

_SAMPLES = 65_536  # more change the statistics by less than 0.5 %
_PILE_UP = 0.01  # a share of the field this large at one extreme value is saturation
_MIN_LEVELS_SHARE = 0.05  # fewer unsaturated pixels than this say nothing about tissue


def normalise(
    pixels: NDArray[np.generic], field: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Shift and scale grey levels to about zero mean and unit spread inside the field.

    The centre and the spread come from quantiles (median; 5 % to 95 %) of the pixels that are
    neither saturated nor outside the field, so metal, burnt-out skin and collimator borders do not
    move the bones. Any increasing affine change of ``pixels`` gives the same result.

    Parameters
    ----------
    pixels: (H, W) real numbers, bright = dense. NaN is taken as the centre.
    field: (H, W) bool, True inside the exposed field; None = everywhere

    Returns
    -------
    (H, W) float32 in [-4, 4]; all zero when the field is empty or flat
    """
    centre, spread = robust_levels(pixels, field)
    if spread <= 0:
        return np.zeros(pixels.shape, np.float32)
    out = pixels.astype(np.float32)
    out -= np.float32(centre)
    out *= np.float32(1.0 / spread)
    np.clip(out, -CLIP, CLIP, out=out)
    if not np.issubdtype(pixels.dtype, np.integer):
        np.nan_to_num(out, copy=False, nan=0.0)
    return out


def robust_levels(
    pixels: NDArray[np.generic], field: NDArray[np.bool_] | None = None
) -> tuple[float, float]:
    """Return the centre and the spread (one standard deviation of a normal) of the tissue.

    Parameters
    ----------
    pixels: (H, W) real numbers
    field: (H, W) bool or None

    Returns
    -------
    centre, spread: in pixel units; (0, 0) when there is nothing to measure
    """
    step = max(1, ceil(sqrt(pixels.size / _SAMPLES)))
    sample = pixels[::step, ::step]
    values = sample.ravel() if field is None else sample[field[::step, ::step]]
    values = values.astype(np.float32)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 0.0
    tissue = values[_unsaturated(values)]
    if tissue.size < _MIN_LEVELS_SHARE * values.size:
        tissue = values
    low, centre, high = np.quantile(tissue, (0.05, 0.5, 0.95))
    spread = (high - low) / 3.29  # 5 % to 95 % of a normal distribution
    if spread <= 0:
        spread = tissue.std(dtype=np.float64)
    return float(centre), float(spread)


def _unsaturated(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mask out pixels piled up at the smallest or the largest value."""
    low, high = float(values.min()), float(values.max())
    margin = 1e-3 * (high - low)
    keep = np.ones(values.shape, bool)
    for pile in (values <= low + margin, values >= high - margin):
        if np.count_nonzero(pile) > _PILE_UP * values.size:
            keep &= ~pile
    return keep
