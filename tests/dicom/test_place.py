"""One file is one input, however its path is spelled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hoseg.dicom import Source, discover
from hoseg.dicom import place as place_module
from hoseg.dicom.place import Places
from hoseg.reasons import Reason

from .build import dataset, film, save


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "films"
    (folder / "sub").mkdir(parents=True)
    save(dataset(film()), folder / "a.dcm")
    save(dataset(film()), folder / "sub" / "b.dcm")
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "a-link.dcm").symlink_to(folder / "a.dcm")
    return folder


SPELLINGS = (
    "{0}",
    "{0}/",
    "{0}/.",
    "{0}/sub/..",
    "{0}/../films",
    "{1}",
    "./{1}",
    "{1}/../films/",
    "{2}",
    "{2}/sub/..",
)


def spelled(films: Path, spelling: str) -> str:
    link = films.parents[1] / "link"
    return spelling.format(films, os.path.relpath(films), link)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_two_spellings_are_one_input(spelling, films):
    found = list(discover([films, spelled(films, spelling)]))
    assert [source.path.name for source in found] == ["a.dcm", "b.dcm"]


def test_every_spelling_gives_the_same_identity_and_keeps_its_name(films):
    identities, names = set(), set()
    for spelling in SPELLINGS:
        found = list(discover([spelled(films, spelling)]))
        identities.add(tuple(source.identity for source in found))
        names.add(found[0].name)
    assert identities == {(str(films / "a.dcm"), str(films / "sub" / "b.dcm"))}
    assert len(names) > 3


def test_a_linked_file_is_the_file(films):
    link = films.parents[1] / "a-link.dcm"
    (source,) = discover([link, films / "a.dcm", films / ".." / "films" / "a.dcm"])
    assert source.name == str(link)
    inside = films / "again.dcm"
    inside.symlink_to("a.dcm")
    assert [s.path.name for s in discover([films])] == ["a.dcm", "b.dcm"]


def test_a_linked_folder_is_not_followed_but_has_its_row(films):
    other = films.parent / "other"
    other.mkdir()
    save(dataset(film()), other / "c.dcm")
    (films / "elsewhere").symlink_to(other)
    (films / "sub" / "up").symlink_to(films.parent)  # a loop: nothing is left out by it
    (films / "down").symlink_to(films / "sub")
    rows = {source.path.name: source.problem and source.problem[0] for source in discover([films])}
    assert rows == {"a.dcm": None, "b.dcm": None, "elsewhere": Reason.LINKED_FOLDER}
    (row,) = [source for source in discover([films]) if source.problem]
    assert str(other) in row.problem[1]
    assert len([s for s in discover([films, other]) if not s.problem]) == 3


@pytest.mark.parametrize("name", ["nowhere/x.dcm", "a\0b.dcm", ""])
def test_what_is_not_there_has_one_row(name, films):
    found = list(discover([f"{films}/{name}", f"{films}/./{name}"] if name else ["", "."]))
    assert all(source.identity for source in found)
    assert len({source.identity for source in found}) == len(found)
    if name:
        assert len(found) == 1


class _CaseIgnored:
    """What a file system does that does not tell case apart; tests may run on one that does."""

    def __init__(self, films: Path) -> None:
        self.known = {str(path).casefold(): path for path in (*films.rglob("*"), films)}
        self.known |= {str(path).casefold(): path for path in films.parents}

    def same(self, folder: str, one: str, other: str) -> bool:
        places = [self.known.get(os.path.join(folder, name).casefold()) for name in (one, other)]
        return None not in places and places[0] == places[1]


@pytest.mark.parametrize("change", [str.upper, str.lower, str.swapcase])
def test_spellings_where_case_does_not_matter(change, films, monkeypatch):
    monkeypatch.setattr(place_module, "_same", _CaseIgnored(films).same)
    monkeypatch.setattr(place_module, "_real", lambda path: os.path.abspath(path))
    real_listdir, known = os.listdir, _CaseIgnored(films).known
    monkeypatch.setattr(os, "listdir", lambda folder: real_listdir(known[str(folder).casefold()]))
    path = films / "sub" / "b.dcm"
    other = films.parent / change("films") / change("sub") / change("b.dcm")
    assert Places().true_path(other) == path
    assert Places().identify(Source(other.parent / "b.dcm", "b")) == str(path)


def test_two_files_whose_names_differ_in_case_are_two(tmp_path):
    for name in ("A.dcm", "a.dcm"):
        save(dataset(film()), tmp_path / name)
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system does not tell case apart")
    assert [s.path.name for s in discover([tmp_path])] == ["A.dcm", "a.dcm"]
