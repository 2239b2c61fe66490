import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hoseg.cli.models import app
from hoseg.segment.card import ModelCard
from hoseg.segment.network import build_network
from hoseg.segment.weights import SEARCH_VARIABLE, save_model

OPTIONS = {"widths": [8, 8], "deep_levels": [], "context": []}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A search path with one good and one damaged model."""
    state = {k: v.numpy() for k, v in build_network("hip_unet", OPTIONS).state_dict().items()}
    for name in ("good", "damaged"):
        card = ModelCard(
            name=name, spacing_mm=0.7, architecture="hip_unet", options=OPTIONS, sha256="0" * 64
        )
        save_model(tmp_path / name, card, state)
    with (tmp_path / "damaged" / "weights.safetensors").open("ab") as stream:
        stream.write(b"x")
    monkeypatch.setenv(SEARCH_VARIABLE, str(tmp_path))
    return tmp_path


def test_lists_and_verifies(models: Path) -> None:
    done = CliRunner().invoke(app, ["--json"])
    assert done.exit_code == 1
    found = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert found["good"]["verified"]
    assert found["good"]["card"]["spacing_mm"] == 0.7
    assert not found["damaged"]["verified"]
    assert "changed or damaged" in found["damaged"]["problem"]


def test_verifies_named_folders(models: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(app, [str(models / "good")]).exit_code == 0
    assert runner.invoke(app, [str(models / "damaged")]).exit_code == 1
    shown = runner.invoke(app, [str(models / "good")], env={"COLUMNS": "200"})
    assert "good" in shown.stdout
    assert "yes" in shown.stdout
