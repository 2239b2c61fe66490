"""``images.csv`` and ``findings.csv``: columns with units, rows, writers.

A cell is text. Empty = does not apply or is not known. Lists inside a cell are separated by
``;``. Numbers use a point and carry no unit: the unit is in the column's name and description.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hoseg import files
from hoseg.extras import require
from hoseg.grade.combine import StudyHip
from hoseg.grade.finding import HipFinding
from hoseg.imaging.quality import age_years
from hoseg.radiograph import Note
from hoseg.report.schema import ResultFile, SourceImage

Row = dict[str, str]
_KINDS: dict[str, Callable[[str], str | int | float]] = {
    "text": str,
    "integer": int,
    "number": float,
}


@dataclass(frozen=True)
class Column:
    """One documented column.

    unit: "mm", "mm2", "px", "probability", "code" ... or "" for plain text
    """

    name: str
    kind: Literal["text", "integer", "number"]
    unit: str
    meaning: str


_IDENTITY = (
    Column(
        "source",
        "text",
        "",
        "input as named on the command line; inside an archive after '!'; a de-identified copy "
        "relative to the run",
    ),
    Column("folder", "text", "", "folder of this image's outputs, relative to the run"),
    Column("patient_id", "text", "", "Patient ID (0010,0020)"),
    Column("age_years", "number", "years", "age by Patient's Age, else the birth date"),
    Column("sex", "text", "code", "Patient's Sex (0010,0040): M, F or O"),
    Column("study_uid", "text", "", "Study Instance UID"),
    Column("series_uid", "text", "", "Series Instance UID"),
    Column("sop_uid", "text", "", "SOP Instance UID"),
    Column("frame", "integer", "", "0-based frame of a multi-frame image"),
    Column("study_date", "text", "YYYYMMDD", "Study Date (0008,0020)"),
    Column(
        "view", "text", "code", "ap_pelvis, ap_hip, frog_leg, cross_table, judet, other, unknown"
    ),
)
_SPACING_SOURCE = Column(
    "spacing_source",
    "text",
    "code",
    "where millimetres come from, in the order of precedence: user_override, fiducial, "
    "implant_head, geometry, magnification, assumed_magnification, untyped, user",
)

IMAGE_COLUMNS: tuple[Column, ...] = (
    Column("status", "text", "code", "graded, abstained, skipped or failed"),
    Column("reason", "text", "code", "why not graded; empty when graded"),
    Column("sentence", "text", "", "the reason in words"),
    *_IDENTITY,
    Column("side", "text", "code", "the patient's side by the attributes: left, right, unknown"),
    Column("modality", "text", "", "Modality (0008,0060)"),
    Column("rows", "integer", "px", "image height"),
    Column("columns", "integer", "px", "image width"),
    Column("row_spacing_mm", "number", "mm", "distance between rows at the plane of the hip"),
    Column("column_spacing_mm", "number", "mm", "distance between columns at the plane of the hip"),
    Column("spacing_relative_sd", "number", "fraction", "standard deviation of the spacing"),
    _SPACING_SOURCE,
    Column("orientation_source", "text", "code", "attribute, marker, user or assumed"),
    Column("transfer_syntax_uid", "text", "", "encoding of the pixels"),
    Column("hips", "integer", "", "number of hips found on this image"),
    Column("worst_brooker", "integer", "class", "highest Brooker class of the hips, 0-4"),
    Column("notes", "text", "code", "codes of remarks, separated by ;"),
    Column("notes_text", "text", "", "the same remarks as sentences"),
    Column("model", "text", "", "name@fingerprint-prefix of the model"),
    Column("hoseg_version", "text", "", "version that wrote the row"),
)

FINDING_COLUMNS: tuple[Column, ...] = (
    Column(
        "hip",
        "text",
        "",
        "key of this row, the same whichever image decides: study/patient/side; for a film that "
        "is a study of its own its SOP Instance UID or source; a hip of unknown side is numbered",
    ),
    *_IDENTITY,
    Column("side", "text", "code", "the PATIENT's side of this hip: left, right, unknown"),
    Column("abstained", "text", "code", "reason why no class is given; empty when graded"),
    Column("at_least", "integer", "class", "Brooker class certain from what is visible"),
    Column("provisional", "text", "code", "reasons why the class is provisional, separated by ;"),
    Column("brooker", "integer", "class", "Brooker class 0-4"),
    *(
        Column(f"brooker_p{k}", "number", "probability", f"probability of Brooker class {k}")
        for k in range(5)
    ),
    Column(
        "brooker_undecided",
        "number",
        "probability",
        "share of draws without a class, as without millimetres; with brooker_p0 to p4 it is 1",
    ),
    Column(
        "class_probabilities_from",
        "text",
        "code",
        "where these come from: draws (uncertainty of the reading), model (calibrated)",
    ),
    Column("della_valle", "text", "class", "Della Valle A, B or C"),
    Column("schmidt_hackenbroch", "text", "class", "Schmidt-Hackenbroch region and grade"),
    Column("pattern", "text", "code", "none, islands, spur, opposing_spurs or bridge"),
    Column("extent", "text", "code", "how far the worst ossification goes: none, focal, bridging"),
    Column("gap_mm", "number", "mm", "shortest distance between opposing bone surfaces"),
    Column("gap_low_mm", "number", "mm", "lower end of the 95 % interval of the gap"),
    Column("gap_high_mm", "number", "mm", "upper end of the 95 % interval of the gap"),
    Column("gap_row_a_px", "number", "px", "first end of the gap, row of the original image"),
    Column("gap_column_a_px", "number", "px", "first end of the gap, column"),
    Column("gap_row_b_px", "number", "px", "second end of the gap, row"),
    Column("gap_column_b_px", "number", "px", "second end of the gap, column"),
    Column("filled_fraction", "number", "fraction", "share of the space that bone fills, 0-1"),
    _SPACING_SOURCE,
    Column("components", "integer", "", "pieces of ossification above the size floor"),
    Column("ossification_area_mm2", "number", "mm2", "projected area of all pieces"),
    Column("longest_mm", "number", "mm", "longest axis of the largest piece"),
    Column("sites", "text", "code", "sites of all pieces, separated by ;"),
    Column("attached_to", "text", "code", "bones that ossification hangs on, separated by ;"),
    Column("superimposed_on", "text", "code", "bones it touches on the film only, separated by ;"),
    Column("brooker_every_contact", "integer", "class", "Brooker class if those counted as well"),
    Column("maturity", "text", "code", "maturity of the pieces, separated by ;"),
    Column("caveats", "text", "code", "codes of remarks, separated by ;"),
    Column("caveats_text", "text", "", "the same remarks as sentences"),
    Column("summary", "text", "", "the finding in one sentence"),
    Column("model", "text", "", "name@fingerprint-prefix of the model"),
    Column("hoseg_version", "text", "", "version that wrote the row"),
)


def image_row(result: ResultFile) -> Row:
    """The one row of ``images.csv`` for one input."""
    image = result.image
    classes = [hip.brooker for hip in result.hips if hip.brooker is not None]
    row = {
        "status": result.status,
        "reason": result.reason,
        "sentence": result.sentence,
        "hips": str(len(result.hips)),
        "worst_brooker": _text(max(classes, default=None)),
        "notes": ";".join(note.code for note in result.notes),
        "notes_text": _sentences(result.notes),
        **_identity(result),
    }
    if image is not None:
        row |= {
            "side": image.side.value,
            "modality": image.modality,
            "rows": str(image.rows),
            "columns": str(image.columns),
            "orientation_source": image.orientation_source,
            "transfer_syntax_uid": image.transfer_syntax_uid,
            **_spacing(image),
        }
    return _in_order(IMAGE_COLUMNS, row)


def finding_row(hip: StudyHip[ResultFile]) -> Row:
    """The one row of ``findings.csv`` for one hip, from the image that decides."""
    row = {"hip": hip.key, **_identity(hip.image), **_hip(hip.finding)}
    return _in_order(FINDING_COLUMNS, row)


def values(columns: Sequence[Column], row: Mapping[str, str]) -> dict[str, str | int | float]:
    """Cells of a row as JSON has them: numbers as numbers, and no key for an empty one."""
    return {c.name: _KINDS[c.kind](row[c.name]) for c in columns if row.get(c.name)}


def hip_values(result: ResultFile) -> list[dict[str, str | int | float]]:
    """Cells of every hip of an image, as ``values``."""
    return [values(FINDING_COLUMNS, _hip(hip)) for hip in result.hips]


def write_csv(path: Path, columns: Sequence[Column], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a table under a temporary name, then rename: a reader never sees half of it.

    UTF-8, RFC 4180. Text that a spreadsheet would run as a formula gets a leading apostrophe.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    header = [column.name for column in columns]
    cells = ([_cell(column, row.get(column.name, "")) for column in columns] for row in rows)
    files.write_csv(path, header, cells, flush=True)


def write_parquet(path: Path, columns: Sequence[Column], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a table as Parquet with typed columns; unit and meaning are in the field metadata.

    Raises
    ------
    MissingExtra
        When pyarrow is not installed.
    OutputError
        When the file cannot be written.
    """
    require("parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = list(rows)
    types = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}
    arrays, fields = [], []
    for column in columns:
        cells = [row.get(column.name, "") for row in rows]
        values = [_KINDS[column.kind](cell) if cell else None for cell in cells]
        arrays.append(pa.array(values, types[column.kind]))
        about = {"unit": column.unit, "meaning": column.meaning}
        fields.append(pa.field(column.name, types[column.kind], metadata=about))
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    # Opened here: pyarrow takes no name that is not UTF-8.
    with files.written_whole(path) as part, part.open("wb") as file:
        pq.write_table(table, file)


def describe_columns(columns: Sequence[Column]) -> str:
    """Markdown table of columns, for the documentation."""
    lines = ["| column | type | unit | meaning |", "|---|---|---|---|"]
    lines += [f"| `{c.name}` | {c.kind} | {c.unit} | {c.meaning} |" for c in columns]
    return "\n".join(lines) + "\n"


def _identity(result: ResultFile) -> Row:
    row = {
        "source": result.source,
        "folder": result.folder,
        "model": result.model,
        "hoseg_version": result.hoseg_version,
    }
    if result.image is None:
        return row
    image = result.image
    return row | {
        "patient_id": image.patient_id,
        "age_years": _decimals(age_years(image.patient_age), 2),
        "sex": image.patient_sex,
        "study_uid": image.study_uid,
        "series_uid": image.series_uid,
        "sop_uid": image.sop_uid,
        "frame": str(image.frame),
        "study_date": image.study_date,
        "view": image.view.value,
    }


def _spacing(image: SourceImage) -> Row:
    if image.spacing is None:
        return {}
    return {
        "row_spacing_mm": f"{image.spacing.row_mm:.6g}",
        "column_spacing_mm": f"{image.spacing.column_mm:.6g}",
        "spacing_relative_sd": f"{image.spacing.relative_sd:.4g}",
        "spacing_source": image.spacing.source,
    }


def _hip(hip: HipFinding) -> Row:
    pieces = hip.ossifications
    row = {
        "side": hip.side.value,
        "summary": hip.summary,
        "abstained": hip.abstained or "",
        "at_least": _text(hip.at_least),
        "provisional": ";".join(hip.provisional),
        "brooker": _text(hip.brooker),
        "della_valle": _text(hip.classes.get("della_valle")),
        "schmidt_hackenbroch": _text(hip.classes.get("schmidt_hackenbroch")),
        "pattern": hip.pattern or "",
        "extent": hip.extent or "",
        "filled_fraction": _decimals(hip.filled_fraction, 3),
        "gap_mm": _decimals(hip.gap_mm, 2),
        "spacing_source": hip.spacing_source or "",
        "components": str(len(pieces)),
        "ossification_area_mm2": _decimals(hip.ossification_area_mm2, 1),
        "longest_mm": _decimals(hip.longest_mm, 1),
        "sites": _joined(site for c in pieces for site in c.sites),
        "attached_to": _joined(bone for c in pieces for bone in c.attached_to),
        "superimposed_on": _joined(bone for c in pieces for bone in c.superimposed_on),
        "brooker_every_contact": _text(hip.brooker_every_contact),
        "maturity": _joined(c.maturity for c in pieces if c.maturity),
        "caveats": _joined(note.code for note in hip.caveats),
        "caveats_text": _sentences(hip.caveats),
    }
    for k, p in enumerate(hip.brooker_probabilities):
        row[f"brooker_p{k}"] = _decimals(p, 4)
        row["class_probabilities_from"] = hip.class_probabilities_from
        row["brooker_undecided"] = _decimals(hip.brooker_undecided, 4)
    if hip.gap_interval_mm is not None:
        row["gap_low_mm"], row["gap_high_mm"] = (_decimals(v, 2) for v in hip.gap_interval_mm)
    if hip.gap_points_px is not None:
        for end, (r, c) in zip("ab", hip.gap_points_px, strict=True):
            row[f"gap_row_{end}_px"], row[f"gap_column_{end}_px"] = f"{r:.1f}", f"{c:.1f}"
    return row


def _in_order(columns: Sequence[Column], row: Row) -> Row:
    return {column.name: row.get(column.name, "") for column in columns}


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _decimals(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _joined(values: Iterable[str]) -> str:
    return ";".join(dict.fromkeys(values))


def _sentences(notes: Iterable[Note]) -> str:
    """Texts of remarks, each once, on one line."""
    texts = dict.fromkeys(" ".join(note.text.split()) for note in notes)
    return " ".join(
        text if text.endswith((".", "!", "?")) else f"{text}." for text in texts if text
    )


def _cell(column: Column, text: str) -> str:
    return files.guarded(text) if column.kind == "text" else text
