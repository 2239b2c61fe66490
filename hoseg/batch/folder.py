"""The folder of the results belongs to one run: same version, model and settings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hoseg.batch.deidentified import FOLDER as DEIDENTIFIED
from hoseg.batch.journal import JOURNAL, RunJournal
from hoseg.batch.manifest import MANIFEST, recorded_facts
from hoseg.batch.settings import RunSettings, fingerprint
from hoseg.deidentify.copies import MANIFEST as COPIES
from hoseg.dicom.own_files import IMAGE_FILES, STUDY_FILES
from hoseg.errors import OutputError, SettingError
from hoseg.report.paths import inside
from hoseg.review.page import PAGE
from hoseg.review.store import STORE, ReviewStore

TABLES = ("images.csv", "findings.csv", "images.parquet", "findings.parquet")


def claim_folder(settings: RunSettings, model: str) -> None:
    """Make the folder of the results, or make sure that it holds this very run and no other.

    With ``settings.replace`` what another run left goes, unless somebody reviewed it.

    model: "name@fingerprint-prefix" of the model

    Raises
    ------
    OutputError: it cannot be written
    SettingError: it holds another run's results, or files of the same names; says what differs
    """
    out, facts = settings.out, settings.facts(model)
    make_folder(out)
    if (out / JOURNAL).exists():
        with RunJournal(out / JOURNAL, fingerprint(facts)) as journal:
            others = journal.other_runs()
        if others:
            _give_way(out, settings, _differences(others[0] or recorded_facts(out) or {}, facts))
    elif found := [name for name in (MANIFEST, *TABLES, PAGE) if (out / name).exists()]:
        recorded = recorded_facts(out)
        if recorded is None:
            text = f"another folder: {found[0]} in it was not written by hoseg run"
            raise SettingError("--out", str(out), text)
        _give_way(out, settings, f"and no {JOURNAL}, which says what was done")


def make_folder(out: Path) -> None:
    """Make the output folder and try to write there before any work is done."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        trial = out / ".writable"
        trial.write_text("")
        trial.unlink()
    except OSError as error:
        raise OutputError(
            f"{out}: {error.strerror}; give --out a folder that can be written"
        ) from error


def remove_image(out: Path, folder: str) -> None:
    """Remove the results of an image, unless somebody reviewed them; other files stay.

    folder: relative to the run
    """
    if folder not in _reviewed(out):
        place = inside(out, folder)
        _remove([place / name for name in IMAGE_FILES])
        _remove_if_empty(place, place.parent)


def _give_way(out: Path, settings: RunSettings, differences: str) -> None:
    """Remove another run's results, or say why not."""
    if not settings.replace:
        text = (
            f"another folder, or --replace to do this one anew: it holds the results of another "
            f"run ({differences})"
        )
        raise SettingError("--out", str(out), text)
    if reviewed := _reviewed(out):
        text = f"another --out: of this one {len(reviewed)} images were reviewed, see {STORE}"
        raise SettingError("--replace", str(out), text)
    # The journal goes last: until then the folder is still known for another run's.
    studies = sorted((out / "studies").glob("*/*/"))
    for image in (path for path in studies if (path / "result.json").is_file()):
        _remove([image / name for name in IMAGE_FILES])
        _remove([image.parent / name for name in STUDY_FILES])
        _remove_if_empty(image, image.parent, out / "studies")
    if (out / DEIDENTIFIED / COPIES).is_file():
        shutil.rmtree(out / DEIDENTIFIED)
    _remove([out / name for name in (*TABLES, PAGE, MANIFEST)])
    _remove([out / f"{name}{end}" for end in ("-wal", "-shm", "") for name in (STORE, JOURNAL)])


def _differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    """In words, as the command line names things."""
    pairs = list(_pairs(old, new)) if old else []
    said = [f"{name} {_value(was)}, now {_value(now)}" for name, was, now in pairs if was != now]
    return "; ".join(said) or "another version or other settings"


def _pairs(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    yield "hoseg", old["hoseg_version"], new["hoseg_version"]
    settings = old["settings"] | {}
    for key, now in new["settings"].items():
        yield f"--{key.replace('_', '-')}", settings.get(key), now
    yield "the model", old["model"], new["model"]


def _value(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "given" if value else "not given"
    return str(value)


def _reviewed(out: Path) -> set[str]:
    """Folders of the images about which somebody said something."""
    if not (out / STORE).exists():
        return set()
    with ReviewStore(out / STORE) as store:
        return {entry["image"] for entry in store.history()}


def _remove(paths: list[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{path}: cannot be removed: {error.strerror}") from error


def _remove_if_empty(*folders: Path) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:  # not empty, or gone
            return
