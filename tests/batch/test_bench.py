"""The benchmark measures what ``hoseg run`` does: the same masks, from processes of their own."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from hoseg.batch import bench
from hoseg.batch.bench import BenchPath, measure, measure_folder, peak_memory_mb, rate_of
from hoseg.imaging.prepare import prepare
from hoseg.infer.options import Options
from hoseg.infer.predictor import Predictor
from hoseg.radiograph import Radiograph, Spacing, SpacingSource


def decode(path: Path) -> Radiograph:
    return Radiograph(np.load(path), str(path), Spacing(0.2, 0.2, 0.0, SpacingSource.USER))


def write(path: Path, masks: np.ndarray) -> None:
    np.savez(path.with_suffix(".npz"), masks=masks, process=os.getpid())


@pytest.fixture
def films(tmp_path) -> list[Path]:
    paths = [tmp_path / f"film-{index}.npy" for index in range(3)]
    for index, path in enumerate(paths):
        soft = np.random.default_rng(index).standard_normal((300, 240))
        soft = cv2.GaussianBlur(soft, (0, 0), 9)
        np.save(path, (2000 + 900 * soft / np.abs(soft).max()).astype(np.uint16))
    return paths


def open_bench_path(model) -> BenchPath:
    options = Options(precision="float32", gate=False, films=1)
    return BenchPath(Predictor(model, "cpu", "onnx", options), decode, write)


def test_measures_add_up_and_masks_are_the_predictors(tiny_model, films, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "FILMS_A_PASS", 6)
    bench_path, out = open_bench_path(tiny_model), tmp_path / "out"
    out.mkdir()
    found = measure(bench_path, films, out, passes=1)
    assert found.bound_films_s == pytest.approx(1000 / sum(found.stages_ms.values()))
    assert found.share_of_bound == pytest.approx(found.end_to_end.median / found.bound_films_s)
    assert set(found.stages_ms) == {"decode", "prepare", "forward", "masks", "write"}
    assert found.end_to_end.passes == 1
    assert found.peak_memory_mb > 10
    for path in films:
        [expected] = bench_path.predictor.predict(
            [prepare(decode(path), bench_path.predictor.spacing_mm)]
        )
        np.testing.assert_array_equal(np.load(out / f"{path.stem}.npz")["masks"], expected.masks)


def test_a_folder_is_gone_through_by_workers(tiny_model, films, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    films_s, memory_mb = measure_folder(open_bench_path(tiny_model), films, out)
    assert films_s > 0
    assert memory_mb > 10
    assert peak_memory_mb() > 10
    makers = {int(np.load(path)["process"]) for path in out.glob("*.npz")}
    assert len(list(out.glob("*.npz"))) == 3
    assert os.getpid() not in makers


def test_rates_are_films_a_second():
    rate = rate_of([2.0, 1.0, 4.0], films=8)
    assert (rate.slowest, rate.median, rate.fastest, rate.passes) == (2.0, 4.0, 8.0, 3)
