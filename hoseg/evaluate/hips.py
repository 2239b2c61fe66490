"""Which hip is which: true hips, and the finding that belongs to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hoseg.datasets.labelled import GradedHip
from hoseg.grade import HipFinding
from hoseg.radiograph import Side


@dataclass(frozen=True)
class TrueHip:
    """What is known of one hip.

    brooker, gap_mm: what the data set says
    brooker_masks, gap_masks_mm: what ``hoseg.grade`` reads from the true masks
    maturity: "hazy", "mature_discrete", "mature_extensive" or "" (none, or not known)
    centre_px: (row, column) of the femoral head; None when not known
    """

    side: Side
    brooker: int | None = None
    brooker_masks: int | None = None
    gap_mm: float | None = None
    gap_masks_mm: float | None = None
    maturity: str = ""
    centre_px: tuple[float, float] | None = None


def true_hips(graded: Sequence[GradedHip], from_masks: Sequence[HipFinding]) -> tuple[TrueHip, ...]:
    """Bring together the grades of a data set and what its masks say.

    Hips that only the masks show are there too, without a grade of the data set.
    """
    named = [
        TrueHip(h.side, h.brooker, gap_mm=h.gap_mm, maturity=h.maturity, centre_px=h.centre_px)
        for h in graded
    ]
    findings = match(named, from_masks)
    hips = [
        hip if finding is None else _with_masks(hip, finding)
        for hip, finding in zip(named, findings, strict=True)
    ]
    hips += [
        _with_masks(TrueHip(f.side), f)
        for f in from_masks
        if f.landmarks.head_px is not None and not any(f is used for used in findings)
    ]
    return tuple(hips)


def _with_masks(hip: TrueHip, finding: HipFinding) -> TrueHip:
    """Add what grading read from the true masks."""
    return replace(
        hip,
        brooker_masks=None if finding.abstained else finding.brooker,
        gap_masks_mm=finding.gap_mm,
        centre_px=hip.centre_px or finding.landmarks.head_px,
    )


def match(true: Sequence[TrueHip], found: Sequence[HipFinding]) -> tuple[HipFinding | None, ...]:
    """The finding of each true hip: by side, else by the nearest femoral head, else alone.

    A finding is used once. A single finding on a film with a single hip is that hip whatever
    its side (a wrong side marker is not a wrong class).
    """
    if len(true) == 1 and len(found) == 1:
        return (found[0],)
    left = list(found)
    pairs: list[HipFinding | None] = []
    for hip in true:
        same = [f for f in left if f.side == hip.side and hip.side is not Side.UNKNOWN]
        pick = same[0] if same else _closest(hip, left)
        left = [f for f in left if f is not pick]
        pairs.append(pick)
    return tuple(pairs)


def _closest(hip: TrueHip, found: Sequence[HipFinding]) -> HipFinding | None:
    """Nearest finding where a side is unknown and both know where the femoral head is."""
    near = [
        (float(np.hypot(*np.subtract(f.landmarks.head_px, hip.centre_px))), i)
        for i, f in enumerate(found)
        if hip.centre_px and f.landmarks.head_px and Side.UNKNOWN in (f.side, hip.side)
    ]
    return found[min(near)[1]] if near else None
