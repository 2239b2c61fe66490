"""An option never takes the name of the next one for its value."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from hoseg.cli.app import app
from hoseg.errors import SettingError


@pytest.mark.parametrize(
    ("words", "option", "swallowed"),
    [
        ("evaluate --readers a.csv --out z", "--readers", "--out"),
        ("evaluate --readers --out z", "--readers", "--out"),
        ("evaluate --model --readers a.csv b.csv", "--model", "--readers"),
        ("run in --out --dicom", "--out", "--dicom"),
        ("run in -o --dicom", "-o", "--dicom"),
        ("run in --out x --model --typo", "--model", "--typo"),
        ("simulate --out --count 3", "--out", "--count"),
        ("review run --grades --json", "--grades", "--json"),
        ("deidentify in --out o --link --json", "--link", "--json"),
        ("dataset check d --format --json", "--format", "--json"),
    ],
)
def test_a_swallowed_option_is_wrong_usage(words, option, swallowed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, words.split())
    said = " ".join(done.output.replace("│", " ").split())
    assert done.exit_code == 2
    assert f"Invalid value for {option}" in said
    assert f"'{swallowed}'" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    ["evaluate --out=--x --help", "run --help", "run -- --dicom --out --help", "simulate --help"],
)
def test_other_words_are_left_alone(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, words.split())
    assert "needs a value before" not in done.output


def test_a_reader_without_an_export_is_refused(tmp_path):
    done = CliRunner().invoke(app, ["review", str(tmp_path), "--reader", "Zoe"])
    assert isinstance(done.exception, SettingError)
    assert done.exception.key == "--reader"
