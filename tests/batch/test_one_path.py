"""``run``, ``evaluate``, ``bench`` and Python send a film to a device in one way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hoseg.batch import bench, item, run
from hoseg.batch.settings import RunSettings
from hoseg.cli.bench import _decode, _write
from hoseg.dicom import Source, decode
from hoseg.evaluate.model import EvaluatedPipeline
from hoseg.infer.options import Options
from hoseg.infer.predictor import Predictor
from hoseg.pipeline import Pipeline
from hoseg.report.png import encode_png

from .films import HerePool, dicom_film, save


@pytest.fixture
def film(tmp_path) -> Path:
    return save(dicom_film(3, PatientOrientation=["L", "F"]), tmp_path / "film.dcm")


@pytest.fixture
def predictor(tiny_model) -> Predictor:
    return Predictor(tiny_model, "cpu", "onnx", Options(gate=False, films=1))


@pytest.fixture
def calls(monkeypatch) -> list[np.ndarray]:
    """What is sent to the device, whoever sends it."""
    from hoseg.infer.runtimes.onnx_cpu import OnnxCpu

    sent: list[np.ndarray] = []
    original = OnnxCpu.__call__

    def record(network, pixels):
        sent.append(pixels.copy())
        return original(network, pixels)

    monkeypatch.setattr(OnnxCpu, "__call__", record)
    return sent


def by_run(film: Path, predictor: Predictor, out: Path, tiny_model: Path) -> bytes:
    settings = RunSettings(out=out, model=str(tiny_model), device="cpu", runtime="onnx", workers=1)
    list(run.run_batch([film], settings, predictor))
    (masks,) = out.glob("studies/*/*/masks.png")
    return masks.read_bytes()


def by_bench(film: Path, predictor: Predictor, out: Path) -> bytes:
    out.mkdir()
    path = bench.BenchPath(predictor, _decode, _write)
    with bench._open_workers(path, out) as workers:
        workers.run([film])
    return (out / f"{film.stem}.png").read_bytes()


def test_the_same_calls_with_the_same_pixels(
    film, predictor, calls, tmp_path, tiny_model, monkeypatch
):
    for module in (run, bench):
        monkeypatch.setattr(module, "WorkerPool", HerePool)
    # To a network of noise, noise lies on its side: only run and Python would look a second time.
    monkeypatch.setattr("hoseg.pipeline.stand_upright", lambda segmenter, reading: (0, reading))
    (radiograph,) = decode(Source(film, str(film)))
    masks, sent = {}, {}

    def keep(name: str, found: bytes) -> None:
        masks[name], sent[name] = found, list(calls)
        calls.clear()

    keep("python", encode_png(Pipeline(predictor).read(radiograph).masks()))
    keep("run", by_run(film, predictor, tmp_path / "run", tiny_model))
    judged = EvaluatedPipeline(Pipeline(predictor)).segment(radiograph)
    keep("evaluate", encode_png(judged.reading.segmentation.masks))
    keep("bench", by_bench(film, predictor, tmp_path / "bench"))
    assert len(sent["python"]) >= 1
    for name, pixels in sent.items():
        assert len(pixels) == len(sent["python"]), name
        for ours, theirs in zip(pixels, sent["python"], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert masks[name] == masks["python"], name


def test_workers_of_run_and_bench_are_opened_in_one_way(
    film, predictor, tmp_path, tiny_model, monkeypatch
):
    opened = []

    def open_chosen(model, choice, number, options=None):
        opened.append((choice, number, (options or Options()).threads))
        return predictor

    for module in (item, bench):
        monkeypatch.setattr(module, "open_chosen", open_chosen)
    settings = RunSettings(out=tmp_path, model=str(tiny_model))
    item.make_worker(settings, predictor.choice, 3)
    opened_as = bench._OpenedAs((tiny_model,), predictor.choice, predictor.options)
    bench.make_worker(opened_as, _decode, _write, tmp_path, 3)(film)
    assert opened == [(predictor.choice, 3, 1)] * 2


def test_run_and_bench_work_in_processes_of_one_kind():
    assert bench.WorkerPool is run.WorkerPool


def test_the_bound_is_made_of_what_is_unavoidable():
    """Masks and what follows the network are ours: on a card they count against the share."""
    stages = {"decode": 50.0, "prepare": 20.0, "forward": 20.0, "masks": 8.0, "write": 2.0}
    network = bench.Rate(600.0, 590.0, 610.0, 3)
    assert bench.bounds_of(stages, network, 2, on_card=False) == {"cores": 20.0}
    found = bench.bounds_of(stages, network, 2, on_card=True)
    assert found == {"decode": 40.0, "card": 600.0}
