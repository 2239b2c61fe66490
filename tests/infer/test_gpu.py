"""The GPU path, run on the CPU: everything but CUDA's own streams and graphs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hoseg.errors import DeviceError
from hoseg.imaging import prepare as imaging
from hoseg.imaging.resample import GridWindow, grid_window, make_grid
from hoseg.infer.deploy import deploy
from hoseg.infer.engine import CpuEngine, Deployment
from hoseg.infer.gpu import film_ops
from hoseg.infer.gpu.engine import GpuEngine
from hoseg.infer.options import Options
from hoseg.infer.runtimes.torch_cpu import TorchCpu
from hoseg.radiograph import Prepared

from .host_device import HostDevice
from .samples import make_film, make_model

HALVES = (0.5, 0.5, 0.5, 0.5)


def open_gpu(model, fits=None, **options) -> GpuEngine:
    deployment = Deployment("test", HALVES, 8, Options(**options))
    return GpuEngine([deploy(model)], HostDevice(fits), deployment)


def open_cpu(model, **options) -> CpuEngine:
    deployment = Deployment("test", HALVES, 8, Options(films=1, **options))
    return CpuEngine((TorchCpu(deploy(model), "float32", 1),), deployment)


def collimated_film(seed=0, shape=(480, 600), window=None) -> Prepared:
    """A film with an edge outside the field, a corner burnt out, and perhaps a frame around it."""
    grid = make_grid(window or GridWindow(0, 0, *shape), (0.14, 0.14), (0.5, 0.5))
    field = np.ones(grid.shape, bool)
    field[:5] = False
    burnt_out = (np.array([[0, 0], [200, 0], [0, 250]], np.int32),)
    pixels = make_film(grid.shape, seed=seed, field=field).pixels
    return Prepared(pixels, field, grid, shape, burnt_out=burnt_out)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(1, 90), st.integers(1, 90))
def test_masks_on_the_original_grid_are_the_cpus(seed, height, width):
    rng = np.random.default_rng(seed)
    low = cv2.GaussianBlur(rng.standard_normal((height, width, 4)).astype(np.float32), (0, 0), 3)
    probabilities = np.ascontiguousarray((127 + 40 * low.transpose(2, 0, 1)).astype(np.uint8))
    film = make_film((height, width), (4 * height, 3 * width))
    expected = imaging.restore(probabilities, film)
    levels = torch.tensor([128] * 4)
    found = film_ops.restore(torch.from_numpy(probabilities), film.original_shape, levels)
    np.testing.assert_array_equal(found.numpy(), expected)
    assert found.dtype == torch.uint8


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("window", [None, GridWindow(60, 100, 420, 500)])
def test_films_give_what_they_give_on_the_cpu(model, seed, window):
    film = collimated_film(seed, window=window)
    [expected] = open_cpu(model).segment([film])
    found, again = open_gpu(model, batch=2).segment([film, film])
    assert np.mean(found.masks == expected.masks) > 0.999
    error = np.abs(found.probabilities.astype(int) - expected.probabilities)
    assert np.mean(error <= 2) > 0.999
    np.testing.assert_array_equal(found.masks, again.masks)
    assert found.masks.any()
    assert found.grid == film.grid
    assert not found.probabilities[:, ~film.field].any()
    outside = np.ones(film.original_shape, bool)
    outside[grid_window(film.grid).slices] = False
    assert not found.masks[outside].any()


def test_options_are_those_of_the_cpu(model, tmp_path):
    film = make_film((96, 128))
    [a] = open_cpu(model, flips=True).segment([film])
    [b] = open_gpu(model, flips=True).segment([film])
    assert np.abs(a.probabilities.astype(int) - b.probabilities).max() <= 1
    pair = [deploy(model), deploy(make_model(tmp_path / "m", seed=1))]
    deployment = Deployment("two", HALVES, 8, Options(films=1))
    cpu = CpuEngine(tuple(TorchCpu(n, "float32", 1) for n in pair), deployment)
    [c], [d] = cpu.segment([film]), GpuEngine(pair, HostDevice(), deployment).segment([film])
    assert np.abs(c.probabilities.astype(int) - d.probabilities).max() <= 1


@settings(max_examples=8)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(1, 4))
def test_order_and_company_do_not_matter(model, company, batch):
    shapes = [(64, 64), (120, 150), (96, 200), (120, 150)]
    films = [make_film(shapes[i], seed=i) for i in company]
    engine = open_gpu(model, batch=batch)
    alone = {i: next(engine.segment([make_film(shapes[i], seed=i)])) for i in set(company)}
    for i, found in zip(company, engine.segment(films), strict=True):
        np.testing.assert_array_equal(found.masks, alone[i].masks)
        np.testing.assert_array_equal(found.probabilities, alone[i].probabilities)


@pytest.mark.parametrize("fits", [1, 2, 3])
def test_out_of_memory_halves_the_batch_and_goes_on(model, fits):
    films = [make_film((64, 64 + 32 * (i % 2)), seed=i) for i in range(9)]
    expected = list(open_cpu(model).segment(films))
    engine = open_gpu(model, fits=fits, batch=4)
    found = list(engine.segment(films))
    assert engine.batch == {1: 1, 2: 2, 3: 2}[fits]
    for a, b in zip(expected, found, strict=True):
        assert np.mean(a.masks == b.masks) > 0.999


def test_too_little_memory_for_one_film_says_what_to_do(model):
    engine = open_gpu(model, fits=0, batch=4)
    with pytest.raises(DeviceError, match=r"one film of 64 x 72 .*--device cpu"):
        list(engine.segment([make_film((64, 70))]))


def test_each_shape_is_captured_once(model):
    engine = open_gpu(model, batch=2)
    films = [make_film((64, 64 + 32 * (i % 3)), seed=i) for i in range(12)]
    list(engine.segment(films))
    list(engine.segment(films))
    assert engine.device.captured == 3


def test_copies_and_arithmetic_wait_for_each_other_on_the_gpu_only(model):
    """Inside the loop the streams wait for events; the host waits for finished batches alone."""
    engine = open_gpu(model, batch=2)
    stream = engine.segment([make_film((64, 64), seed=i) for i in range(10)])
    log = engine.device.log
    next(stream)
    assert log.count(("synchronize", "down")) == 1
    assert log.count(("record", "down")) == 3  # two more batches under way
    list(stream)
    once = [
        ("enter", "up"),
        ("record", "up"),
        ("wait", "compute for up"),
        ("enter", "compute"),
        ("record", "compute"),
        ("wait", "down for compute"),
        ("enter", "down"),
        ("record", "down"),
    ]
    assert [line for line in log if line[0] != "synchronize"] == once * 5
    assert {line for line in log if line[0] == "synchronize"} == {("synchronize", "down")}


def test_few_films_are_held_back_however_mixed_their_shapes(model):
    engine = open_gpu(model, batch=2)
    taken = []

    def films():
        for i in range(60):
            taken.append(i)
            yield make_film((32 + 8 * (i % 30), 32), seed=i)

    stream = engine.segment(films())
    next(stream)
    assert len(taken) <= 2 * 4 + 2 * 4
    assert sum(1 for _ in stream) == 59
