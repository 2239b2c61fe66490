"""Hysteresis: a component is kept by its peak, and drawn at a lower threshold (Canny, 1986).

One threshold cannot do both. High enough to keep false ossification rare it shrinks every true
one; low enough to draw the true ones whole it lets false ones in. So the mask is where the
probability reaches the threshold, and of it only the components that reach the peak somewhere.

Peaks lie where a byte of probability has run out of steps (0.999 and 0.9995 are both 255), so a
network with a peak answers with one more plane for it: the same probability on a finer scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from scipy.special import expit, logit

FINE_SHIFT = 6.0
"""Logits between the scales: a fine plane is ``sigmoid(logit / temperature - FINE_SHIFT)``.

It resolves probabilities from 0.75 to 0.99999 in steps of 0.02 logits about its middle.
"""


def byte_level(probability: float) -> int:
    """Smallest value of probability x 255 that counts as reaching a probability."""
    return min(max(ceil(probability * 255), 1), 255)


@dataclass(frozen=True)
class PeakRule:
    """Which components of one structure are kept.

    channel: of the structure
    plane: of the network's answer that holds its fine scale
    threshold, peak: probabilities; ``threshold`` draws the component, ``peak`` keeps it
    """

    channel: int
    plane: int
    threshold: float
    peak: float

    @property
    def level(self) -> int:
        """Smallest byte that belongs to the mask."""
        return byte_level(self.threshold)

    @property
    def peak_level(self) -> int:
        """Smallest byte of the fine plane that keeps a component."""
        return byte_level(expit(logit(self.peak) - FINE_SHIFT))

    def cap(self, highest: int) -> int:
        """Probability x 255 left to a component that was dropped.

        highest: its largest byte in the fine plane. As far below the threshold as that is below
        the peak, in logits, so that the order of films and components stays.
        """
        reached = logit((highest + 0.5) / 256) + FINE_SHIFT
        missing = max(logit(self.peak) - reached, 0.0)
        lowered = 255 * expit(logit(self.threshold) - missing)
        return min(int(lowered), self.level - 1)


def peak_rules(
    thresholds: Sequence[float], peaks: Sequence[float | None] | None
) -> tuple[PeakRule, ...]:
    """Rules of a model; none where there is no peak. Fine planes follow the structures."""
    rules: list[PeakRule] = []
    for channel, peak in enumerate(peaks or ()):
        if peak is not None:
            plane = len(thresholds) + len(rules)
            rules.append(PeakRule(channel, plane, thresholds[channel], peak))
    return tuple(rules)
