from __future__ import annotations

import json

import numpy as np
import pytest

from hoseg.errors import DeviceError, SettingError
from hoseg.grade import GradingModels
from hoseg.grade.closeup import AttachmentNetwork
from hoseg.infer import derived, parity, reference, selection
from hoseg.infer.options import Options
from hoseg.infer.predictor import Predictor
from hoseg.infer.reference import Reference
from hoseg.infer.runtimes import REFERENCE, RUNTIMES
from hoseg.radiograph import Segmentation

from .samples import make_film, make_model

ONNX = next(row for row in RUNTIMES if row.label == "onnx/cpu/float32")


@pytest.fixture(autouse=True)
def small_films(monkeypatch):
    """Two small films instead of simulated radiographs."""
    films = [make_film((64, 96), (64, 96), seed=seed) for seed in range(2)]
    monkeypatch.setattr(reference, "simulate_films", lambda spacing_mm: films)


def hip(bridge: bool) -> np.ndarray:
    """A pelvis, a femur, and ossification that bridges them or stays 14 mm short of it."""
    import cv2

    masks = np.zeros((300, 240), np.uint8)
    masks[20:110, 30:200] |= 1
    femur = np.zeros_like(masks)
    cv2.circle(femur, (120, 130), 24, 1, -1)
    cv2.line(femur, (120, 130), (160, 180), 1, 22)
    cv2.line(femur, (165, 170), (165, 299), 1, 30)
    masks |= femur * np.uint8(2)
    bone = np.zeros_like(masks)
    cv2.line(bone, (185, 105), (178, 175) if bridge else (184, 132), 1, 10)
    return masks | bone * np.uint8(8)


def answer(masks: np.ndarray) -> Segmentation:
    """What a network would give: certain of every pixel, on the grid of the film."""
    planes = np.stack([np.where(masks & bit, 255, 0) for bit in (1, 2, 4, 8)]).astype(np.uint8)
    grid = make_film(masks.shape, masks.shape).grid
    return Segmentation(masks, planes, grid, "test")


def references(masks: np.ndarray) -> Reference:
    film = make_film(masks.shape, masks.shape)
    return Reference((film,), (answer(masks),))


def test_equal_masks_pass():
    result = parity.compare(references(hip(True)), [answer(hip(True))])
    assert result.passed
    assert result.agreement == 1
    assert result.worst_dice == 1


@pytest.mark.parametrize(("pixels", "passes"), [(36, True), (37, False)])
def test_the_gate_closes_at_5_in_10000_pixels(pixels, passes):
    truth = hip(False)  # 72,000 pixels: 36 may differ
    found = truth.copy()
    found[-1, :pixels] ^= 4
    result = parity.compare(references(truth), [answer(found)])
    assert result.changed_hips == 0
    assert result.agreement == pytest.approx(1 - pixels / 72_000)
    assert result.passed == passes


def test_a_changed_class_fails_however_few_pixels():
    truth, found = hip(True), hip(True)
    bridge = (truth & 8) > 0
    found[140:155][bridge[140:155]] &= 7  # a gap in the bridge
    film = make_film(truth.shape, truth.shape)
    assert parity.count_changed_hips(film, answer(truth), answer(found)) == 1
    big = Reference(
        (make_film(truth.shape, truth.shape),) + (make_film((2000, 2000), (2000, 2000)),),
        (answer(truth), answer(np.zeros((2000, 2000), np.uint8))),
    )
    result = parity.compare(big, [answer(found), answer(np.zeros((2000, 2000), np.uint8))])
    assert result.agreement > parity.MIN_AGREEMENT
    assert not result.passed
    assert "1 hip classes changed" in result.sentence


class DoubtsFaintBone:
    """A network for attachment that trusts a contact where the ossification is dense."""

    def log_odds(self, close_ups):
        dense = [shown[4].max() > 200 for shown in close_ups]
        return np.array([[9.0 if sure else -9.0] * 2 for sure in dense])


def test_a_contact_that_no_longer_counts_is_a_changed_class():
    truth, found = answer(hip(True)), answer(hip(True))
    found.probabilities[3] //= 2
    doubts = GradingModels(contacts=AttachmentNetwork(DoubtsFaintBone()))
    film = make_film(truth.masks.shape, truth.masks.shape)
    assert parity.count_changed_hips(film, truth, found) == 0
    assert parity.count_changed_hips(film, truth, truth, doubts) == 0
    assert parity.count_changed_hips(film, truth, found, doubts) == 1


def test_worst_dice_is_of_the_worst_structure():
    truth = np.zeros((100, 100), np.uint8)
    truth[:50] |= 1
    truth[:, :20] |= 8
    found = truth & 7
    found[:10] |= 8
    expected = 2 * 200 / (2000 + 1000)
    assert parity.compare(references(truth), [answer(found)]).worst_dice == pytest.approx(expected)


def test_reference_survives_the_way_to_disk(model, tmp_path):
    path = tmp_path / derived.REFERENCE
    reference.make_reference(model, path)
    found = reference.load_reference(path)
    assert len(found.films) == len(found.answers) == 2
    for film, original in zip(found.films, reference.simulate_films(0.5), strict=True):
        np.testing.assert_allclose(film.pixels, np.clip(original.pixels, -4.12, 4.1), atol=0.017)
        np.testing.assert_array_equal(film.field, original.field)


def test_the_reference_is_float32_torch(model):
    kept = reference.reference_of(model)
    torch_row = Predictor(model, "cpu", "torch", Options(precision="float32"))
    for film, known in zip(kept.films, kept.answers, strict=True):
        (found,) = torch_row.predict([film])
        np.testing.assert_array_equal(found.masks, known.masks)
        np.testing.assert_array_equal(found.probabilities, known.probabilities)


class Wrong:
    """An engine that answers with empty masks."""

    def segment(self, films):
        for film in films:
            empty = np.zeros(film.original_shape, np.uint8)
            yield Segmentation(empty, np.zeros((4, *film.grid.shape), np.uint8), film.grid, "wrong")


def test_a_runtime_that_fails_is_reported_and_not_used(model, monkeypatch):
    original = selection.open_engine

    def broken(row, models, device, options):
        return Wrong() if row.name == "onnx" else original(row, models, device, options)

    monkeypatch.setattr(selection, "open_engine", broken)
    with pytest.raises(DeviceError, match=r"onnx/cpu/float32: .*gate wants"):
        Predictor(model, "cpu", "onnx")
    chosen = Predictor(model, "cpu").choice
    assert chosen.runtime != "onnx"
    outcome = {a.runtime: a.outcome for a in chosen.attempts}
    assert outcome["onnx/cpu/float32"] == "failed"


def test_a_verdict_is_kept_and_belongs_to_one_model(model, tmp_path, monkeypatch):
    calls = []
    original = parity.compare
    monkeypatch.setattr(parity, "compare", lambda *a: calls.append(1) or original(*a))
    Predictor(model, "cpu", "onnx")
    Predictor(model, "cpu", "onnx")
    assert len(calls) == 1
    Predictor(make_model(tmp_path / "small-1", seed=1), "cpu", "onnx")
    assert len(calls) == 2


def test_a_damaged_verdict_is_judged_again(model, cache):
    Predictor(model, "cpu", "onnx")
    [path] = (cache / "parity").glob("*.json")
    path.write_text('{"passed": true}')
    Predictor(model, "cpu", "onnx")
    assert set(json.loads(path.read_text())) > {"passed", "agreement"}


def test_auto_takes_the_fastest_that_passes_and_says_why(model, monkeypatch):
    times = {"onnx/cpu/float32": 30.0, "openvino/cpu/float32": 20.0, "openvino/cpu/bfloat16": 5.0}

    def check_parity(row, model, device, open_engine):
        passed = row.precision == "float32"
        return parity.ParityResult(passed, 0.9, 0.9, 0, times.get(row.label, 99.0), "a sentence")

    monkeypatch.setattr(selection, "check_parity", check_parity)
    monkeypatch.setattr(selection.Runtime, "why_not", lambda row, d: "x" * (row.device == "cuda"))
    choice = Predictor(model).choice
    assert (choice.runtime, choice.device, choice.precision) == ("openvino", "cpu", "float32")
    assert "20 ms a film, against onnx/cpu/float32 30 ms" in choice.reason
    outcome = {a.runtime: a.outcome for a in choice.attempts}
    assert outcome["openvino/cpu/bfloat16"] == "failed"
    assert outcome["onnx/cpu/float32"] == "passed"
    assert outcome["torch/cuda/float16"] == "unavailable"
    assert REFERENCE.label not in outcome  # torch is not even imported when another one passed


def test_cuda_is_an_error_where_there_is_none(model, monkeypatch):
    monkeypatch.setattr(
        selection.Runtime, "why_not", lambda row, d: "no driver" if row.device == "cuda" else ""
    )
    with pytest.raises(DeviceError, match=r"device 'cuda' cannot be used.*no driver"):
        Predictor(model, "cuda")


@pytest.mark.parametrize(
    ("device", "runtime", "precision", "key"),
    [
        ("gpu", None, None, "device"),
        ("cuda:", None, None, "device"),
        ("cpu", "tensorrt", None, "runtime"),
        ("cpu", "onnx", "bfloat16", "runtime"),
        ("cuda", "openvino", None, "runtime"),
    ],
)
def test_what_is_not_in_the_table_is_refused(model, device, runtime, precision, key):
    with pytest.raises(SettingError, match=key):
        Predictor(model, device, runtime, Options(precision=precision))


def test_derived_files_lie_where_the_reference_is_looked_for(model, cache):
    reference.reference_of(model)
    assert (derived.cache_folder(model) / derived.REFERENCE).is_file()
