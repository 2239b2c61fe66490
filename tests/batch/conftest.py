from __future__ import annotations

from pathlib import Path

import pytest

from hoseg.infer.predictor import Options, Predictor

from .films import Runner


@pytest.fixture(scope="session")
def run(tiny_model: Path) -> Runner:
    predictor = Predictor(tiny_model, device="cpu", runtime="onnx", options=Options(gate=False))
    return Runner(tiny_model, predictor)
