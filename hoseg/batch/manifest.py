"""``run.json``: versions, model, runtime and why it was taken, settings, counts."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import hoseg
from hoseg.batch.settings import RunSettings, fingerprint, run_facts
from hoseg.extras import installed_versions
from hoseg.files import write_whole
from hoseg.infer.predictor import Predictor
from hoseg.words import RESEARCH_USE

MANIFEST = "run.json"


def write_manifest(counts: Mapping[str, int], settings: RunSettings, predictor: Predictor) -> None:
    """Write it; of a de-identified run without the way to its folder.

    counts: inputs by status
    """
    recorded = asdict(settings) | ({"out": "."} if settings.deidentify else {})
    manifest = {
        "hoseg_version": hoseg.__version__,
        "disclaimer": RESEARCH_USE,
        "model": predictor.label,
        "runtime": asdict(predictor.choice),
        "settings": recorded,
        "counts": counts,
        "versions": installed_versions(),
        "platform": platform.platform(),
    }
    text = json.dumps(manifest, indent=1, default=str) + "\n"
    write_whole(settings.out / MANIFEST, text)


def recorded_facts(out: Path) -> dict[str, Any] | None:
    """What the run that wrote ``run.json`` stood for, of any version; None when there is none."""
    try:
        manifest = json.loads((out / MANIFEST).read_bytes())
        version, model = str(manifest["hoseg_version"]), str(manifest["model"])
        return run_facts(version, model, dict(manifest["settings"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def recorded_run(out: Path) -> str:
    """Fingerprint of the run that wrote ``run.json``; "" when there is none."""
    facts = recorded_facts(out)
    return fingerprint(facts) if facts else ""
