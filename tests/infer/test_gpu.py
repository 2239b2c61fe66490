"""The GPU path, run on the CPU: everything but CUDA's own streams and graphs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hoseg.errors import DeviceError
from hoseg.imaging import intensity
from hoseg.imaging import prepare as imaging
from hoseg.imaging.resample import GridWindow, make_grid, to_grid
from hoseg.infer.engine import CpuEngine, Deployment
from hoseg.infer.gpu import film_ops
from hoseg.infer.gpu.engine import GpuEngine
from hoseg.infer.options import Options
from hoseg.infer.runtimes.deploy import deploy
from hoseg.infer.runtimes.torch_cpu import TorchCpu

from .host_device import HostDevice
from .samples import make_film, make_model

HALVES = (0.5, 0.5, 0.5, 0.5)


def open_gpu(model, fits=None, **options) -> GpuEngine:
    deployment = Deployment("test", HALVES, 8, Options(**options))
    return GpuEngine([deploy(model)], HostDevice(fits), deployment)


def open_cpu(model, **options) -> CpuEngine:
    deployment = Deployment("test", HALVES, 8, Options(films=1, **options))
    return CpuEngine((TorchCpu(deploy(model), "float32", 1),), deployment)


def raw_film(dtype=np.uint16, seed=0, shape=(480, 600), window=None) -> imaging.RawFilm:
    rng = np.random.default_rng(seed)
    soft = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), 12)
    soft = (soft - soft.min()) / np.ptp(soft)
    top = 250 if dtype == np.uint8 else 4000
    pixels = (soft * top - (2000 if dtype == np.int16 else 0)).astype(dtype)
    if dtype == np.uint16:
        pixels[:40, :40] = 65_000  # above the range of int16, in which it travels
    grid = make_grid(window or GridWindow(0, 0, *shape), (0.14, 0.14), (0.5, 0.5))
    field = np.ones(grid.shape, bool)
    field[:5] = False
    burnt_out = (np.array([[0, 0], [200, 0], [0, 250]], np.int32),)
    return imaging.RawFilm(pixels, field, grid, inverted=bool(seed % 2), burnt_out=burnt_out)


@settings(max_examples=40)
@given(st.integers(20, 120), st.integers(20, 120), st.data())
def test_resampling_is_opencvs(height, width, data):
    shape = (data.draw(st.integers(5, height)), data.draw(st.integers(5, width)))
    image = np.random.default_rng(height * width).integers(0, 4096, (height, width))
    image = image.astype(np.uint16)
    grid = make_grid(GridWindow(0, 0, height, width), (1, 1), (height / shape[0], width / shape[1]))
    expected = to_grid(image, grid).astype(np.float32)
    pixels = film_ops.unfold_uint16(torch.from_numpy(image.view(np.int16)))
    exact = film_ops.resample(pixels, grid.shape).numpy()
    found = np.round(exact)
    assert np.abs(found - expected).max() <= 1  # the last bit of a sum
    half = np.abs(exact % 1 - 0.5) < 1e-3  # OpenCV rounds up what it halves, others to even
    assert np.count_nonzero((found != expected) & ~half) <= 3 + 0.02 * found.size


def test_enlarging_is_opencvs():
    image = np.random.default_rng(0).uniform(0, 1, (40, 50)).astype(np.float32)
    expected = cv2.resize(image, (75, 90), interpolation=cv2.INTER_LINEAR)
    found = film_ops.resample(torch.from_numpy(image), (90, 75)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.floats(0, 0.4), st.floats(0, 0.4), st.booleans())
def test_normalisation_is_the_cpus(seed, burnt, black, collimated):
    rng = np.random.default_rng(seed)
    image = rng.normal(2000, 300, (90, 110)).astype(np.float32)
    image[rng.random(image.shape) < burnt] = 4095
    image[rng.random(image.shape) < black] = 0
    field = None
    if collimated:
        field = np.zeros(image.shape, bool)
        field[10:80, 20:90] = True
    expected = intensity.normalise(image, field)
    mask = None if field is None else torch.from_numpy(field)
    found = film_ops.normalise(torch.from_numpy(image), mask).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_flat_film_becomes_zero(value):
    image = np.full((40, 40), value, np.float32)
    assert not film_ops.normalise(torch.from_numpy(image), None).any()
    empty = torch.zeros((40, 40), dtype=torch.bool)
    assert not film_ops.normalise(torch.rand(40, 40), empty).any()


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


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32])
@pytest.mark.parametrize("seed", [0, 1])
def test_raw_films_give_what_prepared_ones_give(model, dtype, seed):
    raw = raw_film(dtype, seed)
    prepared = imaging.develop(raw)
    [a] = open_cpu(model).segment([prepared])
    engine = open_gpu(model, batch=2)
    b, c = engine.segment([raw, prepared])
    for found in (b, c):
        error = np.abs(found.probabilities.astype(int) - a.probabilities)
        assert np.mean(error <= 2) > 0.999
        assert np.mean(found.masks == a.masks) > 0.999
        assert found.grid == raw.grid
    assert not b.probabilities[:, ~raw.field].any()


def test_a_film_collimated_by_its_window_lands_in_its_place(model):
    window = GridWindow(60, 100, 420, 500)
    raw = raw_film(window=window)
    [found] = open_gpu(model).segment([raw])
    [expected] = open_cpu(model).segment([imaging.develop(raw)])
    outside = np.ones(raw.original_shape, bool)
    outside[window.slices] = False
    assert not found.masks[outside].any()
    assert np.mean(found.masks == expected.masks) > 0.999


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
