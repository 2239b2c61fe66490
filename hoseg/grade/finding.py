"""What grading says about a hip: frozen records that are also the schema of ``result.json``.

Numbers keep their full precision in memory and are rounded where they are written as JSON.
Fields stand in the order in which ``result.json`` has them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from hoseg.grade.settings import GradeSettings
from hoseg.radiograph import Note, Side, View


def _rounded(digits: int) -> PlainSerializer:
    def write(value: float) -> float | None:
        return round(float(value), digits) if math.isfinite(value) else None

    return PlainSerializer(write, return_type=float | None, when_used="json")


Hundredths = Annotated[float, _rounded(2)]
"""Millimetres, pixels, areas."""
Thousandths = Annotated[float, _rounded(3)]
"""Shares and densities."""
Probability = Annotated[float, _rounded(4)]
Pixel = Annotated[int, PlainSerializer(float, return_type=float, when_used="json")]

Point = tuple[Hundredths, Hundredths]
"""(row, column) in pixels of the original image, sub-pixel."""

Grade = int | str
"""A class of a grading system: 0-4 for Brooker, else its letters."""


class _Record(BaseModel):
    """Keys of other versions are passed over when a file is read."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, serialize_by_alias=True
    )


class Component(_Record):
    """One connected ossification. Millimetres are None without calibration."""

    area_mm2: Hundredths | None = Field(default=None, ge=0, description="projected area")
    length_mm: Hundredths | None = Field(default=None, ge=0, description="longest axis")
    attached_to: tuple[str, ...] = Field(
        default=(), description="pelvis, femur; directly, not through another ossification"
    )
    superimposed_on: tuple[str, ...] = Field(
        default=(),
        description="bones that it touches on the film without hanging on them, as the model's "
        "network sees it; such contacts do not count",
    )
    sites: tuple[str, ...] = Field(
        default=(), description="lateral, central, medial, trochanteric, supra_acetabular"
    )
    distance_to_pelvis_mm: Hundredths | None = None
    distance_to_femur_mm: Hundredths | None = None
    bbox_px: tuple[Pixel, Pixel, Pixel, Pixel] | None = Field(
        default=None, description="[row, column, row, column], first inclusive, second exclusive"
    )
    graded: bool = Field(default=True, description="whether the classes take it into account")
    excluded: str = Field(
        default="", description="why not: below_size_floor, far_from_hip, inside_pelvis"
    )
    maturity: str | None = Field(
        default=None, description="hazy, mature_discrete, mature_extensive; null: no image"
    )
    area_px: int = 0
    length_px: Hundredths = Field(default=0.0, description="in columns' pixels")
    centroid_px: Point | None = None
    lesion: int = Field(default=0, description="shared by ossifications that touch each other")
    overlap_pelvis: Thousandths = Field(default=0.0, description="share of its area, 0-1")
    overlap_femur: Thousandths = Field(default=0.0, description="share of its area, 0-1")
    relative_density: Thousandths | None = Field(
        default=None, description="0 as soft tissue, 1 as the femoral cortex; null: no image"
    )


class Landmarks(_Record):
    """Points of the hip in original pixels; None = not visible."""

    head_px: Point | None = Field(default=None, description="centre of the femoral head")
    head_radius_px: Hundredths | None = Field(default=None, description="in columns' pixels")
    head_radius_mm: Hundredths | None = None
    head_source: str = Field(default="none", description="femur, implant or none")
    trochanter_tip_px: Point | None = None
    lesser_trochanter_px: Point | None = None
    acetabular_margin_px: Point | None = None
    shaft_axis: Point | None = Field(
        default=None, description="(row, column) unit vector in mm, pointing to the knee"
    )


class CheckedCondition(_Record):
    """One number that a rule looked at: ``value operator limit``."""

    quantity: str
    value: float | None = Field(default=None, description="null: unknown, or there is none")
    operator: str = ""
    limit: float | None = None
    unit: str = ""


class TraceLine(_Record):
    """One rule that was looked at, in order."""

    system: str
    fired: bool | None = Field(description="null when an unknown number decides")
    conditions: tuple[CheckedCondition, ...] = ()
    sentence: str = ""
    grade: Grade | None = Field(default=None, validation_alias="class", serialization_alias="class")


class HipFinding(_Record):
    """Everything grading says about one hip; as ``hoseg grade --json`` prints it."""

    side: Side = Field(description="the PATIENT's side")
    classes: dict[str, Grade | None] = Field(
        default_factory=dict, description="system: class; null when undecided"
    )
    class_probabilities: dict[str, tuple[Probability, ...] | dict[str, Probability]] = Field(
        default_factory=dict,
        description="system: P(class), mildest first; they sum to 1 less what is undecided. "
        "Brooker: a list whose index is the class",
    )
    summary: str = Field(default="", description="the finding in one sentence")
    pattern: str | None = Field(
        default=None, description="none, islands, spur, opposing_spurs or bridge"
    )
    extent: str | None = Field(
        default=None, description="how far the worst ossification goes: none, focal or bridging"
    )
    gap_mm: Hundredths | None = Field(
        default=None,
        description="0 for a bridge; null when nothing is attached or nothing is calibrated",
    )
    gap_interval_mm: tuple[Hundredths, Hundredths] | None = Field(default=None, description="95 %")
    gap_points_px: tuple[Point, Point] | None = Field(
        default=None,
        description="[row, column] of both ends, pixel centres at whole numbers; first on the "
        "pelvic side, second on the femoral side",
    )
    filled_fraction: Thousandths | None = None
    spacing_source: str | None = Field(default=None, description="a value of SpacingSource, none")
    components: tuple[Component, ...] = ()
    landmarks: Landmarks = Landmarks()
    abstained: str | None = Field(
        default=None, description="stable reason code; then no system has a class"
    )
    abstained_because: str = ""
    at_least: int | None = Field(
        default=None, description="when abstained: the Brooker class certain from what is visible"
    )
    brooker_every_contact: int | None = Field(
        default=None, description="Brooker class if every contact on the film counted; null: all do"
    )
    provisional: tuple[str, ...] = Field(
        default=(), description="codes of reasons that make the class provisional"
    )
    caveats: tuple[Note, ...] = Field(
        default=(), description="what a reader should know, most important first"
    )
    counterfactuals: dict[str, str] = Field(
        default_factory=dict,
        description="system: nearest change of a number that would change the class",
    )
    trace: tuple[TraceLine, ...] = ()
    side_source: str = Field(
        default="unknown",
        description="given, attribute, presentation, picture, assumed, contradicted, unknown",
    )
    view: View = View.UNKNOWN
    class_probabilities_from: str = Field(
        default="draws", description="where P(Brooker class) comes from: draws, or a model"
    )
    not_derivable: dict[str, str] = Field(
        default_factory=dict, description="system: what it needs that one AP view cannot give"
    )
    spurs_on: tuple[str, ...] = Field(
        default=(), description="bones that ossifications hang on, pelvis before femur"
    )
    gap_px: Hundredths | None = Field(
        default=None, description="the gap in columns' pixels, known without calibration"
    )
    settings: GradeSettings = GradeSettings()

    @property
    def brooker(self) -> int | None:
        """The Brooker class 0-4; None when abstained."""
        value = self.classes.get("brooker")
        return value if isinstance(value, int) else None

    @property
    def della_valle(self) -> str | None:
        """The Della Valle class A, B or C; None when undecided."""
        value = self.classes.get("della_valle")
        return value if isinstance(value, str) else None

    @property
    def brooker_probabilities(self) -> tuple[float, ...]:
        """P(class 0) ... P(class 4), or nothing."""
        return tuple(self.probabilities("brooker").values())

    @property
    def brooker_undecided(self) -> float:
        """Share of the draws in which no Brooker class could be given: 1 less all P(class)."""
        chances = self.brooker_probabilities
        return max(0.0, round(1.0 - sum(chances), 9)) if chances else 0.0

    def probabilities(self, system: str) -> Mapping[Grade, float]:
        """Class to probability in one system, mildest first; empty when there is none."""
        found = self.class_probabilities.get(system, ())
        pairs = found.items() if isinstance(found, dict) else enumerate(found)
        return dict(pairs)

    @property
    def ossifications(self) -> tuple[Component, ...]:
        """Components that the classes take into account."""
        return tuple(component for component in self.components if component.graded)

    @property
    def ossification_area_mm2(self) -> float | None:
        """Projected area of what is graded (mm2): 0 for class 0, None without calibration."""
        return self._in_mm(sum, [component.area_mm2 for component in self.ossifications])

    @property
    def longest_mm(self) -> float | None:
        """Longest axis of what is graded (mm): 0 for class 0, None without calibration."""
        return self._in_mm(max, [component.length_mm for component in self.ossifications])

    def _in_mm(
        self, of: Callable[[list[float]], float], values: list[float | None]
    ) -> float | None:
        known = [value for value in values if value is not None]
        if known:
            return of(known)
        calibrated = self.spacing_source not in (None, "none")
        return 0.0 if self.brooker == 0 and calibrated else None

    @property
    def has_ossification(self) -> bool:
        """Whether any ossification reached the size floor."""
        return bool(self.ossifications)
