"""One film is one row, however and from wherever the command names it."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from hoseg.report.schema import read_result

from .films import dicom_film, image_folders, rows, said, save, tables


@pytest.fixture
def films(tmp_path):
    for seed in (0, 1):
        save(dicom_film(seed, uid=f"1.2.{seed}"), tmp_path / "in" / "sim" / f"{seed}.dcm")
    return tmp_path / "in" / "sim"


def test_other_spellings_in_later_commands_do_nothing_twice(films, run, tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.chdir(tmp_path)
    run(out, "in/sim")
    before = tables(out)
    (tmp_path / "link").symlink_to(films)
    spellings = ["./in/sim/", "in/../in/sim", films, "link", "in"]
    for spelling in spellings:
        assert all(step.before for step in run(out, spelling)), spelling
        assert tables(out) == before
    monkeypatch.chdir(films)
    assert all(step.before for step in run(Path("../../out"), "."))
    assert tables(out) == before


def test_the_same_name_in_another_place_is_another_film(run, tmp_path, monkeypatch):
    from PIL import Image

    out = tmp_path / "out"
    for place, seed in (("a", 0), ("b", 1)):
        film = dicom_film(seed)
        (tmp_path / place).mkdir()
        picture = Image.frombytes("I;16", (film.Columns, film.Rows), film.PixelData)
        picture.save(tmp_path / place / "x.png")
    for place in "ab":
        monkeypatch.chdir(tmp_path / place)
        run(out, "x.png", spacing_mm=0.8)
    assert [row["source"] for row in rows(out)] == ["x.png", str(tmp_path / "b" / "x.png")]
    assert len(image_folders(out)) == 2
    keys = [row["hip"] for row in rows(out, "findings.csv")]
    assert len(set(keys)) == len(keys)
    monkeypatch.chdir(tmp_path / "a")
    assert all(step.before for step in run(out, "x.png", spacing_mm=0.8))


def test_a_data_set_that_was_moved_is_not_done_again(films, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(Path("out"), "in")
    before = tables(tmp_path / "out")
    new = tmp_path / "elsewhere"
    new.mkdir()
    shutil.move(tmp_path / "in", new / "in")
    shutil.move(tmp_path / "out", new / "out")
    monkeypatch.chdir(new)
    steps = run(Path("out"), "in")
    assert [step.entry.stamp for step in steps if not step.before] == []
    assert tables(new / "out") == before


@pytest.mark.parametrize("copy", [shutil.copy2, shutil.copyfile])
@pytest.mark.parametrize("relative", [False, True])
def test_a_data_set_that_went_elsewhere_has_one_row_a_film(
    copy, relative, films, run, tmp_path, monkeypatch
):
    (films / "notes.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    run(tmp_path / "out", "in" if relative else films)
    folders = image_folders(tmp_path / "out")
    shutil.copytree(tmp_path / "in", tmp_path / "new" / "in", copy_function=copy)
    shutil.rmtree(tmp_path / "in")
    monkeypatch.chdir(tmp_path / "new")
    run(tmp_path / "out", "in" if relative else tmp_path / "new")
    read = [row["source"] for row in rows(tmp_path / "out") if row["folder"]]
    assert len(read) == 2
    assert all(Path(source).exists() for source in read)
    assert image_folders(tmp_path / "out") == folders


@pytest.mark.parametrize("place", ["results", "deep/er", "."])
def test_results_among_the_inputs_are_never_read(place, films, run, tmp_path):
    out = films / place
    for _ in range(3):
        run(out, films)
        assert said(out) == {"0.dcm": "read", "1.dcm": "read"}
    other = tmp_path / "other"
    run(other, films)
    assert [r for r in said(other).values() if r == "read"] == ["read"] * 2
    assert set(said(other).values()) <= {"read", "own_result"}


NAMES = [b"h\xfcfte.dcm", "hüfte 髋.dcm".encode(), b"\xff\xfe.dcm", b"back\\slash.dcm", b"a\nb.dcm"]


def test_names_of_any_bytes(run, tmp_path):
    folder = tmp_path / os.fsdecode(b"in\xe4")
    for number, name in enumerate(NAMES):
        save(dicom_film(number, uid=f"1.2.{number}"), folder / os.fsdecode(name))
    (folder / os.fsdecode(b"bad\xe4.dcm")).write_bytes(b"no DICOM")
    with zipfile.ZipFile(folder / os.fsdecode(b"z\xe4.zip"), "w") as archive:
        archive.write(save(dicom_film(9, uid="1.2.9"), tmp_path / "x"), "in.dcm")
    out = tmp_path / os.fsdecode(b"out\xff")
    run(out, folder)
    assert {row["source"].rpartition("/")[2]: bool(row["folder"]) for row in rows(out)} == {
        r"h\xfcfte.dcm": True,
        "hüfte 髋.dcm": True,
        r"\xff\xfe.dcm": True,
        r"back\x5cslash.dcm": True,
        "a\nb.dcm": True,
        r"bad\xe4.dcm": False,
        r"z\xe4.zip!in.dcm": True,
    }
    assert len(image_folders(out)) == 6
    for folder_name in image_folders(out):
        assert read_result(out / folder_name / "result.json").source in {
            row["source"] for row in rows(out)
        }
    assert all(step.before for step in run(out, folder))
