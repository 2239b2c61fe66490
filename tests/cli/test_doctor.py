from __future__ import annotations

import json

from infer.samples import make_model
from typer.testing import CliRunner

from hoseg.cli.doctor import app
from hoseg.infer.runtimes import obstacles


def test_a_model_and_a_runtime_are_enough(tmp_path, monkeypatch):
    make_model(tmp_path / "models" / "small-0")
    monkeypatch.setenv("HOSEG_MODELS", str(tmp_path / "models"))
    result = CliRunner().invoke(app, ["--json"])
    content = json.loads(result.stdout)
    assert result.exit_code == 0
    assert content["ready"]
    assert any(m["model"].startswith("small-0@") and not m["problem"] for m in content["models"])
    assert {r["runtime"]: r["problem"] for r in content["runtimes"]}["onnx/cpu/float32"] == ""


def test_a_damaged_model_and_a_missing_driver_are_named(tmp_path, monkeypatch):
    model = make_model(tmp_path / "models" / "small-0")
    weights = model.path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    monkeypatch.setattr("hoseg.segment.weights.search_path", lambda: iter([tmp_path / "models"]))
    obstacles.driver_problem.cache_clear()
    monkeypatch.setattr(obstacles, "driver_problem", lambda: "no NVIDIA driver")
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 3
    assert "no NVIDIA driver" in result.output
    assert "bench: lacks a model: set HOSEG_MODELS" in result.output
    assert "sha256" in result.output
    assert "cannot be segmented" in result.output


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOSEG_CACHE", str(tmp_path / "file" / "cache"))
    result = CliRunner().invoke(app, ["--json"])
    assert "HOSEG_CACHE" in json.loads(result.stdout)["cache_problem"]


def test_every_command_says_what_it_lacks_and_what_brings_it(tmp_path, monkeypatch):
    from hoseg import extras
    from hoseg.cli import doctor
    from hoseg.cli.app import COMMANDS

    assert set(doctor.NEEDS) <= set(COMMANDS)
    assert {extra for needs in doctor.NEEDS.values() for _, extra in needs} == set(extras.EXTRAS)
    make_model(tmp_path / "models" / "small-0")
    monkeypatch.setenv("HOSEG_MODELS", str(tmp_path / "models"))
    commands = json.loads(CliRunner().invoke(app, ["--json"]).stdout)["commands"]
    assert list(commands) == list(COMMANDS)
    assert commands["deidentify"] == []

    gone = {"lightning", "pyarrow"}
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in gone else name)
    commands = json.loads(CliRunner().invoke(app, ["--json"]).stdout)["commands"]
    assert commands["train"] == [
        {"option": "", "missing": ["lightning"], "remedy": "pip install 'hoseg[train]'"}
    ]
    assert [lack for lack in commands["run"] if lack["option"] != "--device cuda"] == [
        {"option": "--parquet", "missing": ["pyarrow"], "remedy": "pip install 'hoseg[parquet]'"}
    ]
    shown = CliRunner().invoke(app, []).output
    assert "train: lacks lightning: pip install 'hoseg[train]'" in shown
    assert "--parquet lacks pyarrow: pip install 'hoseg[parquet]'" in shown
    assert "simulate: lacks nothing" in shown

    without = {"pydicom"}
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in without else "1")
    monkeypatch.setattr("hoseg.segment.weights.search_path", lambda: iter([]))
    shown = CliRunner().invoke(app, []).output
    assert "deidentify: lacks pydicom: pip install hoseg" in shown
    assert "evaluate: lacks pydicom: pip install hoseg; lacks a model: set HOSEG_MODELS" in shown
