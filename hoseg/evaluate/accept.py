"""Local acceptance testing: figures against limits, and a dated record to repeat and compare."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hoseg
from hoseg.datasets.labelled import LabelledFilm
from hoseg.errors import InputError, OutputError
from hoseg.evaluate.bootstrap import INTERVAL
from hoseg.evaluate.figures import ALL
from hoseg.evaluate.limits import Limits, Verdict, judge
from hoseg.evaluate.page import Page, Section, TextTable, interval, number, write_page
from hoseg.evaluate.read_figures import FILM_FIGURES, HIP_FIGURES, read_pairs
from hoseg.evaluate.read_report import RULES, read_sections
from hoseg.evaluate.run import JOURNAL, Evaluation, Resampling, count_patients
from hoseg.extras import installed_versions
from hoseg.files import write_whole
from hoseg.words import RESEARCH_USE

SCHEMA = "hoseg-acceptance-1"
_NAME = "acceptance-"
_DIGEST = "films_and_grades_sha256"
_KEPT = ("date", "model", "hoseg_version", "passed")
_TITLES = dict((*HIP_FIGURES, *FILM_FIGURES))


@dataclass(frozen=True)
class Tested:
    """What was tested, and how.

    model: name and fingerprint; hashes: sha256 of its weights
    films, grades: paths as given
    digest: ``film_digest`` of them
    runtime: what the model ran on
    """

    model: str
    hashes: tuple[str, ...]
    films: str
    grades: str
    digest: str
    limits: Limits
    resampling: Resampling
    runtime: Mapping[str, str]


def film_digest(films: Sequence[LabelledFilm], grades: Path) -> str:
    """sha256 over readings and films: records of equal ones differ by the model or the machine."""
    whole = hashlib.sha256(grades.read_bytes())
    for film in films:
        try:
            content = film.path.read_bytes()
        except OSError:
            content = b""  # the evaluation names it
        whole.update(f"{film.case}\0{len(content)}\0".encode("utf-8", "surrogateescape"))
        whole.update(content)
    return whole.hexdigest()


def start_afresh(evaluation: Path) -> None:
    """Forget what was judged before: after an update, every film is read again."""
    try:
        (evaluation / JOURNAL).unlink(missing_ok=True)
    except OSError as error:
        text = f"{evaluation / JOURNAL}: cannot be removed: {error.strerror}"
        raise OutputError(text) from error


def write_record(
    found: Evaluation, tested: Tested, evaluation: Path, out: Path, now: datetime
) -> dict[str, Any]:
    """Judge, and write ``acceptance-DATE.json`` and its page below ``out``; returns the record.

    evaluation: folder of the evaluation, where its pictures lie
    now: UTC, to the second; it names the record. The latest earlier one there is compared
    """
    verdicts = judge(tested.limits, found.figures)
    last = latest_record(out)
    judged = [case for case in found.cases if not case.error]
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "date": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "passed": all(verdict.passed for verdict in verdicts),
        "model": tested.model,
        "weights_sha256": list(tested.hashes),
        "hoseg_version": hoseg.__version__,
        "films": tested.films,
        "grades": tested.grades,
        _DIGEST: tested.digest,
        "runtime": dict(tested.runtime),
        "platform": platform.platform(),
        "versions": installed_versions(),
        "judged_on": tested.limits.judged_on,
        "interval": f"{INTERVAL}; exact where no row, or every row, has its event",
        "bootstrap": asdict(tested.resampling),
        "counts": {
            "films": len(judged),
            "films_failed": len(found.failed),
            "patients": len({case.patient for case in judged}),
            "hips": len(read_pairs(judged)),
        },
        "limits": [_line(verdict, last) for verdict in verdicts],
        "last": None if last is None else _last(last, tested),
        "disclaimer": RESEARCH_USE,
    }
    stem = _NAME + record["date"].replace(":", "")
    write_page(_page(record, verdicts, found, evaluation), out / f"{stem}.html")
    write_whole(out / f"{stem}.json", json.dumps(record, indent=1, allow_nan=False) + "\n")
    return record


def latest_record(out: Path) -> dict[str, Any] | None:
    """The latest record below ``out``, None when there is none; InputError for a damaged one."""
    records = sorted(out.glob(f"{_NAME}*.json"))
    if not records:
        return None
    try:
        record = json.loads(records[-1].read_text("utf-8"))
        if record["schema"] == SCHEMA and all(key in record for key in (*_KEPT, _DIGEST, "limits")):
            return dict(record)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise InputError(str(records[-1]), f"is no record of {SCHEMA}; move it away", code="bad_record")


def _last(last: Mapping[str, Any], tested: Tested) -> dict[str, Any]:
    """What is said of the last record in this one."""
    same = last[_DIGEST] == tested.digest
    return {key: last[key] for key in _KEPT} | {"same_films_and_grades": same}


def _line(verdict: Verdict, last: dict[str, Any] | None) -> dict[str, Any]:
    """One limit as it stands in the record, with the change since the last one."""
    limit, found = verdict.limit, verdict.found
    before = _before(limit.figure, limit.stratum, last)
    change = None if before is None or found.value is None else found.value - before
    return {
        **limit.model_dump(exclude_none=True),
        **asdict(found),
        "passed": verdict.passed,
        "why": verdict.why,
        "last_value": before,
        "change": change,
    }


def _before(figure: str, stratum: str, last: dict[str, Any] | None) -> float | None:
    for line in () if last is None else last["limits"]:
        if (line["figure"], line["stratum"]) == (figure, stratum) and line["value"] is not None:
            return float(line["value"])
    return None


def _page(
    record: dict[str, Any], verdicts: Sequence[Verdict], found: Evaluation, evaluation: Path
) -> Page:
    counts, last = record["counts"], record["last"]
    judged = [case for case in found.cases if not case.error]
    facts = (
        ("result", "passed" if record["passed"] else "FAILED"),
        ("date", record["date"]),
        ("model", record["model"]),
        ("weights, sha256", ", ".join(record["weights_sha256"])),
        ("ran on", ", ".join(filter(None, record["runtime"].values()))),
        ("films and readings", f"{record['films']}, {record['grades']}"),
        ("films", f"{counts['films']} judged, {counts['films_failed']} failed"),
        ("patients", count_patients(judged)),
        ("hips", str(counts["hips"])),
        ("limits are held against", _SIDES[record["judged_on"]]),
        ("last record", "none" if last is None else _words(last)),
    )
    sections = (
        Section("Limits", grids=(_limits(verdicts, record["limits"]),)),
        *read_sections(judged, found.figures, evaluation),
        Section("How the figures are defined", points=RULES),
    )
    return Page("Local acceptance test", facts, sections)


def _words(last: Mapping[str, Any]) -> str:
    films = "the same" if last["same_films_and_grades"] else "OTHER"
    made = f"{last['model']}, hoseg {last['hoseg_version']}"
    return f"{last['date']}, {made}, on {films} films and readings"


_SIDES = {"estimate": "the figure itself", "bound": "the worse end of its 95 % interval"}


def _limits(verdicts: Sequence[Verdict], lines: Sequence[dict[str, Any]]) -> TextTable:
    head = ("figure", "limit", "value", "95 % interval", "n", "patients", "result", "change")
    rows = []
    for verdict, line in zip(verdicts, lines, strict=True):
        limit, found = verdict.limit, verdict.found
        stratum = "" if limit.stratum == ALL else f" ({limit.stratum})"
        rows.append(
            (
                _TITLES.get(limit.figure, limit.figure) + stratum,
                limit.words,
                number(found.value),
                interval(found),
                str(found.n),
                str(found.patients),
                "passed" if verdict.passed else f"FAILED: {verdict.why}",
                "–" if line["change"] is None else f"{line['change']:+.3f}",
            )
        )
    return TextTable(head, tuple(rows))
