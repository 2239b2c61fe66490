"""``review.html``: one file with the gallery's data, styles and scripts inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import hoseg
from hoseg.errors import OutputError
from hoseg.review.case import to_script_json
from hoseg.words import RESEARCH_USE

PAGE = "review.html"
SCRIPTS = (
    "gallery.js", "viewer.js", "paint.js", "findings.js", "load.js", "case.js", "app.js",
)  # fmt: skip
Row = Mapping[str, str]


def write_page(out: Path, images: Iterable[Row], hips: Iterable[Row]) -> None:
    """Write ``review.html`` of a run.

    images, hips: rows of ``images.csv``, and of every hip of every image, in any order

    Raises
    ------
    OutputError: the file cannot be written
    """
    path = out / PAGE
    part = path.with_name(PAGE + ".part")
    try:
        part.write_text(page(index(images, hips)), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}; free space and run again") from error


def page(
    entries: list[dict[str, Any]],
    *,
    served: bool = False,
    blinded: bool = False,
    nonce: str = "",
) -> str:
    """Text of the page.

    entries: from ``index``
    served: corrections can be saved
    blinded: nothing that the computer found is shown; give ``blind(entries)``
    nonce: of the content security policy under which the page's own script may run
    """
    static = files("hoseg.review") / "static"
    settings = {
        "served": served,
        "blinded": blinded,
        "version": hoseg.__version__,
        "disclaimer": RESEARCH_USE,
    }
    html = (static / "page.html").read_text(encoding="utf-8")
    parts = {
        "NONCE": nonce,
        "STYLE": (static / "page.css").read_text(encoding="utf-8"),
        "SCRIPT": "\n".join((static / name).read_text(encoding="utf-8") for name in SCRIPTS),
        "SETTINGS": to_script_json(settings),
        "INDEX": to_script_json(entries),
    }
    for name, text in parts.items():
        html = html.replace(f"/*{name}*/", text)
    return html


def index(images: Iterable[Row], hips: Iterable[Row]) -> list[dict[str, Any]]:
    """One entry for every image that has a folder, what needs a person most first."""
    by_folder: dict[str, list[Row]] = {}
    for hip in hips:
        by_folder.setdefault(hip["folder"], []).append(hip)
    entries = [_entry(row, by_folder.get(row["folder"], [])) for row in images if row["folder"]]
    return sorted(entries, key=lambda entry: -entry["need"])


def blind(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Entries without results, in an order that says nothing about them."""
    kept = ("id", "patient", "date", "view", "side")
    plain = [{**{key: entry[key] for key in kept}, "hips": [], "need": 0} for entry in entries]
    return sorted(plain, key=lambda entry: str(entry["id"]))


def _entry(row: Row, hips: list[Row]) -> dict[str, Any]:
    facts = [_hip(hip) for hip in hips]
    shown = [fact for fact in facts if row["side"] in ("", "unknown", fact["side"])]
    return {
        "id": row["folder"],
        "status": row["status"],
        "reason": row["reason"],
        "source": row["source"],
        "sop": row["sop_uid"],
        "patient": row["patient_id"],
        "date": row["study_date"],
        "view": row["view"],
        "side": row["side"],
        "implant": "implant_seen" in row["notes"].split(";"),
        "hips": facts,
        "need": need(row["status"], shown or facts),
    }


def _hip(row: Row) -> dict[str, Any]:
    brooker = int(row["brooker"]) if row["brooker"] else None
    chance = row[f"brooker_p{brooker}"] if brooker is not None else ""
    return {
        "side": row["side"],
        "brooker": brooker,
        "least": int(row["at_least"]) if row["at_least"] else None,
        "sure": float(chance) if chance else None,
        "gap": float(row["gap_mm"]) if row["gap_mm"] else None,
        "abstained": row["abstained"],
    }


def need(status: str, hips: list[dict[str, Any]]) -> float:
    """How much an image needs a person: abstentions first, then doubt, then severity.

    hips: of the side that the film is of; another hip at its edge is cropped as a rule
    """
    doubt = max((1 - hip["sure"] for hip in hips if hip["sure"] is not None), default=0.0)
    worst = max((hip["brooker"] or hip["least"] or 0 for hip in hips), default=0)
    abstained = status == "abstained" or any(hip["abstained"] for hip in hips)
    return 10.0 * abstained + 5 * float(doubt) + 0.5 * float(worst)
