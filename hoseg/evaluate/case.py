"""What is kept of one judged film: small records, written to the journal line by line."""

from __future__ import annotations

from dataclasses import dataclass, field

from numpy.typing import NDArray
from pydantic import TypeAdapter

from hoseg.evaluate.lesions import Lesion
from hoseg.evaluate.overlap import Overlap
from hoseg.radiograph import Side, View

CLASSES = 5
"""Brooker 0-IV."""
BINS = 10
"""Bins of every reliability plot."""


@dataclass(frozen=True)
class TrueHip:
    """What is known of one hip.

    side: the patient's
    brooker: class 0-4 that the prediction is judged by; None when nobody graded it
    brooker_masks: class read from the true masks by ``hoseg.grade``; None when not known
    gap_mm: true gap at the plane of the hip
    maturity: "hazy", "mature_discrete", "mature_extensive" or "" (none, or not known)
    centre_px: (row, column) of the femoral head; None = the whole film belongs to this hip
    """

    side: Side
    brooker: int | None = None
    brooker_masks: int | None = None
    gap_mm: float | None = None
    maturity: str = ""
    centre_px: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of one film.

    case: unique name of the film in the dataset
    patient: films of one patient are resampled together
    masks: (H, W) uint8, bits of ``Structure``; None for grades alone. Ossification only where
        it is visible
    ignore: (H, W) uint8, bits of the structures not scored at a pixel (hidden ossification,
        outside the exposed field, a reader's don't-care); None = everything is scored
    """

    case: str
    patient: str
    view: View = View.UNKNOWN
    masks: NDArray | None = None
    ignore: NDArray | None = None
    hips: tuple[TrueHip, ...] = ()


@dataclass(frozen=True)
class HipScore:
    """One true hip beside what was found there.

    truth: class 0-4 or None
    predicted: class 0-4; None when abstained or not found
    abstained: reason code; None when graded
    probabilities: P(class 0..4), or None
    true_ho_mm2, predicted_ho_mm2: visible ossification in this hip's part of the film
    ho_dice: Dice of ossification in this part; None where undefined
    ho_score: suspicion of ossification, in [0, 1] (see ``suspicion``)
    """

    side: Side
    truth: int | None
    truth_masks: int | None = None
    predicted: int | None = None
    abstained: str | None = None
    probabilities: tuple[float, ...] | None = None
    true_gap_mm: float | None = None
    predicted_gap_mm: float | None = None
    true_ho_mm2: float | None = None
    predicted_ho_mm2: float | None = None
    ho_dice: float | None = None
    ho_score: float | None = None
    maturity: str = ""


@dataclass(frozen=True)
class Calibration:
    """Pixels of one structure by predicted probability: three tuples of ``BINS`` numbers."""

    name: str
    pixels: tuple[float, ...]
    probability: tuple[float, ...]
    outcome: tuple[float, ...]


@dataclass(frozen=True)
class CaseScore:
    """One judged film.

    implant: whether the truth (or, without masks, the prediction) shows one
    ho_score: suspicion of ossification anywhere on the film
    error: why the film could not be judged; empty when it was
    picture: file name of the small overlay below the output folder, or empty
    """

    case: str
    patient: str
    view: View = View.UNKNOWN
    implant: bool = False
    overlaps: tuple[Overlap, ...] = ()
    lesions: tuple[Lesion, ...] = ()
    lesion_hips: tuple[int, ...] = ()
    hips: tuple[HipScore, ...] = ()
    calibration: tuple[Calibration, ...] = ()
    ho_score: float | None = None
    error: str = ""
    picture: str = ""
    notes: tuple[str, ...] = field(default=())

    def overlap(self, name: str) -> Overlap | None:
        """The overlap of one structure by name."""
        return next((row for row in self.overlaps if row.name == name), None)

    def false_lesions(self) -> int:
        """Predicted lesions that lie on no true ossification."""
        return sum(x.origin == "predicted" and not x.matched for x in self.lesions)


CASE_JSON: TypeAdapter[CaseScore] = TypeAdapter(CaseScore)
"""Reads and writes one line of the journal, and checks every type on the way in."""
