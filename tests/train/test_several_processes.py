"""On several GPUs every process runs ``hoseg train``; one of them writes the model."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import hoseg.train.loop as loop
import hoseg.train.release as releasing
from hoseg.cli.train import app
from hoseg.train.data import StepSampler
from hoseg.train.loop import is_first_process

CONFIG = Path(__file__).parents[2] / "configs" / "hip-sim-1.yaml"


@pytest.mark.parametrize(("rank", "first"), [(0, True), (1, False)])
def test_only_the_first_process_releases(rank, first, tmp_path, monkeypatch):
    monkeypatch.setattr(loop.rank_zero_only, "rank", rank)
    monkeypatch.setattr(loop, "train", lambda *_: None)
    written = []

    def release(*arguments: object) -> None:
        written.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(releasing, "release", release)
    CliRunner().invoke(app, [str(CONFIG), "--out", str(tmp_path)])
    assert is_first_process() is first
    assert bool(written) is first


def test_processes_share_out_the_samples_of_each_step():
    """Together, two processes of batch 4 see every sample once, whatever the step."""
    ours = [StepSampler(3, 6, 4, rank, 2) for rank in (0, 1)]
    for step, batches in enumerate(zip(*ours, strict=True), start=3):
        both = sorted(number for batch in batches for number in batch)
        assert both == list(range(step * 8, step * 8 + 8))
