"""Several images of one study, one finding a hip.

The rule: of all findings of a side, a graded one comes before an abstained one, an AP view before
another (Brooker is defined on the AP view), then the worse class, then the smaller gap, then the
first image. Nothing is averaged: the finding that decides stands with its own points and trace.
Where another graded image contradicts it, a caveat says so: above all, an open gap on another view
speaks against a bridge.
A hip whose side is unknown is not merged with one whose side is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from hoseg.grade.classify import grade_name
from hoseg.grade.finding import HipFinding
from hoseg.radiograph import Note, Side


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
    shown: dict[tuple[Side, int], list[tuple[int, HipFinding]]] = {}
    for index, findings in enumerate(images):
        seen: dict[Side, int] = {}
        for finding in findings:
            key = (finding.side, seen.get(finding.side, 0))
            seen[finding.side] = key[1] + 1
            shown.setdefault(key, []).append((index, finding))
    return tuple(_decide(same) for same in shown.values())


def _decide(same: list[tuple[int, HipFinding]]) -> HipFinding:
    """The finding that decides, with what the other images say against it."""
    chosen_index, chosen = min(same, key=lambda item: rank(item[1]))
    notes = [_contradiction(chosen, other, index) for index, other in same if index != chosen_index]
    return chosen.model_copy(
        update={"caveats": chosen.caveats + tuple(note for note in notes if note)}
    )


def _contradiction(chosen: HipFinding, other: HipFinding, index: int) -> Note | None:
    """What another image says against the chosen one."""
    if chosen.brooker is None or other.brooker is None or chosen.brooker == other.brooker:
        return None
    where = f"image {index + 1} ({other.view.value})"
    if chosen.pattern == "bridge":
        text = f"{where} shows no bridge: superimposition is likely"
        return Note("other_view_shows_no_bridge", text)
    text = f"{where} reads as {grade_name('brooker', other.brooker)}"
    return Note("other_view_disagrees", text)


def rank(finding: HipFinding) -> tuple[bool, bool, int, float]:
    """Order of preference; the smallest decides."""
    grade = finding.brooker
    gap = math.inf if finding.gap_mm is None else finding.gap_mm
    return (grade is None, not finding.view.is_ap, -(grade or 0), gap)
