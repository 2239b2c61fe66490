"""Several datasets as one."""

from pathlib import Path

from hoseg.datasets.labelled import Dataset
from hoseg.datasets.pool import pool

from .phantoms import PhantomFilm


def dataset(path, *seeds):
    films = tuple(PhantomFilm(seed, "p1", split="test") for seed in seeds)
    return Dataset(Path(path), "phantom", films)


def test_one_dataset_keeps_its_names():
    one = dataset("a", 1, 2)
    assert pool([one]) == one.films


def test_cases_and_patients_of_two_datasets_stay_apart():
    films = pool([dataset("x/a", 1, 2), dataset("b", 1)])
    assert [film.case for film in films] == ["a/film-0001", "a/film-0002", "b/film-0001"]
    assert [film.patient for film in films] == ["a/p1", "a/p1", "b/p1"]
    assert {film.split for film in films} == {"test"}
    image = films[2].read()
    assert (image.case, image.patient, image.dataset) == ("b/film-0001", "b/p1", "b")


def test_datasets_of_one_name_go_by_their_paths():
    films = pool([dataset("x/test", 1), dataset("y/test", 1)])
    assert [film.case for film in films] == ["x/test/film-0001", "y/test/film-0001"]
