import csv
import json
import re

import cv2
import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

from hoseg.cli.simulate import app
from hoseg.errors import OutputError, SettingError
from hoseg.simulate.folder import FolderSettings, parse_size, simulate_film, write_folder

QUICK = ["--spacing-mm", "1.2", "--count", "1", "--workers", "1"]


def _rows(folder):
    with (folder / "index.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("films")
    write_folder(out, FolderSettings(count=2, seed=3, spacing_mm=1.2), 1, lambda: None)
    return out


def test_the_contract_of_a_folder(written):
    rows = _rows(written)
    assert len(rows) == 2
    for row in rows:
        image = cv2.imread(str(written / row["image"]), cv2.IMREAD_UNCHANGED)
        masks = cv2.imread(str(written / row["masks"]), cv2.IMREAD_UNCHANGED)
        truth = json.loads((written / row["truth"]).read_text())
        assert image.dtype == np.uint16
        assert masks.dtype == np.uint8
        assert image.shape == masks.shape == (int(row["rows"]), int(row["columns"]))
        assert masks.max() < 16
        assert truth["spacing_mm"] == 1.2
        assert [hip["side"] for hip in truth["hips"]] == ["right", "left"]
        for hip in truth["hips"]:
            assert hip["brooker_3d"] in range(5)
            assert hip["implant"]
            assert (hip["brooker_3d"] > 0) == bool(hip["components"])


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_however_many_processes(written, tmp_path):
    write_folder(tmp_path, FolderSettings(count=2, seed=3, spacing_mm=1.2), 2, lambda: None)
    for path in sorted(written.rglob("*.*")):
        other = tmp_path / path.relative_to(written)
        assert other.read_bytes() == path.read_bytes(), path.name


def test_ossification_in_the_masks_is_visible_and_inside_the_geometry():
    sample = simulate_film(1, FolderSettings(count=1, seed=4, spacing_mm=1.2))
    visible = (sample.film.masks & 8) > 0
    assert not (visible & ~sample.film.ossification).any()


def test_the_command_writes_dicom_and_prints_the_rate(tmp_path):
    done = CliRunner().invoke(app, ["--out", str(tmp_path), "--dicom", "--json", *QUICK])
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["films"] == 1
    assert summary["hips_differ"] <= summary["hips_graded"]
    for row in _rows(tmp_path):
        dataset = pydicom.dcmread(tmp_path / row["image"], force=True)
        assert (dataset.Rows, dataset.Columns) == (int(row["rows"]), int(row["columns"]))
        assert str(dataset.PatientName).startswith("SIMULATED")


def test_a_fixed_size_is_kept(tmp_path):
    options = ["--out", str(tmp_path), "--size", "200x160", "--json", *QUICK]
    assert CliRunner().invoke(app, options).exit_code == 0
    assert {(row["rows"], row["columns"]) for row in _rows(tmp_path)} == {("200", "160")}


@pytest.mark.parametrize("text", ["200", "axb", "20x20", "200x160x3"])
def test_bad_sizes_are_refused(text):
    with pytest.raises(SettingError, match="size"):
        FolderSettings(count=1, size=parse_size(text))


@pytest.mark.parametrize(
    ("key", "value"),
    [("count", 0), ("seed", -1), ("spacing_mm", 0.0), ("prevalence", "rare")],
)
def test_bad_settings_name_the_key(key, value):
    with pytest.raises(SettingError, match=key):
        FolderSettings(**{"count": 1, key: value})


def test_the_same_settings_again_have_nothing_to_do(tmp_path):
    options = ["--out", str(tmp_path), "--json", *QUICK]
    first = CliRunner().invoke(app, options)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = CliRunner().invoke(app, options)
    assert (again.exit_code, again.stdout) == (0, first.stdout)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    told = CliRunner().invoke(app, [option for option in options if option != "--json"])
    assert "Nothing to do" in told.output


@pytest.mark.parametrize(
    ("option", "named"),
    [
        (["--seed", "8"], "seed 0 \\(now 8\\)"),
        (["--count", "2"], "count 1 \\(now 2\\)"),
        (["--dicom"], "dicom False \\(now True\\)"),
        (["--size", "200x160"], "size None"),
        (["--prevalence", "natural"], "prevalence balanced"),
    ],
)
def test_other_settings_never_go_over_a_set(option, named, tmp_path):
    write_folder(tmp_path, FolderSettings(count=1, spacing_mm=1.2), 1, lambda: None)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    done = CliRunner().invoke(app, ["--out", str(tmp_path), *QUICK, *option])
    assert isinstance(done.exception, SettingError)
    assert re.search(named, str(done.exception))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("name", ["index.csv", "000000/image.png", "notes.txt", "simulate.json"])
def test_a_folder_of_something_else_is_refused(name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    with pytest.raises(SettingError, match="empty folder"):
        write_folder(tmp_path, FolderSettings(count=1, spacing_mm=1.2), 1, lambda: None)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("lost", ["index.csv", "000000/truth.json"])
def test_a_set_that_was_broken_off_is_made_anew(lost, tmp_path):
    settings = FolderSettings(count=1, spacing_mm=1.2)
    write_folder(tmp_path, settings, 1, lambda: None)
    was = (tmp_path / lost).read_bytes()
    (tmp_path / lost).unlink()
    (tmp_path / ".DS_Store").write_bytes(b"")
    made = []
    write_folder(tmp_path, settings, 1, lambda: made.append(1))
    assert made == [1]
    assert (tmp_path / lost).read_bytes() == was


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        write_folder(tmp_path / "file", FolderSettings(count=1), 1, lambda: None)
