"""``result.json``: what hoseg says about one input, and its published JSON Schema.

Every output (tables, DICOM objects, report, review page) is written from a ``ResultFile``, so
that all of them can be rebuilt from a finished run without touching the network again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path, PurePath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import hoseg
from hoseg.errors import InputError, SettingError
from hoseg.grade.combine import several_patients
from hoseg.grade.finding import HipFinding
from hoseg.radiograph import Note, Radiograph, Side, Spacing, View
from hoseg.words import RESEARCH_USE, Status

SCHEMA_ID: Literal["hoseg-result-1"] = "hoseg-result-1"

UID_REPEATED = "uid_repeated"
"""Note of an image whose SOP Instance UID other images bear as well."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceImage(_Strict):
    """The radiograph the findings refer to. Empty string = the attribute is absent."""

    rows: int = Field(gt=0)
    columns: int = Field(gt=0)
    frame: int = Field(default=0, ge=0, description="0-based frame of a multi-frame image")
    side: Side = Field(description="the PATIENT's side shown; unknown when both or not stated")
    view: View
    columns_to: Side = Field(description="patient side towards which the column index grows")
    rows_to_feet: bool = True
    transposed: bool = Field(
        default=False,
        description="the film lies on its side: columns_to and rows_to_feet are "
        "those of the picture with its axes exchanged",
    )
    orientation_source: str = "assumed"
    spacing: Spacing | None = None
    patient_id: str = ""
    patient_age: str = ""
    patient_sex: str = Field(default="", description="DICOM Patient's Sex: M, F or O")
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

    @classmethod
    def of(cls, radiograph: Radiograph) -> SourceImage:
        """What the outputs repeat of a decoded radiograph."""
        attributes = asdict(radiograph.attributes)
        return cls(
            rows=radiograph.shape[0],
            columns=radiograph.shape[1],
            side=radiograph.side,
            view=radiograph.view,
            columns_to=radiograph.orientation.columns,
            rows_to_feet=radiograph.orientation.rows_to_feet,
            transposed=radiograph.orientation.transposed,
            orientation_source=radiograph.orientation.source,
            spacing=radiograph.spacing,
            **{name: value for name, value in attributes.items() if name in cls.model_fields},
        )


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
    image: SourceImage | None = Field(
        default=None, description="null when the input could not be read"
    )
    hips: tuple[HipFinding, ...] = ()
    notes: tuple[Note, ...] = ()
    disclaimer: str = RESEARCH_USE

    @property
    def name(self) -> str:
        """The input as the user named it, and the frame where it has several."""
        frame = self.image.frame if self.image else 0
        return f"{self.source} (frame {frame})" if frame else self.source

    @property
    def film_id(self) -> str:
        """Identifier of this image alone: its SOP Instance UID, else its name."""
        if self.image is None or not self.image.sop_uid:
            return self.name
        if self.folder and any(note.code == UID_REPEATED for note in self.notes):
            return PurePath(self.folder).name  # made of the UID and of what its pixels are
        frame = self.image.frame
        return f"{self.image.sop_uid}-frame{frame}" if frame else self.image.sop_uid

    @property
    def study_uid(self) -> str:
        """Study Instance UID; "" when not stated."""
        return self.image.study_uid if self.image else ""

    @property
    def patient_id(self) -> str:
        """Patient ID; "" when not stated."""
        return self.image.patient_id if self.image else ""


def result_for_image(
    radiograph: Radiograph,
    hips: Sequence[HipFinding],
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
        image=SourceImage.of(radiograph),
        hips=tuple(hips),
        notes=radiograph.notes,
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
    except SettingError as error:  # spacing or settings that no run can have had
        raise InputError(str(path), f"{error}; run `hoseg run` again", code="bad_result") from error


def studies_in(run_dir: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Studies of a run: where what is written about each belongs, and its ``result.json`` files.

    As in ``hoseg.grade.combine``, a film without Study UID, or with one that films of another
    patient bear, is a study of its own; it belongs to its own folder.
    """
    paths = sorted(run_dir.glob("studies/*/*/result.json"))
    for folder, same in groupby(paths, key=lambda path: path.parent.parent):
        of_study = list(same)
        uids, patients = zip(*map(_identity, of_study), strict=True)
        if any(uids) and not several_patients(patients):
            yield folder, of_study
        else:
            yield from ((path.parent, [path]) for path in of_study)


def _identity(path: Path) -> tuple[str, str]:
    """(Study UID, Patient ID) of a result; nothing of a damaged one, which its reader refuses."""
    try:
        result = read_result(path)
    except InputError:
        return "", ""
    return result.study_uid, result.patient_id


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of ``result.json``."""
    schema = ResultFile.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}
