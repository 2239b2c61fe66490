"""Adapt a model to a site's own unlabelled films: ``hoseg adapt``.

Most of a site's films show no ossification. The model's own outlines of bones are taken where it
is sure; simulated ossification is set into copies (``hoseg.train.set_in``), so that the network
learns on real pictures what is ossification, not only what is none. Some patients are held back;
the old and the new model are compared on them, and a worse one is not written.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from hoseg.errors import SettingError, WorseModel
from hoseg.files import make_folder, write_whole
from hoseg.infer.predictor import Options, Predictor
from hoseg.pipeline import Pipeline
from hoseg.segment.card import ModelCard
from hoseg.segment.card_text import write_card
from hoseg.segment.weights import Model, load_model
from hoseg.simulate.folder import FolderSettings, write_folder
from hoseg.train.checkpoint import LAST
from hoseg.train.config import LabelledSource, TrainConfig
from hoseg.train.grading_models import FitOptions, Log, carry_over, fit_grading_models
from hoseg.train.held_back import HeldBackFigures, measure_held_back
from hoseg.train.local_films import LocalFilm, Skipped, read_film_table, read_local_films
from hoseg.train.loop import RunOptions, train
from hoseg.train.release import release
from hoseg.train.set_in import simulated_shadows
from hoseg.train.set_in_films import SetInCase, write_set_in_films

FEWEST_FILMS, FEWEST_PATIENTS = 5, 3
"""With fewer nothing is learnt that holds for the next one, and there is nobody to judge on."""
VALIDATE = 5
"""Of the patients that are not held back, every fifth validates the training and sets its peak."""
RECIPE = Path(__file__).with_name("adapt.yaml")
"""How the network is trained, but for the name and the site's films."""
SHADOWS_TAUGHT, SHADOWS_HELD_BACK = 5_000_011, 6_000_011
"""Simulated people whose ossification is taught, and judged on, are not the same."""


@dataclass(frozen=True)
class AdaptSettings:
    """How a model is adapted.

    name, description, license: of the new model, for its card
    copies: pictures with ossification set in that are made of each film with hips
    held_back: share of the patients that both models are judged on
    steps: of the training, None = as the recipe has it
    simulated: simulated films for P(class), beside the site's own
    threads: of the training, 0 = all cores
    """

    name: str
    description: str = ""
    license: str = "not stated"
    copies: int = 3
    held_back: float = 0.25
    steps: int | None = None
    simulated: int = 240
    seed: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.held_back < 1:
            raise SettingError("held_back", self.held_back, "a share between 0 and 1")
        if not 1 <= self.copies <= 20:
            raise SettingError("copies", self.copies, "copies in [1, 20]")


@dataclass(frozen=True)
class Adaptation:
    """What came of it.

    card: of the new model
    before, after: both models on the films held back
    films, patients: taught, held back
    skipped: films that were not used, and why
    """

    card: ModelCard
    before: HeldBackFigures
    after: HeldBackFigures
    films: tuple[int, int]
    patients: tuple[int, int]
    skipped: tuple[Skipped, ...]


def adapt(
    inputs: Sequence[Path],
    out: Path,
    source: Model,
    settings: AdaptSettings,
    table: Path | None = None,
    log: Log = print,
) -> Adaptation:
    """Make a model of a site's own films. What was made on the way stays in ``OUT.work``.

    inputs: films, as ``hoseg run`` takes them
    out: new folder for the model
    source: the model to start from
    table: CSV with "file" and any of "patient", "spacing_mm", "ossification"

    Raises
    ------
    SettingError
        ``out`` exists; too few films or patients.
    WorseModel
        The new model finds less, or imagines more, on the films held back; nothing is written.
    """
    if out.exists():
        raise SettingError("--out", str(out), "a folder that does not exist yet")
    work = out.with_name(out.name + ".work")
    make_folder(work)
    before_pipeline = _pipeline(source.path)
    films, skipped = _read(inputs, table, before_pipeline, log)
    taught, held_back = split_by_patient(films, settings.held_back, settings.seed)
    patients = sorted({film.patient for film in taught})
    _write_set(work / "films", taught, settings, SHADOWS_TAUGHT, patients[::VALIDATE])
    cases = _write_set(work / "held-back", held_back, settings, SHADOWS_HELD_BACK)
    log(f"{len(taught)} films to learn from, {len(held_back)} held back")

    run = work / "run"
    config = training_config(settings, work / "films")
    write_whole(work / "adapt.yaml", yaml.safe_dump(config.model_dump(mode="json")).encode())
    options = RunOptions(run, (run / LAST).exists(), source.state, threads=settings.threads)
    train(config, options)
    model = work / "model"
    shutil.rmtree(model, ignore_errors=True)
    release(run, model)
    carry_over(source, model)
    _fit_chances(model, work, settings, log)

    before = measure_held_back(before_pipeline, work / "held-back", cases)
    after = measure_held_back(_pipeline(model), work / "held-back", cases)
    card = _noted(model, source, (before, after), (taught, held_back), settings)
    write_whole(work / "figures.json", _figures_json(before, after))
    log(describe(before, after))
    if after.score < before.score:
        raise WorseModel(
            f"{model}: on films held back it is not better than {source.card.label}:\n"
            f"{describe(before, after)}\nNothing was written to {out}. More films, of more "
            "patients and like those the model is for, help most."
        )
    shutil.copytree(model, out)
    people = (len(patients), len({film.patient for film in held_back}))
    return Adaptation(card, before, after, (len(taught), len(held_back)), people, tuple(skipped))


def split_by_patient(
    films: Sequence[LocalFilm], share: float, seed: int
) -> tuple[list[LocalFilm], list[LocalFilm]]:
    """Films to learn from and films held back; no patient is in both.

    Raises
    ------
    SettingError
        Too few films, or patients.
    """
    patients = sorted({film.patient for film in films})
    if len(films) < FEWEST_FILMS or len(patients) < FEWEST_PATIENTS:
        found = f"{len(films)} usable films of {len(patients)} patients"
        allowed = f"at least {FEWEST_FILMS} films of {FEWEST_PATIENTS} patients"
        raise SettingError("FILMS", found, allowed)
    order = np.random.default_rng(seed).permutation(len(patients))
    count = min(max(1, round(share * len(patients))), len(patients) - 2)
    out = {patients[k] for k in order[:count]}
    taught = [film for film in films if film.patient not in out]
    return taught, [film for film in films if film.patient in out]


def training_config(settings: AdaptSettings, films: Path) -> TrainConfig:
    """The recipe for a site's films."""
    recipe = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    recipe |= {"name": settings.name, "description": settings.description}
    recipe["seed"] = settings.seed
    labelled = LabelledSource(kind="labelled", path=films.resolve(), format="folder")
    recipe["sources"] = [labelled.model_dump(), *recipe["sources"]]
    if settings.steps is not None:
        steps = recipe["optimisation"] | {
            "steps": settings.steps,
            "warmup": min(recipe["optimisation"]["warmup"], settings.steps - 1),
        }
        recipe["optimisation"] = steps
        recipe["validation"]["every"] = min(recipe["validation"]["every"], settings.steps)
    return TrainConfig.model_validate(recipe)


def describe(before: HeldBackFigures, after: HeldBackFigures) -> str:
    """Both models on the films held back, a line a figure."""
    names = {
        "false_hips": "healthy hips with a class above 0",
        "found": "ossification set in and found",
        "found_clear": "the same, clear and over 1 cm2",
        "abstained": "healthy hips not graded",
        "auc": "AUC of P(class >= I)",
    }
    then, now = before.as_dict(), after.as_dict()
    return "\n".join(
        f"  {text}: {_words(then[name])} before, {_words(now[name])} after"
        for name, text in names.items()
    )


def _words(figure: dict[str, float | int | None]) -> str:
    if figure["value"] is None:
        return "unknown"
    interval = "" if figure["low"] is None else f" ({figure['low']:.2f}-{figure['high']:.2f})"
    return f"{figure['value']:.3f}{interval} of {figure['n']}"


def _read(
    inputs: Sequence[Path], table: Path | None, pipeline: Pipeline, log: Log
) -> tuple[list[LocalFilm], list[Skipped]]:
    films: list[LocalFilm] = []
    skipped: list[Skipped] = []
    for film in read_local_films(inputs, read_film_table(table), pipeline):
        if isinstance(film, Skipped):
            log(f"not used: {film.source}: {film.why}")
            skipped.append(film)
        else:
            films.append(film)
    return films, skipped


def _write_set(
    folder: Path,
    films: Sequence[LocalFilm],
    settings: AdaptSettings,
    shadows: int,
    validation: Sequence[str] = (),
) -> list[SetInCase]:
    shutil.rmtree(folder, ignore_errors=True)
    rng = np.random.default_rng([settings.seed, shadows])
    people = simulated_shadows(shadows + settings.seed)
    return write_set_in_films(films, people, settings.copies, folder, rng, validation)


def _fit_chances(model: Path, work: Path, settings: AdaptSettings, log: Log) -> None:
    """Fit P(class) anew, on simulated films and on the site's own with ossification set in."""
    folder = work / "simulated"
    made = FolderSettings(settings.simulated, 7_000_003 + settings.seed, spacing_mm=0.5)
    write_folder(folder, made, 1, lambda: None)
    fit_grading_models(model, [folder, work / "films"], options=FitOptions(), log=log)


def _pipeline(model: Path) -> Pipeline:
    return Pipeline(Predictor(model, "cpu", "torch", Options(gate=False)))


def _noted(
    folder: Path,
    source: Model,
    figures: tuple[HeldBackFigures, HeldBackFigures],
    films: tuple[Sequence[LocalFilm], Sequence[LocalFilm]],
    settings: AdaptSettings,
) -> ModelCard:
    """Say in the card what the model was made from, and what it is worth on the films held back."""
    card = load_model(folder).card
    taught, held_back = (
        {"films": len(part), "patients": len({film.patient for film in part})} for part in films
    )
    data = card.data | {
        "adapted_from": {"model": source.card.label, "sha256": source.card.sha256},
        "local_films": {"taught": taught, "held_back": held_back, "copies": settings.copies},
    }
    before, after = figures
    measured = {"before": before.as_dict(), "after": after.as_dict(), "films": held_back}
    changes = {
        "license": settings.license,
        "data": data,
        "metrics": card.metrics | {"held_back": measured},
        "notes": card.notes | {"Films held back": f"```\n{describe(before, after)}\n```"},
    }
    card = card.model_copy(update=changes)
    write_card(card, folder)
    return card


def _figures_json(before: HeldBackFigures, after: HeldBackFigures) -> bytes:
    return json.dumps({"before": before.as_dict(), "after": after.as_dict()}, indent=1).encode()
