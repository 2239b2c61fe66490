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
    assert "sha256" in result.output
    assert "cannot be segmented" in result.output


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOSEG_CACHE", str(tmp_path / "file" / "cache"))
    result = CliRunner().invoke(app, ["--json"])
    assert "HOSEG_CACHE" in json.loads(result.stdout)["cache_problem"]
