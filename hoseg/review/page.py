"""``review.html``: one file with the gallery's data, styles and scripts inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import hoseg
from hoseg.files import write_whole
from hoseg.grade import HipFinding
from hoseg.grade.summary import class_percents
from hoseg.report.schema import ResultFile
from hoseg.review.case import to_script_json
from hoseg.words import RESEARCH_USE

PAGE = "review.html"
SCRIPTS = (
    "gallery.js", "viewer.js", "paint.js", "findings.js", "load.js", "case.js", "app.js",
)  # fmt: skip


def write_page(out: Path, images: Iterable[ResultFile]) -> None:
    """Write ``review.html`` of a run.

    images: results of every image that has a folder

    Raises
    ------
    OutputError: the file cannot be written
    """
    write_whole(out / PAGE, page(index(images)))


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


def index(images: Iterable[ResultFile]) -> list[dict[str, Any]]:
    """One entry for every image that has a folder, what needs a person most first."""
    entries = [_entry(result) for result in images if result.folder]
    return sorted(entries, key=lambda entry: -entry["need"])


def blind(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Entries without results, in an order that says nothing about them."""
    kept = ("id", "patient", "date", "view", "side")
    plain = [{**{key: entry[key] for key in kept}, "hips": [], "need": 0} for entry in entries]
    return sorted(plain, key=lambda entry: str(entry["id"]))


def _entry(result: ResultFile) -> dict[str, Any]:
    image = result.image
    hips = [_hip(hip) for hip in result.hips]
    side = image.side.value if image else ""
    shown = [hip for hip in hips if side in ("", "unknown", hip["side"])]
    return {
        "id": result.folder,
        "status": result.status,
        "reason": result.reason,
        "source": result.source,
        "sop": image.sop_uid if image else "",
        "patient": image.patient_id if image else "",
        "date": image.study_date if image else "",
        "view": image.view.value if image else "",
        "side": side,
        "implant": any(note.code == "implant_seen" for note in result.notes),
        "hips": hips,
        "need": need(result.status, shown or hips),
    }


def _hip(hip: HipFinding) -> dict[str, Any]:
    chances = hip.brooker_probabilities
    # the share of random draws is no probability, and a card has no room to say which it is
    calibrated = bool(chances) and hip.class_probabilities_from == "model"
    return {
        "side": hip.side.value,
        "brooker": hip.brooker,
        "least": hip.at_least,
        "sure": chances[hip.brooker] if chances and hip.brooker is not None else None,
        "percent": (
            class_percents(hip)[hip.brooker] if calibrated and hip.brooker is not None else None
        ),
        "gap": hip.gap_mm,
        "abstained": hip.abstained or "",
    }


def need(status: str, hips: list[dict[str, Any]]) -> float:
    """How much an image needs a person: abstentions first, then doubt, then severity.

    hips: of the side that the film is of; another hip at its edge is cropped as a rule
    """
    doubt = max((1 - hip["sure"] for hip in hips if hip["sure"] is not None), default=0.0)
    worst = max((hip["brooker"] or hip["least"] or 0 for hip in hips), default=0)
    abstained = status == "abstained" or any(hip["abstained"] for hip in hips)
    return 10.0 * abstained + 5 * float(doubt) + 0.5 * float(worst)
