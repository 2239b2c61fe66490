"""Learning rate as a function of the step alone, so that a resumed run follows the same curve."""

from __future__ import annotations

from math import cos, pi

from hoseg.train.config import Optimisation


def learning_rate(step: int, settings: Optimisation) -> float:
    """Learning rate of optimiser step ``step`` (from 0).

    trapezoid: linear warm-up, flat, linear decay to 1 % (Zhai et al., CVPR 2022)
    cosine: linear warm-up, then half a cosine to 1 %
    one_cycle: half a cosine up over the first 30 %, then down to 0.1 % (Smith & Topin, 2018)
    """
    peak, total = settings.learning_rate, settings.steps
    if settings.schedule == "one_cycle":
        rise = 0.3 * total
        if step < rise:
            return peak * (0.04 + 0.96 * (1 - cos(pi * step / rise)) / 2)
        return peak * (1e-3 + (1 - 1e-3) * (1 + cos(pi * (step - rise) / (total - rise))) / 2)
    if step < settings.warmup:
        return peak * (step + 1) / settings.warmup
    if settings.schedule == "cosine":
        progress = (step - settings.warmup) / (total - settings.warmup)
        return peak * (0.01 + 0.99 * (1 + cos(pi * progress)) / 2)
    start = total * (1 - settings.decay)
    if step < start:
        return peak
    return peak * (0.01 + 0.99 * (total - step) / (total - start))
