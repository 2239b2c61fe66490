"""Everything that is compared, as texts by name, from the code that is imported."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
from typer.testing import CliRunner

from . import SPACING_MM, names
from .dump import dump
from .films import (
    FILMS,
    PICTURES,
    film_paths,
    other_paths,
    picture_paths,
    truth_folder,
    visit_paths,
    write_films,
)
from .frozen import LABEL, FrozenReader, read_masks, read_picture

Texts = Iterator[tuple[str, str]]

_DATA_URI = re.compile(r"data:image/(\w+);base64,[A-Za-z0-9+/=]+")


@dataclass(frozen=True)
class Run:
    """One run of the pipeline.

    name: its folder, relative to the working folder
    with_models: grading asks the networks and regressions of the released model
    spacing_mm: stated by the user
    """

    name: str
    inputs: Sequence[Path]
    with_models: bool
    spacing_mm: float | None = None


def recompute() -> dict[str, str]:
    """Write inputs and runs below the working folder; texts of all that came of it, by name."""
    cv2.setNumThreads(1)
    write_films()
    texts = dict(_simulated())
    everything = [*film_paths(), *visit_paths(), *other_paths()]
    for run in (
        Run("run", everything, True),
        Run("bare", film_paths(), False),
        Run("drawn", picture_paths(), True, SPACING_MM),
    ):
        _write_run(run)
        texts |= dict(_results(run))
    texts |= dict(_dicom_objects("run"))
    texts |= dict(_documents("run"))
    texts |= dict(_study())
    texts |= dict(_grades())
    return texts


def _simulated() -> Texts:
    """The simulator itself: when these differ, all else must."""
    yield "simulator/index.csv", (FILMS / "index.csv").read_text()
    for folder in sorted(path.parent for path in (*FILMS.glob("*/*"), *PICTURES.glob("*/*"))):
        for path in sorted(folder.iterdir()):
            if path.suffix == ".png":
                yield f"simulator/{path}", _pixels(path)
            elif path.suffix == ".dcm":
                yield f"simulator/{path}", dump(path)
            else:
                yield f"simulator/{path}", path.read_text()


def _write_run(run: Run) -> None:
    """What ``hoseg run`` does, in this process and with frozen masks."""
    settings = names.RunSettings(Path(run.name), spacing_mm=run.spacing_mm)
    settings.out.mkdir()
    model = names.load_model()
    brought = names.grading_models_of([model]) if run.with_models else names.GradingModels()
    fingerprint = settings.fingerprint(LABEL)
    with names.Journal(settings.out / names.JOURNAL, fingerprint) as journal:
        found = names.discover(run.inputs, spacing_mm=settings.spacing)
        for position, source in enumerate(found):
            folder = truth_folder(source.path)
            masks = read_masks([] if folder is None else [folder])
            reader = FrozenReader(model.card.spacing_mm, masks)
            pipeline = names.Pipeline(reader, grading=brought)
            entry = names.process(names.Task(source, position, ""), pipeline, settings)
            journal.record(entry, position)
        names.write_tables(journal, settings)


def _results(run: Run) -> Texts:
    """Tables, results, pictures and what the review page reads."""
    out = Path(run.name)
    for table in ("images.csv", "findings.csv"):
        yield f"{run.name}/{table}", (out / table).read_text()
    entries = names.review_entries(out)
    yield f"{run.name}/entries.json", json.dumps(entries, indent=1)
    for entry in entries:
        folder, name = out / entry["id"], f"{run.name}/{entry['source']}"
        yield f"{name}/result.json", (folder / "result.json").read_text()
        if not run.with_models:
            continue
        yield f"{name}/case.js", (folder / names.CASE_FILE).read_text()
        for picture in ("overlay.png", "masks.png", "film.jpg", "thumb.jpg"):
            yield f"{name}/{picture}", _pixels(folder / picture)


def _dicom_objects(run: str) -> Texts:
    summary = names.export_run(Path(run))
    yield f"{run}/export.json", json.dumps([summary.written, summary.failed], indent=1)
    for written in summary.written:
        yield f"{run}/{written}.txt", dump(Path(run, written))


def _documents(run: str) -> Texts:
    """Reports a study; their pictures as hashes."""
    for path in names.write_documents(Path(run)):
        text = _DATA_URI.sub(
            lambda found: f"{found[1]} {_sha(found[0].encode())}", path.read_text()
        )
        yield path.as_posix(), text


def _study() -> Texts:
    """Films of one study by the Python interface: findings of both views combined."""
    paths = visit_paths()[1:]
    films = [film for path in paths for film in names.load(path)]
    model = names.load_model()
    masks = read_masks(folder for folder in map(truth_folder, paths) if folder is not None)
    reader = FrozenReader(model.card.spacing_mm, masks)
    study = names.Pipeline(reader, grading=names.grading_models_of([model]))(*films)
    hips = [names.finding_to_json(hip) for hip in study.hips]
    yield "study/hips.json", json.dumps(hips, indent=1)


def _grades() -> Texts:
    """``hoseg grade`` of every true mask: with millimetres, view and side; in pixels; with film."""
    with (FILMS / "index.csv").open(newline="") as stream:
        films = {row["name"]: row for row in csv.DictReader(stream)}
    for name, film in films.items():
        path = str(FILMS / name / "masks.png")
        told = ["--spacing-mm", str(SPACING_MM), "--view", film["view"], "--side", film["side"]]
        yield f"grade/{name}.json", _grade(path, *told, "--spacing-sd-mm", "0.01")
        yield f"grade/{name}-px.json", _grade(path)
        drawn = PICTURES / name / "image.png"
        if drawn.exists():
            yield f"grade/{name}-film.json", _grade(path, *told, "--image", str(drawn))


def _grade(*arguments: str) -> str:
    done = CliRunner().invoke(names.app, ["grade", *arguments, "--json"], catch_exceptions=False)
    return done.stdout


def _pixels(path: Path) -> str:
    """Shape, type and hash of a picture's pixels, whatever packed them."""
    pixels = read_picture(path)
    return f"{pixels.shape} {pixels.dtype} sha256 {_sha(pixels.tobytes())}\n"


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
