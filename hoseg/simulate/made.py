"""What a folder of simulated films was made with, so that no other set is written over it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hoseg
from hoseg.errors import SettingError
from hoseg.files import write_whole

RECORD = "simulate.json"
"""Beside ``index.csv``: ``hoseg_version``, ``settings`` and, when all is written, ``summary``."""


def already_made(out: Path, settings: dict[str, Any]) -> dict[str, int] | None:
    """Summary of the films when these very ones are all there; None when they are to be made.

    out: an existing folder
    settings: what the films depend on, as JSON has it

    Raises
    ------
    SettingError: the folder holds anything else; names what differs
    """
    if not any(not path.name.startswith(".") for path in out.iterdir()):
        return None
    made = _read(out / RECORD)
    if made is None:
        text = f"a new or empty folder; what is in it was not made by hoseg simulate (no {RECORD})"
        raise SettingError("--out", str(out), text)
    differ = [
        f"{name} {made['settings'].get(name)} (now {value})"
        for name, value in settings.items()
        if made["settings"].get(name) != value
    ]
    if differ:
        text = f"another folder, or the same settings: it holds films of {', '.join(differ)}"
        raise SettingError("--out", str(out), text)
    return made.get("summary") if _whole(out, settings["count"]) else None


def note_made(out: Path, settings: dict[str, Any], summary: dict[str, int] | None) -> None:
    """Write what the folder is made with; ``summary`` says that all of it is written."""
    record = {"hoseg_version": hoseg.__version__, "settings": settings, "summary": summary}
    write_whole(out / RECORD, json.dumps(record, indent=1) + "\n")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    fits = isinstance(record, dict) and isinstance(record.get("settings"), dict)
    return record if fits else None


def _whole(out: Path, count: int) -> bool:
    """Whether every film is there; its truth is written last."""
    truths = (out / f"{index:06d}" / "truth.json" for index in range(count))
    return (out / "index.csv").is_file() and all(path.is_file() for path in truths)
