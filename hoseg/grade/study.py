"""Several images of a study: one finding a hip.

The rule. A hip is a side of the patient; hips of unknown side stay apart, image by image. The
class is read from one image, the first by this order: graded before abstained; AP view before
unknown view before any other (Brooker is defined on the AP view); better source of millimetres;
narrower interval of the gap; earlier image. The other images do not change the class. Where they
contradict it, the finding says so: above all, an open gap on another view speaks against a bridge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hoseg.grade.finding import HipFinding
from hoseg.grade.verdicts import grade_name
from hoseg.radiograph import Note, Side, SpacingSource, View

_SOURCES = [source.value for source in SpacingSource]


@dataclass(frozen=True)
class StudyHip:
    """One hip of a study.

    finding: the one that the class is read from, with caveats from the other images added
    image: index of its image
    others: indices of the other images that show this hip
    """

    finding: HipFinding
    image: int
    others: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form: the finding, the image it is read from, and the others."""
        return {**self.finding.to_dict(), "image": self.image, "other_images": list(self.others)}


def combine(images: Sequence[Sequence[HipFinding]]) -> tuple[StudyHip, ...]:
    """One finding for each hip of a study: right, left, then those of unknown side.

    Parameters
    ----------
    images
        The findings of each image, in the study's order.
    """
    shown = [(index, finding) for index, findings in enumerate(images) for finding in findings]
    hips = []
    for side in (Side.RIGHT, Side.LEFT):
        same = [(index, finding) for index, finding in shown if finding.side is side]
        if same:
            hips.append(_combine_side(same))
    hips += [StudyHip(f, index) for index, f in shown if f.side is Side.UNKNOWN]
    return tuple(hips)


def _combine_side(same: list[tuple[int, HipFinding]]) -> StudyHip:
    ranked = sorted(same, key=lambda item: (*_rank(item[1]), item[0]))
    image, chosen = ranked[0]
    notes = tuple(
        note for index, other in ranked[1:] if (note := _contradiction(chosen, other, index))
    )
    finding = replace(chosen, caveats=chosen.caveats + notes)
    return StudyHip(finding, image, tuple(index for index, _ in ranked[1:]))


def _rank(finding: HipFinding) -> tuple[bool, int, int, float]:
    """Smaller is better; see the rule at the top."""
    view = 0 if finding.view.is_ap else 1 if finding.view is View.UNKNOWN else 2
    source = finding.spacing_source
    interval = finding.gap_interval_mm
    return (
        finding.abstained is not None,
        view,
        _SOURCES.index(source) if source in _SOURCES else len(_SOURCES),
        interval[1] - interval[0] if interval is not None else 0.0,
    )


def _contradiction(chosen: HipFinding, other: HipFinding, index: int) -> Note | None:
    """What another image says against the chosen one."""
    if chosen.brooker is None or other.brooker is None or chosen.brooker == other.brooker:
        return None
    where = f"image {index + 1} ({other.view.value})"
    if chosen.pattern == "bridge":
        text = f"{where} shows no bridge: superimposition is likely"
        return Note("other_view_shows_no_bridge", text)
    return Note("other_view_disagrees", f"{where} reads as {grade_name('brooker', other.brooker)}")
