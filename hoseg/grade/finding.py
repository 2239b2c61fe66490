"""What grading says about a hip: frozen records, and their JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from hoseg.grade.settings import GradeSettings
from hoseg.radiograph import Note, Side, View

Point = tuple[float, float]
"""(row, column) in pixels of the original image, sub-pixel."""


@dataclass(frozen=True)
class Component:
    """One connected ossification.

    area_mm2, length_mm, distance_*_mm: None without calibration
    area_px, length_px: always there; ``length_px`` is in columns' pixels
    attached_to: "pelvis", "femur", in this order; directly, not through another ossification
    sites: "lateral", "central", "medial", "trochanteric", "supra_acetabular"
    bbox_px: (row, column, row, column), first inclusive, second exclusive
    centroid_px: (row, column)
    excluded: "" when graded; "below_size_floor", "far_from_hip", "inside_pelvis" when not
    lesion: number shared by ossifications that touch each other
    overlap_pelvis, overlap_femur: share of the area that lies over the bone, 0-1
    relative_density: 0 as soft tissue, 1 as the femoral cortex; None without an image
    maturity: "hazy", "mature_discrete", "mature_extensive"; None without an image
    superimposed_on: bones that it touches on the film without hanging on them, as the model's
        network sees it (``hoseg.grade.attachment``); such contacts do not count
    """

    area_mm2: float | None
    length_mm: float | None
    attached_to: tuple[str, ...]
    sites: tuple[str, ...]
    distance_to_pelvis_mm: float | None
    distance_to_femur_mm: float | None
    bbox_px: tuple[int, int, int, int]
    area_px: int
    length_px: float
    centroid_px: Point
    excluded: str = ""
    lesion: int = 0
    overlap_pelvis: float = 0.0
    overlap_femur: float = 0.0
    relative_density: float | None = None
    maturity: str | None = None
    superimposed_on: tuple[str, ...] = ()

    @property
    def graded(self) -> bool:
        """Whether the classes take it into account."""
        return not self.excluded


@dataclass(frozen=True)
class TraceLine:
    """One rule that was looked at.

    fired: None when an unknown number decides
    numbers: (quantity, value or None, operator, limit, unit) of each condition
    """

    system: str
    grade: int | str
    fired: bool | None
    numbers: tuple[tuple[str, float | None, str, float, str], ...]
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """The class in one system.

    grade: None when undecided
    probabilities: (class, probability) mildest first; they sum to 1 less ``undecided``
    counterfactual: the nearest change of a number that would change the class
    """

    system: str
    grade: int | str | None
    probabilities: tuple[tuple[int | str, float], ...]
    trace: tuple[TraceLine, ...]
    counterfactual: str = ""


@dataclass(frozen=True)
class Landmarks:
    """Points of the hip in original pixels; None = not visible.

    head_radius_mm: None without calibration
    head_radius_px: in columns' pixels
    head_source: "femur", "implant" or "none"
    shaft_axis: (row, column) unit vector in mm space, pointing to the knee
    """

    head_px: Point | None = None
    head_radius_px: float | None = None
    head_radius_mm: float | None = None
    head_source: str = "none"
    trochanter_tip_px: Point | None = None
    lesser_trochanter_px: Point | None = None
    acetabular_margin_px: Point | None = None
    shaft_axis: Point | None = None


@dataclass(frozen=True)
class HipFinding:
    """Everything grading says about one hip.

    pattern: "none", "islands", "spur", "opposing_spurs" or "bridge"
    spurs_on: bones that ossifications hang on, "pelvis" before "femur"
    gap_mm: 0 for a bridge, None when no ossification is attached or nothing is calibrated
    gap_px: the same in columns' pixels, known without calibration
    gap_interval_mm: 95 % interval
    gap_points_px: the two ends; first on the pelvic side, second on the femoral side
    abstained: None, or a stable reason code; then ``brooker`` is None
    at_least: the Brooker class that is certain from what is visible, when abstained
    provisional: reason codes that make the class provisional ("view_not_ap", ...)
    caveats: what a reader should know (superimposition, assumed side, ...)
    extent: how far the worst ossification goes, "none", "focal" or "bridging"
    every_contact: the Brooker class if every contact on the film counted; None where all do
    chances_from: where P(Brooker class) comes from: "draws", or "model" (a calibrated one)
    """

    side: Side
    side_source: str
    view: View
    pattern: str
    spurs_on: tuple[str, ...]
    extent: str
    verdicts: tuple[Verdict, ...]
    not_derivable: tuple[tuple[str, str], ...]
    gap_mm: float | None
    gap_px: float | None
    gap_interval_mm: tuple[float, float] | None
    gap_points_px: tuple[Point, Point] | None
    filled_fraction: float | None
    spacing_source: str
    components: tuple[Component, ...]
    landmarks: Landmarks
    summary: str
    abstained: str | None = None
    abstained_because: str = ""
    at_least: int | None = None
    provisional: tuple[str, ...] = ()
    caveats: tuple[Note, ...] = ()
    settings: GradeSettings = field(default_factory=GradeSettings)
    every_contact: int | None = None
    chances_from: str = "draws"

    def verdict(self, system: str) -> Verdict | None:
        """The verdict of one system by name, or None when it cannot be derived."""
        return next((v for v in self.verdicts if v.system == system), None)

    @property
    def brooker(self) -> int | None:
        """The Brooker class 0-4; None when abstained."""
        verdict = self.verdict("brooker")
        return None if verdict is None or verdict.grade is None else int(verdict.grade)

    @property
    def della_valle(self) -> str | None:
        """The Della Valle class A, B or C; None when undecided."""
        verdict = self.verdict("della_valle")
        return None if verdict is None or verdict.grade is None else str(verdict.grade)

    @property
    def has_ossification(self) -> bool:
        """Whether any ossification reached the size floor."""
        return any(component.graded for component in self.components)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form (the ``hips`` entries of ``result.json``); no nan, no inf."""
        return {
            "side": self.side.value,
            "side_source": self.side_source,
            "view": self.view.value,
            "classes": {v.system: v.grade for v in self.verdicts},
            "class_probabilities": {
                v.system: _probabilities(v) for v in self.verdicts if v.probabilities
            },
            "class_probabilities_from": self.chances_from,
            "not_derivable": dict(self.not_derivable),
            "summary": self.summary,
            "pattern": self.pattern,
            "spurs_on": list(self.spurs_on),
            "extent": self.extent,
            "gap_mm": _number(self.gap_mm),
            "gap_px": _number(self.gap_px),
            "gap_interval_mm": _numbers(self.gap_interval_mm),
            "gap_points_px": self.gap_points_px
            and [_numbers(point) for point in self.gap_points_px],
            "filled_fraction": _number(self.filled_fraction, 3),
            "spacing_source": self.spacing_source,
            "components": [_component(component) for component in self.components],
            "landmarks": _landmarks(self.landmarks),
            "abstained": self.abstained,
            "abstained_because": self.abstained_because,
            "at_least": self.at_least,
            "brooker_every_contact": self.every_contact,
            "provisional": list(self.provisional),
            "caveats": [{"code": note.code, "text": note.text} for note in self.caveats],
            "counterfactuals": {
                v.system: v.counterfactual for v in self.verdicts if v.counterfactual
            },
            "trace": [_trace(line) for v in self.verdicts for line in v.trace],
            "settings": asdict(self.settings),
        }


def _probabilities(verdict: Verdict) -> list[float] | dict[str, float]:
    """A plain list for Brooker (class = index), class -> probability for the others."""
    if verdict.system == "brooker":
        return [round(p, 4) for _, p in verdict.probabilities]
    return {str(grade): round(p, 4) for grade, p in verdict.probabilities}


def _number(value: float | None, digits: int = 2) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def _numbers(values: tuple[float, ...] | None) -> list[float | None] | None:
    return None if values is None else [_number(value) for value in values]


def _component(component: Component) -> dict[str, Any]:
    return {
        "area_mm2": _number(component.area_mm2),
        "length_mm": _number(component.length_mm),
        "attached_to": list(component.attached_to),
        "superimposed_on": list(component.superimposed_on),
        "sites": list(component.sites),
        "distance_to_pelvis_mm": _number(component.distance_to_pelvis_mm),
        "distance_to_femur_mm": _number(component.distance_to_femur_mm),
        "bbox_px": list(component.bbox_px),
        "area_px": component.area_px,
        "length_px": _number(component.length_px),
        "centroid_px": _numbers(component.centroid_px),
        "graded": component.graded,
        "excluded": component.excluded,
        "lesion": component.lesion,
        "overlap_pelvis": _number(component.overlap_pelvis, 3),
        "overlap_femur": _number(component.overlap_femur, 3),
        "relative_density": _number(component.relative_density, 3),
        "maturity": component.maturity,
    }


def _landmarks(landmarks: Landmarks) -> dict[str, Any]:
    return {
        "head_px": _numbers(landmarks.head_px),
        "head_radius_px": _number(landmarks.head_radius_px),
        "head_radius_mm": _number(landmarks.head_radius_mm),
        "head_source": landmarks.head_source,
        "trochanter_tip_px": _numbers(landmarks.trochanter_tip_px),
        "lesser_trochanter_px": _numbers(landmarks.lesser_trochanter_px),
        "acetabular_margin_px": _numbers(landmarks.acetabular_margin_px),
        "shaft_axis": _numbers(landmarks.shaft_axis),
    }


def _trace(line: TraceLine) -> dict[str, Any]:
    names = ("quantity", "value", "operator", "limit", "unit")
    return {
        "system": line.system,
        "class": line.grade,
        "fired": line.fired,
        "conditions": [dict(zip(names, number, strict=True)) for number in line.numbers],
        "sentence": line.sentence,
    }
