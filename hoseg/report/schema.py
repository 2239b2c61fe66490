"""``result.json``: what hoseg says about one input, and its published JSON Schema.

Every output (tables, DICOM objects, report, review page) is written from a ``ResultFile``, so
that all of them can be rebuilt from a finished run without touching the network again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import hoseg
from hoseg.errors import InputError
from hoseg.radiograph import Radiograph, Side, View

SCHEMA_ID: Literal["hoseg-result-1"] = "hoseg-result-1"
RESEARCH_USE = "Research use only. Not a medical device."
Status = Literal["graded", "abstained", "skipped", "failed"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Open(BaseModel):
    """The grading module may add keys; those named here stay."""

    model_config = ConfigDict(extra="allow", frozen=True)


class SpacingFacts(_Strict):
    """Millimetres at the plane of the hip."""

    row_mm: float = Field(gt=0, description="distance between adjacent rows, mm")
    column_mm: float = Field(gt=0, description="distance between adjacent columns, mm")
    relative_sd: float = Field(ge=0, description="standard deviation as a fraction")
    source: str = Field(description="provenance: a value of SpacingSource")


class NoteFact(_Strict):
    """Something a reader should know."""

    code: str
    text: str


class ImageFacts(_Strict):
    """The radiograph the findings refer to. Empty string = the attribute is absent."""

    rows: int = Field(gt=0)
    columns: int = Field(gt=0)
    frame: int = Field(default=0, ge=0, description="0-based frame of a multi-frame image")
    side: Side = Field(description="the PATIENT's side shown; unknown when both or not stated")
    view: View
    columns_to: Side = Field(description="patient side towards which the column index grows")
    rows_to_feet: bool = True
    orientation_source: str = "assumed"
    spacing: SpacingFacts | None = None
    patient_id: str = ""
    patient_age: str = ""
    study_uid: str = ""
    series_uid: str = ""
    sop_uid: str = ""
    sop_class_uid: str = ""
    study_date: str = Field(default="", description="DICOM DA: YYYYMMDD")
    modality: str = ""
    body_part: str = ""
    description: str = ""
    transfer_syntax_uid: str = ""
    photometric: str = ""


class ComponentFacts(_Open):
    """One connected piece of ossification."""

    area_mm2: float | None = Field(default=None, ge=0, description="projected; null: no spacing")
    length_mm: float | None = Field(default=None, ge=0, description="longest axis")
    attached_to: list[str] = Field(default_factory=list, description='"pelvis", "femur"')
    superimposed_on: list[str] = Field(
        default_factory=list,
        description="bones that it touches on the film without hanging on them",
    )
    sites: list[str] = Field(default_factory=list)
    distance_to_pelvis_mm: float | None = None
    distance_to_femur_mm: float | None = None
    bbox_px: list[float] | None = Field(
        default=None, description="[row, column, row, column], first inclusive, second exclusive"
    )
    graded: bool = Field(default=True, description="whether the classes take it into account")
    excluded: str = Field(default="", description="why not: below_size_floor, far_from_hip, ...")
    maturity: str | None = Field(default=None, description="hazy, mature_discrete, ...")


class LandmarkFacts(_Open):
    """Points of the hip, [row, column] in original pixels; null = not visible."""

    head_px: tuple[float, float] | None = None
    head_radius_px: float | None = None


class ConditionFacts(_Open):
    """One number that a rule looked at."""

    quantity: str
    value: float | None = None
    operator: str = ""
    limit: float | None = None
    unit: str = ""


class TraceFacts(_Open):
    """One rule that was looked at, in order."""

    system: str
    fired: bool | None = Field(description="null when an unknown number decides")
    conditions: list[ConditionFacts] = Field(default_factory=list)
    sentence: str = ""


class HipFacts(_Open):
    """The finding of one hip, as ``hoseg grade --json`` prints it."""

    side: Side
    classes: dict[str, int | str | None] = Field(default_factory=dict)
    class_probabilities: dict[str, list[float] | dict[str, float]] = Field(default_factory=dict)
    summary: str = Field(default="", description="the finding in one sentence")
    pattern: str | None = None
    extent: str | None = None
    gap_mm: float | None = None
    gap_interval_mm: tuple[float, float] | None = Field(default=None, description="95 %")
    gap_points_px: tuple[tuple[float, float], tuple[float, float]] | None = Field(
        default=None, description="[row, column] of both ends, pixel centres at whole numbers"
    )
    filled_fraction: float | None = None
    spacing_source: str | None = None
    components: list[ComponentFacts] = Field(default_factory=list)
    landmarks: LandmarkFacts = Field(default_factory=LandmarkFacts)
    abstained: str | None = Field(default=None, description="reason code, or null")
    abstained_because: str = ""
    at_least: int | None = Field(default=None, description="certain Brooker class if abstained")
    brooker_every_contact: int | None = Field(
        default=None, description="Brooker class if every contact on the film counted; null: all do"
    )
    provisional: list[str] = Field(default_factory=list, description="reason codes")
    caveats: list[NoteFact] = Field(default_factory=list)
    counterfactuals: dict[str, str] = Field(default_factory=dict)
    trace: list[TraceFacts] = Field(default_factory=list)

    @property
    def brooker(self) -> int | None:
        """Brooker class 0-4; None when no class is given."""
        value = self.classes.get("brooker")
        return value if isinstance(value, int) else None

    @property
    def brooker_probabilities(self) -> list[float]:
        """P(class 0) ... P(class 4), or an empty list."""
        values = self.class_probabilities.get("brooker", [])
        return list(values)[:5] if isinstance(values, list) else []

    @property
    def ossifications(self) -> list[ComponentFacts]:
        """Components that reach the size floor."""
        return [component for component in self.components if component.graded]


class ResultFile(_Strict):
    """Everything hoseg says about one input image."""

    schema_id: Literal["hoseg-result-1"] = SCHEMA_ID
    hoseg_version: str = hoseg.__version__
    model: str = Field(
        default="", description='"name@fingerprint-prefix" of the model; "" when not used'
    )
    source: str = Field(description="the input as the user named it")
    folder: str = Field(
        default="", description="folder of this image's outputs, relative to the run"
    )
    status: Status
    reason: str = Field(default="", description="stable code; empty when graded")
    sentence: str = Field(default="", description="the reason in words")
    image: ImageFacts | None = Field(
        default=None, description="null when the input could not be read"
    )
    hips: list[HipFacts] = Field(default_factory=list)
    notes: list[NoteFact] = Field(default_factory=list)
    disclaimer: str = RESEARCH_USE


class HasDict(Protocol):
    """A ``hoseg.grade`` finding: anything whose ``to_dict`` is one element of ``hips``."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form of one hip."""
        ...


def image_facts(radiograph: Radiograph) -> ImageFacts:
    """Facts about a decoded radiograph that the outputs repeat."""
    attributes, spacing = radiograph.attributes, radiograph.spacing
    return ImageFacts(
        rows=radiograph.shape[0],
        columns=radiograph.shape[1],
        side=radiograph.side,
        view=radiograph.view,
        columns_to=radiograph.orientation.columns,
        rows_to_feet=radiograph.orientation.rows_to_feet,
        orientation_source=radiograph.orientation.source,
        spacing=None
        if spacing is None
        else SpacingFacts(
            row_mm=spacing.row_mm,
            column_mm=spacing.column_mm,
            relative_sd=spacing.relative_sd,
            source=spacing.source,
        ),
        **{
            name: getattr(attributes, name)
            for name in ImageFacts.model_fields
            if hasattr(attributes, name)
        },
    )


def result_for_image(
    radiograph: Radiograph,
    hips: Sequence[HasDict],
    *,
    status: Status,
    reason: str = "",
    sentence: str = "",
    model: str = "",
) -> ResultFile:
    """Result of an image that was decoded, whether or not it was graded.

    Parameters
    ----------
    hips : sequence of HipFinding
        Findings of ``hoseg.grade``; empty when the image is not a hip radiograph.
    model : str
        ``"name@fingerprint-prefix"``.

    Use ``result.model_copy(update={"folder": ...})`` to add where outputs were written.
    """
    return ResultFile(
        model=model,
        source=radiograph.source,
        status=status,
        reason=reason,
        sentence=sentence,
        image=image_facts(radiograph),
        hips=[HipFacts.model_validate(hip.to_dict()) for hip in hips],
        notes=[NoteFact(code=note.code, text=note.text) for note in radiograph.notes],
    )


def result_for_failure(error: InputError, status: Status = "failed") -> ResultFile:
    """Result of an input that could not be read, or that is refused by what it says it is."""
    return ResultFile(
        source=error.source, status=status, reason=error.code, sentence=error.sentence
    )


def to_json(result: ResultFile) -> str:
    """Text of ``result.json``."""
    return result.model_dump_json(indent=1) + "\n"


def read_result(path: Path) -> ResultFile:
    """Read and check one ``result.json``.

    Raises
    ------
    InputError
        ``bad_result`` with the file, the key and what was expected.
    """
    try:
        return ResultFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(
            str(path), f"cannot be read: {error.strerror}", code="bad_result"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(
            str(path), f"{key}: {first['msg']}; run `hoseg run` again", code="bad_result"
        ) from error


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of ``result.json``."""
    schema = ResultFile.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}
