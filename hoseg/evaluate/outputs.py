"""Files of an evaluation: metrics.json, cases.csv, hips.csv, lesions.csv, readings.csv."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import hoseg
from hoseg.evaluate.bootstrap import INTERVAL
from hoseg.evaluate.case import CaseScore
from hoseg.evaluate.figures import Figure, class_probabilities, hip_pairs, lesion_pairs
from hoseg.evaluate.read_figures import read_pairs
from hoseg.files import write_whole
from hoseg.radiograph import STRUCTURES
from hoseg.report.tables import Column, write_csv
from hoseg.words import RESEARCH_USE


def metrics(figures: Sequence[Figure], facts: dict[str, Any]) -> dict[str, Any]:
    """Content of ``metrics.json``: ``figures[name][stratum]`` and what they were made from."""
    table: dict[str, dict[str, Any]] = {}
    for figure in figures:
        row = asdict(figure.estimate) | ({"unit": figure.unit} if figure.unit else {})
        table.setdefault(figure.name, {})[figure.stratum] = row
    return {
        "schema": "hoseg-metrics-1",
        "hoseg_version": hoseg.__version__,
        **facts,
        "interval": INTERVAL,
        "figures": table,
        "disclaimer": RESEARCH_USE,
    }


def write_metrics(path: Path, figures: Sequence[Figure], facts: dict[str, Any]) -> None:
    """Write ``metrics.json``."""
    write_whole(
        path, json.dumps(metrics(figures, facts), indent=1, allow_nan=False) + "\n", flush=True
    )


_CASE = (
    Column("case", "text", "", "name of the film in the data set"),
    Column("patient", "text", "", "who it shows; the unit of resampling"),
    Column("view", "text", "code", "projection"),
)
_OVERLAP = (
    ("truth_mm2", "mm2", "true area inside the scored region"),
    ("predicted_mm2", "mm2", "predicted area inside the scored region"),
    ("dice", "fraction", "empty where the structure is absent"),
    ("nsd", "fraction", "surface Dice at 2 mm"),
    ("hd95_mm", "mm", "95 % Hausdorff distance"),
)
_PARTS = (*STRUCTURES, "ossification_off_bone", "ossification_over_bone")
CASE_COLUMNS = (
    *_CASE,
    Column("implant", "integer", "", "1 when the film shows an implant"),
    *(
        Column(f"{part}_{name}", "number", unit, meaning)
        for part in _PARTS
        for name, unit, meaning in _OVERLAP
    ),
    Column("true_lesions", "integer", "", "visible true lesions of at least 25 mm2"),
    Column("found_lesions", "integer", "", "of these, found"),
    Column("predicted_lesions", "integer", "", "predicted lesions of at least 25 mm2"),
    Column("false_lesions", "integer", "", "of these, false"),
    Column("ho_score", "number", "probability", "suspicion of ossification on the film"),
    Column("error", "text", "", "why the film was not judged; empty when it was"),
    Column("picture", "text", "", "small picture, truth left, prediction right"),
)
HIP_COLUMNS = (
    *_CASE,
    Column("side", "text", "code", "the PATIENT's side"),
    Column("truth", "integer", "class", "true Brooker class"),
    Column("truth_masks", "integer", "class", "class read from the true masks"),
    Column("predicted", "integer", "class", "predicted Brooker class; empty when abstained"),
    Column("every_contact", "integer", "class", "the same if every contact on the film counted"),
    Column("abstained", "text", "code", "why no class was given"),
    *(Column(f"p{k}", "number", "probability", f"probability of class {k}") for k in range(5)),
    Column("true_gap_mm", "number", "mm", "true gap at the plane of the hip; empty for a bridge"),
    Column("predicted_gap_mm", "number", "mm", "predicted gap"),
    Column("true_ho_mm2", "number", "mm2", "visible true ossification of this hip"),
    Column("predicted_ho_mm2", "number", "mm2", "predicted ossification of this hip"),
    Column("ho_dice", "number", "fraction", "Dice of ossification; empty without true HO"),
    Column("ho_score", "number", "probability", "suspicion of ossification in this hip"),
    Column("maturity", "text", "code", "of the true ossification"),
)
LESION_COLUMNS = (
    *_CASE,
    Column("side", "text", "code", "the PATIENT's side of the nearest hip"),
    Column("origin", "text", "code", "truth or predicted"),
    Column("area_mm2", "number", "mm2", "projected area"),
    Column("over_bone", "integer", "", "1 when at least half lies over pelvis or femur"),
    Column("matched", "integer", "", "truth: found; predicted: right"),
    Column("centre_row_px", "number", "px", "centroid, row"),
    Column("centre_column_px", "number", "px", "centroid, column"),
)
READ_COLUMNS = (
    *_CASE,
    Column("family", "text", "", "films that come from one place"),
    Column("side", "text", "code", "the PATIENT's side"),
    Column("read", "text", "code", "what the reader said: no, yes or unsure"),
    Column("lowest", "integer", "class", "the reader's lowest Brooker class"),
    Column("highest", "integer", "class", "the reader's highest Brooker class"),
    Column("predicted", "integer", "class", "predicted Brooker class; empty when abstained"),
    Column("abstained", "text", "code", "why no class was given"),
    Column("chance", "number", "probability", "P(class >= I) of the classes that were given"),
    Column("places", "text", "", "where each ossification that was counted lies"),
    Column("picture", "text", "", "crop of a false or missed hip"),
)


def write_tables(out: Path, cases: Sequence[CaseScore]) -> None:
    """Write one row a film, one row a hip and one row a lesion."""
    write_csv(out / "cases.csv", CASE_COLUMNS, (_case_row(case) for case in cases))
    write_csv(out / "hips.csv", HIP_COLUMNS, _hip_rows(cases))
    write_csv(out / "lesions.csv", LESION_COLUMNS, _lesion_rows(cases))
    if any(case.read for case in cases):
        write_csv(out / "readings.csv", READ_COLUMNS, _read_rows(cases))


def _case_row(case: CaseScore) -> dict[str, str]:
    row = _name(case) | {"implant": str(int(case.implant)), "ho_score": _text(case.ho_score)}
    for part in case.overlaps:
        row |= {f"{part.name}_{name}": _text(getattr(part, name)) for name, *_ in _OVERLAP}
    true = [x for x in case.lesions if x.origin == "truth"]
    counts = {
        "true_lesions": len(true),
        "found_lesions": sum(x.matched for x in true),
        "predicted_lesions": len(case.lesions) - len(true),
        "false_lesions": len(case.false_lesions),
    }
    judged = bool(case.overlaps)
    row |= {name: str(count) if judged else "" for name, count in counts.items()}
    return row | {"error": case.error, "picture": case.picture}


def _hip_rows(cases: Sequence[CaseScore]) -> Iterable[dict[str, str]]:
    pairs = hip_pairs(cases)
    for (case, hip), p in zip(pairs, class_probabilities([hip for _, hip in pairs]), strict=True):
        row = {name.name: _text(getattr(hip, name.name, None)) for name in HIP_COLUMNS}
        row |= {f"p{k}": "" if hip.probabilities is None else _text(p[k]) for k in range(5)}
        yield row | _name(case)


def _read_rows(cases: Sequence[CaseScore]) -> Iterable[dict[str, str]]:
    for case, film, hip in read_pairs(cases):
        row = {c.name: _text(getattr(hip, c.name, None)) for c in READ_COLUMNS}
        row |= {"family": film.family, "read": hip.says.value, "side": hip.side.value}
        yield row | {"places": "; ".join(hip.places)} | _name(case)


def _lesion_rows(cases: Sequence[CaseScore]) -> Iterable[dict[str, str]]:
    for case, lesion, hip in lesion_pairs(cases):
        yield _name(case) | {
            "side": hip.side.value if hip else "",
            "origin": lesion.origin,
            "area_mm2": _text(lesion.area_mm2),
            "over_bone": str(int(lesion.over_bone)),
            "matched": str(int(lesion.matched)),
            "centre_row_px": _text(lesion.centre_px[0]),
            "centre_column_px": _text(lesion.centre_px[1]),
        }


def _name(case: CaseScore) -> dict[str, str]:
    return {"case": case.case, "patient": case.patient, "view": case.view.value}


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
