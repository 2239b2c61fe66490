"""The card's path with the CPU in its place: everything but CUDA itself."""

from __future__ import annotations

import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from hoseg.errors import DeviceError, OutOfMemory
from hoseg.infer import parity, reference, selection
from hoseg.infer.deploy import deploy
from hoseg.infer.engine import Engine, deployment_of
from hoseg.infer.options import Options, RuntimeOptions
from hoseg.infer.predictor import Predictor, open_chosen
from hoseg.infer.runtimes import RUNTIMES, obstacles, torch_cuda
from hoseg.infer.runtimes.torch_cpu import TorchCpu
from hoseg.infer.runtimes.torch_cuda import TorchCuda, nth_card

from .samples import make_film

CPU = torch.device("cpu")
NEWER_CARD = "CUDA error: no kernel image is available for execution on the device\nCompile with"


@pytest.fixture(autouse=True)
def _few_films(monkeypatch):
    films = [make_film((64, 96), (64, 96), seed=seed) for seed in range(2)]
    monkeypatch.setattr(reference, "simulate_films", lambda spacing_mm: films)


@pytest.fixture
def card(monkeypatch):
    """A machine with two cards, which are the CPU."""
    monkeypatch.setattr(torch_cuda, "_take_card", lambda name: CPU)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"Card {index}")
    monkeypatch.setattr(selection.Runtime, "why_not", lambda row, device: "")


class Full:
    """A network on a card whose memory is full for a number of films."""

    def __init__(self, network, times: int) -> None:
        self.network, self.times = network, times
        self.held: list[weakref.ref] = []

    def __call__(self, batch):
        if self.times:
            self.times -= 1
            activation = torch.zeros(batch.shape)
            self.held.append(weakref.ref(activation))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 18.00 GiB.")
        return self.network(batch)


def test_masks_are_the_cpus_however_large_the_film_is(model):
    """The network sees the window; enlarging and masks are those of the CPU: one film, one way."""
    deployment = deployment_of((model,), Options(films=1))
    on_card = Engine((TorchCuda(deploy(model), CPU),), deployment)
    on_cpu = Engine((TorchCpu(deploy(model), "float32", 1),), deployment)
    films = [make_film((64, 96), (4000, 6000)), make_film((120, 150)), make_film((90, 70), seed=3)]
    for a, b in zip(on_cpu.segment(films), on_card.segment(films), strict=True):
        np.testing.assert_array_equal(a.masks, b.masks)


def test_memory_is_emptied_when_nothing_holds_it_any_more(model, monkeypatch):
    full = Full(deploy(model), times=1)
    alive = []
    monkeypatch.setattr(
        torch_cuda, "_release_memory", lambda: alive.extend(ref() for ref in full.held)
    )
    pixels = make_film((64, 64)).pixels
    found = TorchCuda(full, CPU)(pixels)
    np.testing.assert_array_equal(found, TorchCuda(deploy(model), CPU)(pixels))
    assert alive == [None]


def test_one_film_too_large_costs_that_film_only(model):
    forward = TorchCuda(Full(deploy(model), times=2), CPU)
    with pytest.raises(OutOfMemory, match=r"film of 64 x 72 pixels.*--workers.*--device cpu"):
        forward(make_film((64, 72)).pixels)
    assert forward(make_film((64, 64)).pixels).shape == (4, 64, 64)


def test_what_cuda_says_becomes_a_sentence(model):
    def broken(batch):
        raise RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be")

    with pytest.raises(DeviceError, match=r"cpu cannot be used: CUDA error: unspecified launch"):
        TorchCuda(broken, CPU)(make_film((64, 64)).pixels)


@pytest.mark.parametrize("error", [RuntimeError(NEWER_CARD), torch.OutOfMemoryError("full")])
def test_auto_falls_back_and_says_why(model, card, monkeypatch, error):
    def refuse(name):
        raise error

    monkeypatch.setattr(torch_cuda, "_take_card", refuse)
    choice = Predictor(model, options=Options(films=1, precision="float32")).choice
    assert choice.device == "cpu"
    first = choice.attempts[0]
    assert (first.runtime, first.outcome) == ("torch/cuda/float32", "unavailable")
    assert str(error).splitlines()[0] in first.reason
    assert "--device cpu" in first.reason
    with pytest.raises(DeviceError, match="cannot be used"):
        Predictor(model, "cuda", options=Options(films=1))


def test_a_kernel_that_the_card_lacks_shows_when_it_is_opened(model, card, monkeypatch):
    def lacks_kernel(network, batch):
        raise RuntimeError(NEWER_CARD)

    monkeypatch.setattr("hoseg.infer.deploy.Deployed.forward", lacks_kernel)
    with pytest.raises(DeviceError, match="no kernel image"):
        torch_cuda.open_network(model, RuntimeOptions("cuda", "float32", 1))


def test_a_card_passes_the_gate_like_any_runtime(model, card):
    chosen = Predictor(model, "cuda", options=Options(films=1, precision="float32")).choice
    assert (chosen.runtime, chosen.device, chosen.precision) == ("torch", "cuda", "float32")
    assert chosen.attempts[0].agreement == 1.0


def test_workers_take_the_cards_in_turn(model, card, monkeypatch):
    assert [nth_card("cuda", n) for n in range(4)] == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert nth_card("cuda:1", 2) == "cuda:1"
    taken = []
    monkeypatch.setattr(torch_cuda, "_take_card", lambda name: taken.append(name) or CPU)
    choice = selection.Choice("torch", "cuda", "float32", "", ())
    for number in range(3):
        assert open_chosen(model, choice, number).choice.device == f"cuda:{number % 2}"
    assert taken == ["cuda:0", "cuda:1", "cuda:0"]


def test_a_result_belongs_to_one_card_and_its_libraries(model, card, monkeypatch):
    row = next(row for row in RUNTIMES if row.device == "cuda")
    paths = {parity._result_path(row, model, device) for device in ("cuda", "cuda:0", "cuda:1")}
    assert len(paths) == 2  # "cuda" is card 0
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 99999)
    assert parity._result_path(row, model, "cuda") not in paths


def test_a_result_does_not_outlive_a_change_to_what_it_judged():
    """Engine, windows and the network's own source are part of the name of a result."""
    seen = []
    original = parity.Path.read_bytes
    parity._source_of_inference.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            parity.Path, "read_bytes", lambda path: seen.append(path.name) or original(path)
        )
        parity._source_of_inference()
    parity._source_of_inference.cache_clear()
    assert {"engine.py", "windows.py", "deploy.py", "network.py", "torch_cuda.py"} <= set(seen)


def test_films_of_several_threads_do_not_mix(model):
    """As when Python predicts a film while others are under way."""
    forward = TorchCuda(deploy(model), CPU)
    films = [make_film((64, 64 + 32 * (i % 3)), seed=i).pixels for i in range(9)]
    alone = [forward(film) for film in films]
    with ThreadPoolExecutor(3) as pool:
        for a, b in zip(alone, pool.map(forward, films), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_card_that_others_have_for_themselves_is_an_obstacle(monkeypatch):
    def busy(index):
        raise RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable\nCUDA")

    monkeypatch.setattr(obstacles, "driver_problem", lambda: "")
    monkeypatch.setattr(obstacles, "_torch_problem", busy)
    assert "cuda:1 does not answer (CUDA error: CUDA-capable device(s)" in obstacles.cuda("cuda:1")
