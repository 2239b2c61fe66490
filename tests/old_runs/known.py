"""All that can be learnt of a run and of its readers' corrections, as JSON."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2

from hoseg.batch.run import review_entries
from hoseg.report.export import export_run
from hoseg.report.schema import read_result, to_json
from hoseg.review.case import CASE_FILE
from hoseg.review.exports import export_dataset, export_grades
from hoseg.review.store import STORE, ReviewStore

from .served import serving

READERS = (None, "Ada", "Béla", "Carl", "Nobody")
"""Whose records are asked for: anybody's, those of each reader, and of one who sent nothing."""

SERVED = ("film.jpg", "thumb.jpg", "overlay.png", "masks.png", "result.json", CASE_FILE)
"""Files of an image that a server sends; a blinded one sends nothing of masks and results."""


def what_is_known(run: Path) -> dict[str, Any]:
    """Everything, read with the code that is imported. The working folder holds the inputs."""
    entries = review_entries(run)
    images = sorted(entry["id"] for entry in entries)
    with ReviewStore(run / STORE) as store:
        corrections = {
            "history": list(store.history()),
            "history_of": {image: list(store.history(image)) for image in images},
            "latest_grades": list(_latest_grades(store)),
            "latest_masks": list(_latest_masks(store, images)),
        }
    return {
        "entries": entries,
        "results": {image: _result(run / image) for image in images},
        **corrections,
        "exports": list(_exports(run)),
        "open_session": _session(run, images, blinded=False),
        "blinded_session": _session(run, images, blinded=True),
    }


def dicom_objects(run: Path) -> dict[str, list[Any]]:
    """Names of the DICOM objects that can be derived from the run, and what cannot."""
    summary = export_run(run, kinds=("seg", "sr"))
    return {"written": summary.written, "failed": summary.failed}


def lost(was: Any, now: Any, where: str = "") -> Iterator[str]:
    """Every value that is gone or differs; keys that came to an object are no loss."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key, value in was.items():
            if key in now:
                yield from lost(value, now[key], f"{where}.{key}")
            else:
                yield f"{where}.{key}: gone"
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for number, pair in enumerate(zip(was, now, strict=True)):
            yield from lost(*pair, f"{where}[{number}]")
    elif was != now:
        yield f"{where}: {was!r:.200} became {now!r:.200}"


def _result(folder: Path) -> Any:
    return json.loads(to_json(read_result(folder / "result.json")))


def _latest_grades(store: ReviewStore) -> Iterator[dict[str, Any]]:
    for reader in READERS:
        for blinded in (False, True):
            grades = list(store.latest_grades(reader, blinded=blinded))
            yield {"reader": reader, "blinded": blinded, "grades": grades}


def _latest_masks(store: ReviewStore, images: list[str]) -> Iterator[dict[str, Any]]:
    for image in images:
        for reader in READERS:
            for blinded in (False, True):
                png = store.latest_mask(image, reader, blinded=blinded)
                mask = None if png is None else _sha(png)
                yield {"image": image, "reader": reader, "blinded": blinded, "mask": mask}


def _exports(run: Path) -> Iterator[dict[str, Any]]:
    """Grades as a table and corrected masks as a data set, of everybody and of each reader."""
    for reader in READERS:
        for blinded in (False, True):
            with TemporaryDirectory() as place:
                table, folder = Path(place, "grades.csv"), Path(place, "data")
                export_grades(run, table, reader, blinded=blinded)
                folder.mkdir()
                export_dataset(run, folder, reader, blinded=blinded)
                yield {
                    "reader": reader,
                    "blinded": blinded,
                    "grades": _rows(table),
                    "dataset": _rows(folder / "dataset.csv"),
                    "masks": {path.stem: _pixels(path) for path in folder.glob("masks/*.png")},
                }


def _session(run: Path, images: list[str], *, blinded: bool) -> dict[str, Any]:
    """What a server tells of every image, and of its corrections."""
    with serving(run, blinded=blinded) as reader:
        page = reader.get("/").decode()
        files = [name for name in SERVED if not blinded or name in ("film.jpg", CASE_FILE)]
        return {
            "on_the_page": {image: image in page for image in images},
            "history": reader.history(reader="Béla"),
            "masks": {
                f"{image} {name}": _sha(reader.get("/api/mask", image=image, reader=name))
                for image in images
                for name in ("Ada", "Béla")
            },
            "files": {
                f"{image}/{name}": _sha(reader.get(f"/{image}/{name}"))
                for image in images
                for name in files
            },
        }


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _pixels(path: Path) -> str:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None, path
    return f"{pixels.shape} {_sha(pixels.tobytes())}"


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
