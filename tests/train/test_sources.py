import pickle
from pathlib import Path

import numpy as np
import pytest
import yaml

from hoseg.datasets.labelled import LabelledImage, LazyFilm
from hoseg.errors import SettingError
from hoseg.radiograph import Radiograph, Spacing, SpacingSource
from hoseg.train.config import TrainConfig, read_config
from hoseg.train.data import CropDataset, StepSampler
from hoseg.train.labelled_samples import LabelledSamples, split_films, to_sample
from hoseg.train.sample import ALL_BITS, SACRUM_BIT
from hoseg.train.sources import build_sources, calibration_films, validation_crops

SIMULATED = {
    "kind": "simulated",
    "pool": 2,
    "settings": {"scene": {"views": {"ap_hip": 1.0}}, "render": {"text": 0.0}},
}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory, tiny: dict) -> tuple[TrainConfig, Path]:
    root = tmp_path_factory.mktemp("simulated")
    path = root / "config.yaml"
    content = {**tiny, "spacing_mm": 1.2, "crop_px": 128, "sources": [SIMULATED]}
    path.write_text(yaml.safe_dump(content))
    return read_config(path), root / "geometry"


def labelled_config(tmp_path: Path, tiny: dict, discs: Path) -> TrainConfig:
    path = tmp_path / "config.yaml"
    source = {"kind": "labelled", "path": str(discs), "ossification": 1.0}
    path.write_text(yaml.safe_dump({**tiny, "sources": [source]}))
    return read_config(path)


def test_simulated_samples_depend_on_their_number_alone(
    simulated: tuple[TrainConfig, Path],
) -> None:
    config, cache = simulated
    dataset = CropDataset(config, build_sources(config, cache), [1.0])
    first = dataset[5]
    other = dataset[6]
    again = pickle.loads(pickle.dumps(dataset))[5]
    for a, b in zip(first, again, strict=True):
        assert (a == b).all()
    assert (first[0] != other[0]).any()
    assert first[0].shape == (1, 128, 128)
    assert int(first[1].max()) <= ALL_BITS


def test_geometries_are_kept_and_a_lost_one_is_made_anew(
    simulated: tuple[TrainConfig, Path],
) -> None:
    config, cache = simulated
    pool = build_sources(config, cache)[0].pool
    before = pool.layers(1)
    files = sorted(p.name for p in pool.folder.iterdir())
    assert [name for name in files if name.startswith("000001")] != []
    (pool.folder / "000001.json").unlink()
    after = pool.layers(1)
    np.testing.assert_array_equal(before.lengths_mm, after.lengths_mm)
    np.testing.assert_array_equal(before.masks, after.masks)
    assert sorted(p.name for p in pool.folder.iterdir()) == files


def test_validation_and_calibration_films_are_others(
    simulated: tuple[TrainConfig, Path],
) -> None:
    config, cache = simulated
    crops = validation_crops(config, cache)
    assert len(crops) == config.validation.films
    films = calibration_films(config, cache, 2)
    assert len(films) == 2
    assert not (films[1][1] & 8).any()  # the clean half
    for pixels, targets, ignore in films:
        assert pixels.shape == targets.shape == ignore.shape
        assert np.isfinite(pixels).all()


def test_steps_are_shared_between_processes() -> None:
    ranks = [list(StepSampler(2, 4, 3, rank, 2)) for rank in range(2)]
    assert ranks[0] == [[12, 13, 14], [18, 19, 20]]
    assert ranks[1] == [[15, 16, 17], [21, 22, 23]]
    assert len(StepSampler(2, 4, 3, 0, 2)) == 2


def test_folds_split_by_patient(tmp_path: Path, tiny: dict, discs: Path) -> None:
    config = labelled_config(tmp_path, tiny, discs)
    held = [
        LabelledSamples(
            config.model_copy(update={"validation": v}), config.sources[0], held_out=True
        )
        for v in (config.validation.model_copy(update={"fold": f, "folds": 3}) for f in range(3))
    ]
    names = [{film.case for film in samples.films} for samples in held]
    assert set.union(*names) == {f"film{n}" for n in range(12)}
    assert sum(map(len, names)) == 12
    for samples in held:
        for film in samples.films:
            twin = f"film{int(film.case[4:]) ^ 1}"
            assert twin in {other.case for other in samples.films}


def film_of(split: str, patient: str = "p") -> LazyFilm:
    return LazyFilm(patient, patient, Path("a"), lambda: None, split)  # type: ignore[arg-type,return-value]


def test_a_declared_split_is_kept_and_its_test_films_are_not_touched() -> None:
    films = [film_of(split) for split in ("train", "val", "test")]
    for fold in range(3):
        split = split_films(films, fold, 3)
        assert split.training == films[:1]
        assert split.validation == films[1:2]


def test_without_val_films_the_patients_of_a_fold_validate() -> None:
    films = [film_of("train", f"p{n}") for n in range(12)] + [film_of("test", "p99")]
    held = [split_films(films, fold, 3).validation for fold in range(3)]
    assert sorted(film.patient for part in held for film in part) == sorted(
        film.patient for film in films[:-1]
    )
    with pytest.raises(SettingError, match="split = 'holdout'; expected one of train, val, test"):
        split_films([film_of("holdout")], 0, 3)


def test_crops_are_centred_on_ossification(tmp_path: Path, tiny: dict, discs: Path) -> None:
    config = labelled_config(tmp_path, tiny, discs)
    samples = LabelledSamples(config, config.sources[0], held_out=False)
    for seed in range(10):
        sample = samples.draw(0, np.random.default_rng(seed))
        row, column = (round(v) for v in sample.focus)
        assert sample.targets[row, column] & 8


def labelled_image(size: int, spacing_mm: float) -> LabelledImage:
    rng = np.random.default_rng(0)
    pixels = rng.integers(500, 3000, (size, size)).astype(np.uint16)
    masks = np.zeros((size, size), np.uint8)
    masks[size // 4 : size // 2, size // 4 : size // 2] = 3
    spacing = Spacing(spacing_mm, spacing_mm, 0.02, SpacingSource.USER)
    return LabelledImage("a", "p", Radiograph(pixels, "a", spacing), masks)


def test_labels_are_brought_to_the_working_spacing() -> None:
    sample = to_sample(labelled_image(400, 0.5), spacing_mm=1.0)
    assert abs(sample.targets.shape[0] - 200) <= 4
    area_mm2 = float((sample.targets == 3).sum())
    assert area_mm2 == pytest.approx(100 * 100 * 0.25, rel=0.04)
    assert (sample.ignore[sample.field] == SACRUM_BIT).all()
    assert (sample.ignore[~sample.field] == ALL_BITS).all()


def test_grades_alone_cannot_train() -> None:
    image = labelled_image(64, 1.0)
    with pytest.raises(SettingError, match="masks"):
        to_sample(LabelledImage("a", "p", image.radiograph), 1.0)
