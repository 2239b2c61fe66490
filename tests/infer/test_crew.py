"""Several cards, each a process of its own; the cards are fakes, the processes are not."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hoseg.errors import DeviceError
from hoseg.infer.deploy import deploy
from hoseg.infer.engine import Deployment
from hoseg.infer.gpu import crew
from hoseg.infer.gpu.crew import open_crew
from hoseg.infer.gpu.engine import GpuEngine
from hoseg.infer.gpu.server import GpuServer, RemotePredictor
from hoseg.infer.options import Options
from hoseg.infer.predictor import Predictor
from hoseg.segment.weights import load_model

from .host_device import HostDevice
from .samples import make_film
from .test_gpu import HALVES, open_gpu


def fake_engine(folder: Path) -> GpuEngine:
    deployment = Deployment("m@1", HALVES, 8, Options(batch=2))
    return GpuEngine([deploy(load_model(folder))], HostDevice(), deployment)


@contextmanager
def fake_card(folder: Path, log: Path):
    """A server that says so when it begins and ends, in a process of its own."""
    with GpuServer(fake_engine(folder), "m@1", 0.5) as server:
        with log.open("a") as file:
            file.write(f"begin {os.getpid()}\n")
        yield server
    with log.open("a") as file:
        file.write(f"end {os.getpid()}\n")


def broken_card():
    raise DeviceError("cuda:2 has 0.1 of 8.0 GiB free, too little for the weights")


def test_workers_are_divided_between_cards_and_get_their_own_films(model, tmp_path):
    log = tmp_path / "log"
    first = GpuServer(fake_engine(model.path), "m@1", 0.5)
    with open_crew(first, [partial(fake_card, model.path, log)]) as cards:
        remotes = [RemotePredictor(cards.address) for _ in range(4)]
        assert {(remote.label, remote.spacing_mm) for remote in remotes} == {("m@1", 0.5)}
        for seed, remote in enumerate(remotes):
            film = make_film((64, 64), seed=seed)
            [found], [expected] = remote.predict([film]), open_gpu(model).segment([film])
            np.testing.assert_array_equal(found.masks, expected.masks)
        assert len(first._seats) == 2
    lines = [line.split() for line in log.read_text().splitlines()]
    assert [word for word, _ in lines] == ["begin", "end"]
    assert lines[0][1] == lines[1][1] != str(os.getpid())
    with pytest.raises(DeviceError, match="have ended"):
        RemotePredictor(cards.address)


def test_a_card_that_cannot_be_used_is_named_and_the_others_end(model, tmp_path):
    log = tmp_path / "log"
    first = GpuServer(fake_engine(model.path), "m@1", 0.5)
    cards = open_crew(first, [partial(fake_card, model.path, log), broken_card])
    with pytest.raises(DeviceError, match="cuda:2 has 0"), cards:
        pass
    assert log.read_text().splitlines()[-1].startswith("end")
    assert not any(thread.is_alive() for thread in first._threads)


@pytest.mark.parametrize(
    ("device", "cards", "served"), [("cuda", 3, 3), ("cuda:1", 3, 1), ("cuda", 1, 1)]
)
def test_cuda_means_every_card_and_a_number_that_one(model, device, cards, served, monkeypatch):
    from dataclasses import replace

    opened = []
    predictor = Predictor(model, "cpu", "onnx", Options(gate=False))
    predictor.engine = fake_engine(model.path)
    predictor.choice = replace(predictor.choice, device=device, precision="float16")
    monkeypatch.setattr("torch.cuda.device_count", lambda: cards)

    def no_crew(first, others):
        opened.extend(others)
        return first

    monkeypatch.setattr(crew, "open_crew", no_crew)
    with predictor.serve():
        pass
    assert [opener.args[1] for opener in opened] == [f"cuda:{i}" for i in range(1, served)]
    assert all(o.keywords["options"].precision == "float16" for o in opened)
