"""Several images of one study, one finding a hip.

The rule: of all findings of a side, a graded one comes before an abstained one, an AP view before
another (Brooker is defined on the AP view), then the worse class, then the smaller gap, then the
first image. Nothing is averaged: the finding that decides stands with its own points and trace.
A hip whose side is unknown is not merged with one whose side is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from hoseg.grade.finding import HipFinding
from hoseg.radiograph import Side


def combine(images: Iterable[Sequence[HipFinding]]) -> tuple[HipFinding, ...]:
    """Combine the findings of the images of one study.

    Parameters
    ----------
    images
        The findings of each image, as ``grade`` returns them.

    Returns
    -------
    One finding a side, in the order in which the sides were first seen. Two hips of unknown side
    in one image stay two.
    """
    best: dict[tuple[Side, int], HipFinding] = {}
    for findings in images:
        seen: dict[Side, int] = {}
        for finding in findings:
            key = (finding.side, seen.get(finding.side, 0))
            seen[finding.side] = key[1] + 1
            if key not in best or rank(finding) < rank(best[key]):
                best[key] = finding
    return tuple(best.values())


def rank(finding: HipFinding) -> tuple[bool, bool, int, float]:
    """Order of preference; the smallest decides."""
    grade = finding.brooker
    gap = math.inf if finding.gap_mm is None else finding.gap_mm
    return (grade is None, not finding.view.is_ap, -(grade or 0), gap)
