import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from hoseg.datasets import open_dataset
from hoseg.errors import InputError, SettingError, WorseModel
from hoseg.evaluate.bootstrap import Estimate
from hoseg.pipeline import Pipeline
from hoseg.radiograph import Side, Structure
from hoseg.segment.weights import load_model, verify_model
from hoseg.simulate.folder import FolderSettings, write_folder
from hoseg.train import adapt as module
from hoseg.train.adapt import AdaptSettings, adapt, split_by_patient, training_config
from hoseg.train.grading_models import carry_over
from hoseg.train.held_back import HeldBackFigures, measure_held_back
from hoseg.train.local_films import LocalFilm, Skipped, read_film_table, read_local_films
from hoseg.train.set_in import simulated_shadows
from hoseg.train.set_in_films import write_set_in_films

COUNT = 6


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated films as a site would have them: bare pictures, and a table."""
    root = tmp_path_factory.mktemp("site")
    write_folder(root / "made", FolderSettings(COUNT, 77, spacing_mm=0.8), 1, lambda: None)
    lines = ["file,patient,spacing_mm,ossification"]
    (root / "films").mkdir()
    for number, film in enumerate(open_dataset(root / "made").films):
        picture = cv2.imread(str(film.path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(root / "films" / f"f{number}.png"), picture)
        said = "none" if number else "left=yes:II"
        lines.append(f"f{number}.png,p{number // 2},0.8,{said}")
    (root / "films.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def films(pictures: Path) -> list[LocalFilm]:
    pipeline = Pipeline(runtime="onnx")
    table = read_film_table(pictures / "films.csv")
    found = list(read_local_films([pictures / "films"], table, pipeline))
    return [film for film in found if isinstance(film, LocalFilm)]


def test_films_are_read_with_what_the_table_says(films: list[LocalFilm]) -> None:
    assert len(films) >= 4
    for film in films:
        assert film.background.spacing_mm == pytest.approx(0.8)
        assert film.patient == f"p{int(film.name[1:]) // 2}"
        assert film.masks.shape == film.ignore.shape == film.background.grey.shape
        assert not (film.masks & Structure.OSSIFICATION).any()
        unasked = (film.ignore & Structure.OSSIFICATION) > 0
        assert unasked.all() if film.name == "f0" else not unasked[film.background.field].any()


def test_without_millimetres_the_femoral_head_tells_them(pictures: Path) -> None:
    pipeline = Pipeline(runtime="onnx")
    found = list(read_local_films([pictures / "films" / "f1.png"], {}, pipeline))
    assert len(found) == 1
    assert isinstance(found[0], (LocalFilm, Skipped))
    if isinstance(found[0], LocalFilm):
        assert 0.6 < found[0].background.spacing_mm < 1.05
        assert found[0].patient.endswith("f1.png")


def test_a_spacing_that_is_none_is_named(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("file,spacing_mm\na.png,wide\n")
    with pytest.raises(InputError, match=r"a\.png: spacing_mm = 'wide'; expected mm") as raised:
        read_film_table(table)
    assert raised.value.code == "bad_table"


def test_copies_hold_ossification_where_it_was_set_in(
    films: list[LocalFilm], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    films = films[:3]
    cases = write_set_in_films(films, simulated_shadows(3), 1, tmp_path, rng)
    known = {case.case: case for case in cases}
    read = [film.read() for film in open_dataset(tmp_path, "folder").films]
    assert sum(case.side is not Side.UNKNOWN for case in cases) >= len(films) - 1
    for image in read:
        case = known[image.case]
        assert image.masks is not None
        area = np.count_nonzero(image.masks & Structure.OSSIFICATION) * 0.8**2
        assert area == pytest.approx(case.area_mm2, rel=0.01)
        classes = {hip.side: hip.brooker for hip in image.hips}
        if case.side is not Side.UNKNOWN and classes:
            assert classes.pop(case.side) in (1, 2, 3, 4)
        assert set(classes.values()) <= {0}
    figures = measure_held_back(Pipeline(runtime="onnx"), tmp_path, cases)
    assert figures.found.n == sum(c.side is not Side.UNKNOWN and c.film != "f0" for c in cases)
    assert figures.found.value is not None
    assert 0 <= figures.found.value <= 1
    assert figures.found_clear.n <= figures.found.n


def film(name: str, patient: str) -> LocalFilm:
    empty = np.zeros((1, 1), np.uint8)
    return LocalFilm(name, patient, True, None, empty, empty, ())  # type: ignore[arg-type]


def test_no_patient_is_on_both_sides() -> None:
    films = [film(f"f{k}", f"p{k % 7}") for k in range(20)]
    taught, held_back = split_by_patient(films, 0.3, 1)
    assert {f.patient for f in taught} & {f.patient for f in held_back} == set()
    assert len({f.patient for f in held_back}) == 2
    assert len(taught) + len(held_back) == 20
    assert split_by_patient(films, 0.3, 1)[1] == held_back


@pytest.mark.parametrize(
    "films", [[film(f"f{k}", "one") for k in range(9)], [film("a", "p"), film("b", "q")]]
)
def test_too_few_films_or_patients(films: list[LocalFilm]) -> None:
    with pytest.raises(SettingError, match="at least 5 films of 3 patients"):
        split_by_patient(films, 0.3, 1)


def test_a_folder_that_exists_is_not_written_to(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="does not exist yet"):
        adapt([tmp_path], tmp_path, load_model(), AdaptSettings("x"))


def test_the_recipe_holds_the_site_s_films_first(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    config = training_config(AdaptSettings("mine", steps=50), tmp_path / "films")
    assert config.sources[0].kind == "labelled"
    assert config.sources[1].kind == "simulated"
    assert (config.optimisation.steps, config.optimisation.warmup) == (50, 49)
    assert config.network.architecture == load_model().card.architecture


def test_a_fine_tuned_model_keeps_what_grading_asks(tmp_path: Path) -> None:
    source = load_model()
    folder = tmp_path / "new"
    folder.mkdir()
    for name in ("card.json", "weights.safetensors"):
        (folder / name).write_bytes((source.path / name).read_bytes())
    bare = json.loads((folder / "card.json").read_text()) | {"files": {}, "classes": None}
    (folder / "card.json").write_text(json.dumps(bare))
    card = carry_over(source, folder)
    assert card.files == source.card.files
    assert card.classes == source.card.classes
    assert card.data["grading_models_from"] == source.card.label
    assert verify_model(folder).problem is None


def figures(false: float, found: float) -> HeldBackFigures:
    def share(value: float) -> Estimate:
        return Estimate(value, None, None, 10, 3)

    return HeldBackFigures(share(false), share(found), share(found), share(0.0), share(0.9))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A training of two steps, and no fit of P(class)."""
    recipe = yaml.safe_load(module.RECIPE.read_text())
    recipe["sources"][0]["pool"] = 2
    recipe["optimisation"] |= {"batch": 2, "precision": "fp32"}
    recipe["crop_px"], recipe["workers"] = 128, 0
    recipe["validation"] |= {"films": 2, "folds": 2}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    monkeypatch.setattr(module, "RECIPE", path)
    monkeypatch.setattr(module, "_fit_chances", lambda *_: None)
    real = module.release
    monkeypatch.setattr(module, "release", lambda run, folder: real(run, folder, films=2))


def test_an_adapted_model_says_what_it_was_made_from(
    quick: None, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter([figures(0.3, 0.7), figures(0.1, 0.7)])
    monkeypatch.setattr(module, "measure_held_back", lambda *_: next(told))
    settings = AdaptSettings("mine", license="MIT", copies=1, held_back=0.34, steps=2)
    out = tmp_path / "mine"
    done = adapt([pictures / "films"], out, load_model(), settings, pictures / "films.csv")
    assert verify_model(out).problem is None
    card = load_model(out).card
    assert card.label == done.card.label
    assert (card.name, card.license) == ("mine", "MIT")
    assert card.data["adapted_from"]["model"] == load_model().card.label
    assert card.metrics["held_back"]["after"]["false_hips"]["value"] == 0.1
    assert card.classes == load_model().card.classes
    assert sum(done.patients) <= 3


def test_a_worse_model_is_not_written(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = load_model()
    told = iter([figures(0.1, 0.7), figures(0.3, 0.7)])
    monkeypatch.setattr(module, "measure_held_back", lambda *_: next(told))
    monkeypatch.setattr(module, "train", lambda *_: None)
    monkeypatch.setattr(module, "release", lambda run, new: shutil.copytree(source.path, new))
    monkeypatch.setattr(module, "_fit_chances", lambda *_: None)
    out = tmp_path / "mine"
    settings = AdaptSettings("mine", copies=1, held_back=0.34)
    with pytest.raises(WorseModel, match=r"0\.100 of 10 before, 0\.300 of 10 after"):
        adapt([pictures / "films"], out, source, settings, pictures / "films.csv")
    assert not out.exists()
    assert (tmp_path / "mine.work" / "model" / "card.json").exists()


def test_figures_of_a_model_are_compared_by_what_is_found_less_what_is_false() -> None:
    assert figures(0.1, 0.8).score == pytest.approx(0.7)
    unknown = replace(figures(0.1, 0.8), false_hips=Estimate(None, None, None, 0, 0))
    assert unknown.score == pytest.approx(0.8)
