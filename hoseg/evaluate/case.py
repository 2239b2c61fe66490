"""What is kept of one judged film: small records, written to the journal line by line."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter

from hoseg.evaluate.lesions import Lesion
from hoseg.evaluate.overlap import Overlap
from hoseg.evaluate.read_films import ReadFilm
from hoseg.radiograph import Side, View

CLASSES = 5
"""Brooker 0-IV."""
BINS = 10
"""Bins of every reliability plot."""


@dataclass(frozen=True)
class HipScore:
    """One true hip beside what was found there.

    truth: class 0-4 that the data set gives, or None
    truth_masks: class that ``hoseg.grade`` reads from the true masks, or None
    predicted: class 0-4; None when abstained or not found
    every_contact: the same if every contact on the film counted, as it does in ``truth_masks``
    abstained: reason code; None when graded
    probabilities: P(class 0..4), or None
    true_gap_mm, true_masks_gap_mm: None for a bridge, which leaves no gap to measure
    true_ho_mm2, predicted_ho_mm2: visible ossification in this hip's part of the film
    ho_dice: Dice of ossification in this part; None where undefined
    ho_score: suspicion of ossification, in [0, 1] (``hoseg.grade.chances.suspicion``)
    """

    side: Side
    truth: int | None
    truth_masks: int | None = None
    predicted: int | None = None
    every_contact: int | None = None
    abstained: str | None = None
    probabilities: tuple[float, ...] | None = None
    true_gap_mm: float | None = None
    true_masks_gap_mm: float | None = None
    predicted_gap_mm: float | None = None
    true_ho_mm2: float | None = None
    predicted_ho_mm2: float | None = None
    ho_dice: float | None = None
    ho_score: float | None = None
    maturity: str = ""


@dataclass(frozen=True)
class ReliabilityCounts:
    """Pixels of one structure by predicted probability: three tuples of ``BINS`` numbers."""

    name: str
    pixels: tuple[float, ...]
    probability: tuple[float, ...]
    outcome: tuple[float, ...]


@dataclass(frozen=True)
class CaseScore:
    """One judged film.

    implant: whether the truth (or, without masks, the prediction) shows one
    lesion_hips: for each lesion the index of its hip in ``hips``; -1 when not known
    ho_score: suspicion of ossification anywhere on the film
    outside_mm2: area painted outside the exposed field; None where the truth knows no border
    error: why the film could not be judged; empty when it was
    picture: file name of the small overlay below the output folder, or empty
    dataset: name of its data set where several are judged together, or empty
    read: what a reader who drew nothing says of it, and what was found; None with masks or grades
    """

    case: str
    patient: str
    view: View = View.UNKNOWN
    implant: bool = False
    overlaps: tuple[Overlap, ...] = ()
    lesions: tuple[Lesion, ...] = ()
    lesion_hips: tuple[int, ...] = ()
    hips: tuple[HipScore, ...] = ()
    calibration: tuple[ReliabilityCounts, ...] = ()
    ho_score: float | None = None
    outside_mm2: float | None = None
    error: str = ""
    picture: str = ""
    dataset: str = ""
    read: ReadFilm | None = None

    def overlap(self, name: str) -> Overlap | None:
        """The overlap of one structure by name."""
        return next((row for row in self.overlaps if row.name == name), None)

    @property
    def false_lesions(self) -> tuple[Lesion, ...]:
        """Predicted lesions that lie on no true ossification."""
        return tuple(x for x in self.lesions if x.origin == "predicted" and not x.matched)


CASE_JSON: TypeAdapter[CaseScore] = TypeAdapter(CaseScore)
"""Reads and writes one line of the journal, and checks every type on the way in."""
