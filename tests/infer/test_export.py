from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from hoseg.cli.export import app
from hoseg.errors import SettingError
from hoseg.infer import reference
from hoseg.infer.export import export_model
from hoseg.infer.options import Options
from hoseg.infer.parity import ParityResult
from hoseg.infer.predictor import Predictor

from .samples import make_film, make_model


@pytest.fixture(autouse=True)
def small_films(monkeypatch):
    films = [make_film((64, 96), (64, 96), seed=seed) for seed in range(2)]
    monkeypatch.setattr(reference, "simulate_films", lambda spacing_mm: films)


def test_an_onnx_export_is_judged_and_then_used(tmp_path, cache):
    model = make_model(tmp_path / "m")
    done = export_model(model, "onnx", model.path)
    assert done.parity.passed
    assert done.files[0] == model.path / "model.onnx"
    report = json.loads((model.path / "parity-onnx.json").read_text())
    assert report["model"] == model.card.label
    assert report["passed"] is True
    assert report["agreement"] >= 0.9995
    film = make_film()
    onnx = Predictor(model.path, "cpu", "onnx").predict([film])[0]
    torch = Predictor(model.path, "cpu", "torch", Options(precision="float32")).predict([film])[0]
    assert np.mean(onnx.masks == torch.masks) >= 0.9995
    assert not (cache / "derived").exists()  # the shipped files were used


def test_an_openvino_export_can_be_read_back(tmp_path):
    openvino = pytest.importorskip("openvino", reason="openvino is not installed")
    model = make_model(tmp_path / "m")
    done = export_model(model, "openvino", tmp_path / "out")
    assert done.parity.passed
    assert [path.name for path in done.files[:2]] == ["model.xml", "model.bin"]
    read = openvino.Core().read_model(done.files[0])
    assert read.input(0).get_partial_shape().rank.get_length() == 4


def test_an_unknown_runtime_is_refused(model, tmp_path):
    with pytest.raises(SettingError, match="tensorrt"):
        export_model(model, "tensorrt", tmp_path)


def test_the_command_prints_its_report(tmp_path):
    model = make_model(tmp_path / "m")
    result = CliRunner().invoke(app, [str(model.path), "--runtime", "onnx", "--json"])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content["parity"]["passed"] is True
    assert content["files"][0].endswith("model.onnx")


def test_an_export_that_fails_the_gate_exits_with_1(tmp_path, monkeypatch):
    model = make_model(tmp_path / "m")
    bad = ParityResult(False, 0.5, 0.5, 0, 1.0, "half of the pixels differ")
    monkeypatch.setattr("hoseg.infer.export.check_engine", lambda *args: bad)
    result = CliRunner().invoke(app, [str(model.path), "--runtime", "onnx"])
    assert result.exit_code == 1
    assert "half of the pixels differ" in result.output
