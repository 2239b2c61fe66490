from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

from hoseg.errors import DeviceError
from hoseg.infer import derived
from hoseg.infer.options import RuntimeOptions
from hoseg.infer.runtimes import REFERENCE, RUNTIMES, obstacles
from hoseg.segment.weights import Model

from .samples import make_film, make_model

CPU_ROWS = [row for row in RUNTIMES if row.device == "cpu"]


def open_row(row, model: Model, threads: int = 1):
    reason = row.why_not("cpu")
    if reason:
        pytest.skip(reason)
    module = import_module(f"hoseg.infer.runtimes.{row.module}")
    return module.open_network(model, RuntimeOptions("cpu", row.precision, threads))


def direct(model: Model, pixels: np.ndarray) -> np.ndarray:
    """Probabilities x 255 straight from the network, by the definition in the card."""
    import torch

    with torch.no_grad():
        logits = model.network()(torch.from_numpy(pixels)[None, None])[0, :4]
        scale = torch.tensor(model.card.temperatures)[:, None, None]
        return (torch.sigmoid(logits / scale) * 255).numpy()


def test_every_row_names_a_module_that_exists_and_labels_are_unique():
    assert len({row.label for row in RUNTIMES}) == len(RUNTIMES)
    for row in RUNTIMES:
        name = f"hoseg.infer.runtimes.{row.module}"
        assert import_module("importlib.util").find_spec(name) is not None
    assert REFERENCE.label == "torch/cpu/float32"


@pytest.mark.parametrize("row", CPU_ROWS, ids=lambda row: row.label)
def test_probabilities_are_the_networks(row, model):
    pixels = make_film((96, 128)).pixels
    found = open_row(row, model)(pixels)
    assert found.dtype == np.uint8
    assert found.shape == (4, 96, 128)
    error = np.abs(found - direct(model, pixels))
    if row.precision == "float32":
        assert error.max() <= 1
    else:
        assert np.median(error) < 4


@pytest.mark.parametrize("row", CPU_ROWS, ids=lambda row: row.label)
def test_temperatures_are_applied(row, tmp_path):
    warm = make_model(tmp_path / "small-0", temperatures=(1.0, 2.0, 4.0, 8.0))
    pixels = make_film((64, 64)).pixels
    error = np.abs(open_row(row, warm)(pixels) - direct(warm, pixels))
    assert np.median(error) <= (1 if row.precision == "float32" else 4)


@pytest.mark.parametrize("row", CPU_ROWS, ids=lambda row: row.label)
def test_shapes_may_change_from_film_to_film(row, model):
    forward = open_row(row, model)
    first = forward(make_film((64, 96)).pixels)
    forward(make_film((128, 64)).pixels)
    np.testing.assert_array_equal(forward(make_film((64, 96)).pixels), first)


@pytest.mark.parametrize("row", CPU_ROWS, ids=lambda row: row.label)
def test_threads_do_not_mix_up_films(row, model):
    from concurrent.futures import ThreadPoolExecutor

    forward = open_row(row, model)
    films = [make_film((64, 64 + 32 * (i % 3)), seed=i).pixels for i in range(12)]
    alone = [forward(film) for film in films]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(forward, films))
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)


def test_onnx_file_is_made_once_and_shipped_files_come_first(tmp_path, cache):
    model = make_model(tmp_path / "m")
    made = derived.onnx_file(model)
    assert made.parent.parent == cache / "derived"
    stamp = made.stat().st_mtime_ns
    assert derived.onnx_file(model).stat().st_mtime_ns == stamp
    derived.add_derived(model.path, derived.ONNX, model, derived.export_onnx)
    assert derived.onnx_file(model) == model.path / derived.ONNX


def test_a_changed_onnx_file_is_not_used(tmp_path):
    model = make_model(tmp_path / "m")
    derived.add_derived(model.path, derived.ONNX, model, derived.export_onnx)
    path = model.path / derived.ONNX
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert not derived.is_derived(model.path, derived.ONNX, model)
    assert derived.onnx_file(model) != path


def test_an_onnx_file_of_other_weights_is_not_used(tmp_path):
    old = make_model(tmp_path / "m", seed=0)
    derived.add_derived(old.path, derived.ONNX, old, derived.export_onnx)
    new = make_model(tmp_path / "m", seed=1)
    assert not derived.is_derived(new.path, derived.ONNX, new)


def test_an_index_that_is_not_one_is_ignored(tmp_path):
    model = make_model(tmp_path / "m")
    for text in ("", "[]", "{", json.dumps({"source": derived.source_key(model)})):
        (model.path / "derived.json").write_text(text)
        assert not derived.is_derived(model.path, derived.ONNX, model)


def test_a_cache_that_cannot_be_written_is_named(model, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("HOSEG_CACHE", str(blocked))
    with pytest.raises(DeviceError, match="HOSEG_CACHE"):
        derived.onnx_file(model)


def test_without_a_driver_cuda_says_what_is_missing(monkeypatch):
    def no_library(name):
        raise OSError(name)

    obstacles.driver_problem.cache_clear()
    monkeypatch.setattr(obstacles.ctypes, "CDLL", no_library)
    try:
        assert "no NVIDIA driver" in obstacles.cuda("cuda")
        assert "--device cpu" in obstacles.cuda("cuda")
    finally:
        obstacles.driver_problem.cache_clear()


class Driver:
    def __init__(self, status: int, devices: int) -> None:
        self.status, self.devices = status, devices

    def cuInit(self, flags):
        return self.status

    def cuDeviceGetCount(self, pointer):
        pointer._obj.value = self.devices
        return 0


@pytest.mark.parametrize(
    ("driver", "words"),
    [(Driver(803, 1), "803"), (Driver(0, 0), "CUDA_VISIBLE_DEVICES"), (Driver(0, 2), "")],
)
def test_what_the_driver_says_is_passed_on(driver, words, monkeypatch):
    obstacles.driver_problem.cache_clear()
    monkeypatch.setattr(obstacles.ctypes, "CDLL", lambda name: driver)
    try:
        found = obstacles.driver_problem()
    finally:
        obstacles.driver_problem.cache_clear()
    assert words in found
    assert bool(found) == bool(words)


def test_a_card_that_is_not_there_is_named(monkeypatch):
    import torch

    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Card")
    assert obstacles._torch_problem(3) == "there is no cuda:3; this machine has cuda:0 Card"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (6, 1))
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_90"])
    assert "6.1" in obstacles._torch_problem(0)
    assert "7.5" in obstacles._torch_problem(0)


def test_onnx_runtime_needs_no_torch(tmp_path):
    model = make_model(tmp_path / "m")
    derived.add_derived(model.path, derived.ONNX, model, derived.export_onnx)
    code = (
        "import sys, numpy as np\n"
        "from hoseg.infer.predictor import Options, Predictor\n"
        f"p = Predictor({str(model.path)!r}, 'cpu', 'onnx', Options(gate=False))\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
        "print(p.choice.runtime)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "onnx"


def test_lower_precision_does_not_round_the_pixels(model):
    """Two films that are one in bfloat16 still get the answers of two."""
    import torch

    from hoseg.infer.deploy import deploy

    pixels = torch.from_numpy(make_film((64, 64)).pixels)[None, None]
    rounded = pixels.bfloat16().float()
    network = deploy(model).lower_precision(torch.bfloat16)
    assert network.network.stem[1].conv.weight.dtype == torch.float32
    assert network.network.head.weight.dtype == torch.bfloat16
    with torch.no_grad():
        assert not torch.equal(network(pixels), network(rounded))
