"""What ``hoseg run`` prints, what it refuses before it works, and with which exit status."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from batch.films import SIZE_PX, dicom_film, save
from PIL import Image
from typer.testing import CliRunner

from hoseg.cli.run import app
from hoseg.errors import SettingError
from hoseg.infer.predictor import Options, Predictor
from hoseg.report import tables


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Two DICOM films, a picture, a text and a file that is cut short."""
    folder = tmp_path / "in"
    for seed in (0, 1):
        save(dicom_film(seed, uid=f"1.2.{seed}"), folder / f"{seed}.dcm")
    save(dicom_film(2, uid="1.2.2"), folder / "cut.dcm", cut=0.5)
    film = dicom_film(3)
    Image.frombytes("I;16", (film.Columns, film.Rows), film.PixelData).save(folder / "p.png")
    (folder / "notes.txt").write_text("mine")
    return folder


@pytest.fixture(scope="module")
def predictor(tiny_model):
    return Predictor(tiny_model, device="cpu", runtime="onnx", options=Options(gate=False))


@pytest.fixture
def hoseg(tiny_model, predictor, tmp_path, monkeypatch):
    """Run the command with the tiny model, which is not sent through its parity gate each time."""
    monkeypatch.setattr("hoseg.infer.predictor.Predictor", lambda *args, **options: predictor)
    common = ["--model", str(tiny_model), "--device", "cpu", "--runtime", "onnx", "--workers", "1"]

    def run(*words: object):
        arguments = [str(word) for word in words]
        return CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out"), *common])

    return run


def lines(done) -> list[dict]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_json_has_numbers_findings_and_a_sum(films, hoseg, tmp_path):
    done = hoseg(films, "--json", "--spacing-mm", "0.8")
    assert done.exit_code == 1  # one file is cut short
    *inputs, total = lines(done)
    read = [line for line in inputs if line["status"] in ("graded", "abstained")]
    assert {"inputs": 5, "failed": 1, "skipped": 1, "done_before": 0}.items() <= total.items()
    assert total["graded"] + total["abstained"] == len(read) == 3
    assert total["hips"] == sum(len(line["findings"]) for line in inputs)
    assert total["out"] == str(tmp_path / "out")
    for line in read:
        assert (line["rows"], line["columns"], line["frame"]) == (*SIZE_PX, 0)
        assert isinstance(line["row_spacing_mm"], float)
        assert line["hips"] == len(line["findings"])
        assert all(finding["side"] for finding in line["findings"])
    assert next(line for line in read if "patient_id" in line)["patient_id"] == "0001234"
    again = hoseg(films, "--json", "--spacing-mm", "0.8")
    assert again.exit_code == 1  # it is still cut short
    *repeated, total = lines(again)
    assert total["done_before"] == 5
    assert all(line.pop("done_before") for line in repeated)
    key = lambda line: line["source"]  # noqa: E731
    for was, now in zip(sorted(inputs, key=key), sorted(repeated, key=key), strict=True):
        assert {k: v for k, v in was.items() if k not in ("done", "done_before")} == {
            k: v for k, v in now.items() if k != "done"
        }


def test_the_sum_in_words(films, hoseg):
    done = hoseg(films)
    assert "1 skipped, 1 failed" in done.output
    assert "cut.dcm" in done.output
    assert "(5 done before)" in hoseg(films).output


def test_spacing_is_for_files_that_carry_none_and_an_override_for_all(films, hoseg, tmp_path):
    def spacing() -> dict[str, tuple[str, str]]:
        with (tmp_path / "out" / "images.csv").open() as stream:
            return {
                Path(row["source"]).name: (row["row_spacing_mm"], row["spacing_source"])
                for row in csv.DictReader(stream)
                if row["folder"]
            }

    hoseg(films, "--spacing-mm", "0.3")
    assert spacing()["p.png"] == ("0.3", "user")
    assert spacing()["0.dcm"] == ("0.666667", "assumed_magnification")
    refused = hoseg(films, "--override-spacing-mm", "0.3")
    assert isinstance(refused.exception, SettingError)
    hoseg(films, "--override-spacing-mm", "0.3", "--replace")
    assert spacing()["p.png"] == ("0.3", "user")
    assert spacing()["0.dcm"] == ("0.3", "user_override")
    assert "spacing_overridden" in (tmp_path / "out" / "images.csv").read_text()


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["--spacing-mm", "0.3", "--override-spacing-mm", "0.3"], "--spacing-mm"),
        (["--override-spacing-mm", "0"], "--override-spacing-mm"),
        (["--key-file", "{in}/notes.txt"], "--key-file"),
        (["--deidentify", "--key-file", "{in}/none"], "--key-file"),
    ],
)
def test_wrong_options_are_refused_before_any_work(words, key, films, hoseg, tmp_path):
    done = hoseg(films, *(word.replace("{in}", str(films)) for word in words))
    assert isinstance(done.exception, SettingError)
    assert done.exception.key == key
    assert not (tmp_path / "out").exists()


def test_a_key_that_is_too_short_is_refused_before_any_work(films, hoseg, tmp_path):
    (tmp_path / "key").write_text("short")
    done = hoseg(films, "--deidentify", "--key-file", tmp_path / "key")
    assert isinstance(done.exception, SettingError)
    assert not (tmp_path / "out").exists()


def test_dicom_objects_of_pictures_are_no_failure(films, hoseg):
    done = hoseg(films / "p.png", "--dicom", "--spacing-mm", "0.8")
    assert done.exit_code == 0
    assert done.output.count("no DICOM objects") == 1
    assert "1 picture has" in done.output


def test_dicom_objects_of_nothing_are_no_failure(films, hoseg):
    done = hoseg(films / "notes.txt", "--dicom", "--reports")
    assert done.exit_code == 0
    assert "1 skipped" in done.output


@pytest.mark.parametrize(
    ("words", "installed", "written"),
    [([], True, True), ([], False, False), (["--no-parquet"], True, False)],
)
def test_parquet_comes_where_it_can(words, installed, written, films, hoseg, tmp_path, monkeypatch):
    if not installed:
        monkeypatch.setattr("hoseg.batch.settings.missing", lambda extra: ("pyarrow",))
    hoseg(films / "0.dcm", *words)
    assert (tmp_path / "out" / "images.parquet").exists() == written
    if written:
        parquet = pytest.importorskip("pyarrow.parquet")
        table = parquet.read_table(tmp_path / "out" / "images.parquet")
        assert table.column("patient_id").to_pylist() == ["0001234"]
        assert str(table.schema.field("rows").type) == "int64"


def test_columns_name_the_types_that_parquet_has():
    kinds = {column.kind for column in tables.FINDING_COLUMNS}
    assert kinds == {"text", "integer", "number"}
    row = {"patient_id": "0001234", "brooker": "3", "gap_mm": "8.50", "summary": ""}
    assert tables.values(tables.FINDING_COLUMNS, row) == {
        "patient_id": "0001234",
        "brooker": 3,
        "gap_mm": 8.5,
    }
