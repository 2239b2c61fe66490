import csv
import json
import os
import shutil

import cv2
import numpy as np
import pytest

from hoseg.batch.item import image_folder
from hoseg.batch.run import run_batch
from hoseg.batch.settings import RunSettings
from hoseg.errors import HosegError, OutputError, SettingError
from hoseg.infer.predictor import Options, Predictor
from hoseg.radiograph import Attributes


@pytest.fixture(scope="module")
def predictor(tiny_model):
    return Predictor(tiny_model, device="cpu", runtime="onnx", options=Options(gate=False))


@pytest.fixture
def films(tmp_path):
    """Two pictures, a text, an empty file and a broken one, two folders deep."""
    folder = tmp_path / "in" / "deep" / "er"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(2):
        smooth = cv2.GaussianBlur(rng.normal(size=(400, 380)).astype(np.float32), (0, 0), 8)
        cv2.imwrite(str(folder / f"film{k}.png"), (30000 + 200000 * smooth).astype(np.uint16))
    (folder / "notes.txt").write_text("not an image")
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 200)
    return tmp_path / "in"


def settings(tiny_model, out, **more):
    more = {"workers": 1, "spacing_mm": 0.8, "device": "cpu", "runtime": "onnx"} | more
    return RunSettings(out=out, model=str(tiny_model), **more)


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def tables(out):
    return {name: (out / name).read_bytes() for name in ("images.csv", "findings.csv")}


def test_every_input_has_one_row(films, tiny_model, predictor, tmp_path):
    out = tmp_path / "out"
    steps = list(run_batch([films], settings(tiny_model, out), predictor))
    assert [step.done for step in steps] == [1, 2, 3, 4, 5]
    found = rows(out / "images.csv")
    assert [os.path.basename(row["source"]) for row in found] == [
        "broken.dcm", "empty.dcm", "film0.png", "film1.png", "notes.txt",
    ]  # fmt: skip
    status = {os.path.basename(row["source"]): (row["status"], row["reason"]) for row in found}
    assert status["notes.txt"] == ("skipped", "not_an_image")
    assert status["empty.dcm"] == ("failed", "empty_file")
    assert status["broken.dcm"][0] in ("failed", "skipped")
    assert status["film0.png"][0] in ("abstained", "graded")
    manifest = json.loads((out / "run.json").read_text())
    assert sum(manifest["counts"].values()) == 5
    assert manifest["model"].startswith("tiny@")
    assert not (out / ".partial").exists()


def test_masks_have_the_size_of_the_film(films, tiny_model, predictor, tmp_path):
    out = tmp_path / "out"
    list(run_batch([films], settings(tiny_model, out), predictor))
    folders = sorted((out / "studies").glob("*/*"))
    assert len(folders) == 2
    for folder in folders:
        assert cv2.imread(str(folder / "masks.png"), cv2.IMREAD_UNCHANGED).shape == (400, 380)
        assert cv2.imread(str(folder / "overlay.png")).shape[1] == 380
        assert json.loads((folder / "result.json").read_text())["disclaimer"]


def test_a_second_run_does_nothing_twice(films, tiny_model, predictor, tmp_path):
    out = tmp_path / "out"
    list(run_batch([films], settings(tiny_model, out), predictor))
    first = tables(out)
    masks = next((out / "studies").glob("*/*/masks.png"))
    before = masks.stat().st_mtime_ns
    steps = list(run_batch([films], settings(tiny_model, out), predictor))
    assert sum(step.before for step in steps) == 5
    assert masks.stat().st_mtime_ns == before
    assert tables(out) == first


def test_a_changed_file_is_done_again(films, tiny_model, predictor, tmp_path):
    out = tmp_path / "out"
    list(run_batch([films], settings(tiny_model, out), predictor))
    shutil.copy(films / "deep" / "er" / "film0.png", films / "deep" / "er" / "empty.dcm")
    list(run_batch([films], settings(tiny_model, out), predictor))
    found = {os.path.basename(row["source"]): row["reason"] for row in rows(out / "images.csv")}
    assert found["empty.dcm"] != "empty_file"


def test_stopping_half_way_keeps_what_is_done(films, tiny_model, predictor, tmp_path):
    out, whole = tmp_path / "out", tmp_path / "whole"
    steps = run_batch([films], settings(tiny_model, out), predictor)
    next(steps)
    steps.close()
    assert (out / "images.csv").exists()
    list(run_batch([films], settings(tiny_model, out), predictor))
    list(run_batch([films], settings(tiny_model, whole), predictor))
    assert tables(out) == tables(whole)


def test_an_empty_folder_is_an_error(tiny_model, predictor, tmp_path):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(HosegError, match="no files in"):
        list(run_batch([tmp_path / "nothing"], settings(tiny_model, tmp_path / "o"), predictor))


def test_an_output_that_cannot_be_written(films, tiny_model, predictor, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="give --out a folder that can be written"):
        list(run_batch([films], settings(tiny_model, tmp_path / "file"), predictor))


@pytest.mark.parametrize(
    ("key", "value"), [("workers", 0), ("limit_s", -1.0), ("spacing_mm", float("nan"))]
)
def test_bad_settings_name_the_option(tiny_model, tmp_path, key, value):
    with pytest.raises(SettingError, match=f"--{key.replace('_', '-')}"):
        settings(tiny_model, tmp_path, **{key: value})


@pytest.mark.parametrize(
    "uid", ["../../../etc/passwd", "/abs", "a/b", "..", "con", "x" * 300, "é<script>", "\0"]
)
def test_identifiers_cannot_lead_out_of_the_folder(uid):
    folder = image_folder("film.dcm", Attributes(study_uid=uid, sop_uid=uid))
    parts = folder.split("/")
    assert len(parts) == 3
    assert parts[0] == "studies"
    assert all(part not in ("", ".", "..") and len(part) < 120 for part in parts)
