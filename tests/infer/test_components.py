"""Components are kept by their peak, the same ones on every path through every engine."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.special import expit, logit
from skimage.filters import apply_hysteresis_threshold

from hoseg.errors import ModelError, SettingError
from hoseg.imaging.prepare import restore
from hoseg.infer import components, reference
from hoseg.infer.components import drop_weak, tidy_bones
from hoseg.infer.deploy import deploy
from hoseg.infer.engine import Engine, deployment_of
from hoseg.infer.export import export_model
from hoseg.infer.options import Options
from hoseg.infer.predictor import Predictor
from hoseg.infer.runtimes.torch_cpu import TorchCpu
from hoseg.infer.runtimes.torch_cuda import TorchCuda
from hoseg.segment.card import ModelCard
from hoseg.segment.peaks import FINE_SHIFT, peak_rules
from hoseg.segment.weights import load_model

from .samples import make_film, make_model

HALVES = (0.5, 0.5, 0.5, 0.5)
PEAK = 0.999
RULES = peak_rules(HALVES, (None, None, None, PEAK))


def answer_of(logits: np.ndarray) -> np.ndarray:
    """What a network with these logits (h, w) of ossification answers, other structures none."""
    answer = np.zeros((5, *logits.shape), np.uint8)
    answer[3] = 255 / (1 + np.exp(-logits)) + 0.5
    answer[4] = 255 / (1 + np.exp(FINE_SHIFT - logits)) + 0.5
    return answer


def blobs(*heights: float) -> np.ndarray:
    """Logits (40, 20 n) of round lesions side by side, each with its own peak."""
    logits = np.full((40, 20 * len(heights)), -8.0)
    rows, columns = np.mgrid[:40, : 20 * len(heights)]
    for index, height in enumerate(heights):
        distance = np.hypot(rows - 20, columns - 20 * index - 10)
        logits = np.maximum(logits, height - 0.9 * distance)
    return logits


@pytest.mark.parametrize(("height", "kept"), [(6.0, False), (6.8, False), (7.0, True), (9.0, True)])
def test_a_lesion_is_kept_by_its_peak_beyond_the_steps_of_a_byte(height, kept):
    assert logit(PEAK) == pytest.approx(6.907, abs=1e-3)
    answer, film = answer_of(blobs(height)), make_film((40, 20), (160, 80))
    masks = restore(answer[:4], film)
    drawn = masks.copy()
    drop_weak(answer, masks, film.grid, RULES)
    assert drawn.any()
    np.testing.assert_array_equal(masks, drawn if kept else 0)
    assert (answer[3].max() >= 128) == kept


def test_neighbours_and_other_structures_stay():
    answer, film = answer_of(blobs(9, 5, 8)), make_film((40, 60), (100, 170))
    answer[0, 10:30, 5:55] = 255
    before = answer.copy()
    masks = restore(answer[:4], film)
    drawn = masks.copy()
    drop_weak(answer, masks, film.grid, RULES)
    np.testing.assert_array_equal(answer[[0, 1, 2, 4]], before[[0, 1, 2, 4]])
    np.testing.assert_array_equal(masks & 7, drawn & 7)
    third = 170 // 3
    np.testing.assert_array_equal(masks[:, :third], drawn[:, :third])
    np.testing.assert_array_equal(masks[:, -third:], drawn[:, -third:])
    assert not (masks[:, third + 2 : -third - 2] & 8).any()


def test_a_speck_of_bone_goes_and_pieces_and_corners_stay():
    answer = np.zeros((5, 80, 90), np.uint8)
    answer[1, 10:50, 10:50] = 255  # the bone
    answer[1, 55:75, 30:50] = 255  # a piece of it
    answer[1, 20:26, 70:76] = 255  # a speck
    answer[1, 40:46, 84:90] = 255  # a corner of another bone, cut by the border
    answer[2, 60:63, 70:73] = 255  # a screw is small
    film = make_film((80, 90), (200, 240))
    masks = restore(answer[:4], film)
    expected, drawn = answer.copy(), masks.copy()
    expected[1, 20:26, 70:76] = 0
    tidy_bones(answer, masks, film.grid, {0: 0.5, 1: 0.5})
    np.testing.assert_array_equal(answer >= 128, expected >= 128)
    np.testing.assert_array_equal(masks, restore(expected[:4], film))
    assert (drawn != masks).any()


def test_a_pinhole_is_filled_and_a_foramen_and_a_bay_stay():
    answer = np.zeros((5, 80, 90), np.uint8)
    answer[0, 10:70, 10:] = 255
    answer[0, 30:50, 30:50] = 0  # 100 mm2
    expected = answer.copy()
    answer[0, 20:24, 60:66] = 40  # 6 mm2
    answer[0, 40, 86:] = expected[0, 40, 86:] = 0  # open to the border
    film = make_film((80, 90), (200, 240))
    masks = restore(answer[:4], film)
    drawn = masks.copy()
    tidy_bones(answer, masks, film.grid, {0: 0.5})
    np.testing.assert_array_equal(answer >= 128, expected >= 128)
    np.testing.assert_array_equal(masks, restore(expected[:4], film))
    assert (drawn != masks).any()


@given(st.integers(0, 10_000), st.floats(0.5, 0.75))
@settings(max_examples=60)
def test_specks_are_the_small_pieces_that_labels_show(seed, threshold):
    noise = np.random.default_rng(seed).standard_normal((70, 60)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    answer = np.zeros((4, 70, 60), np.uint8)
    answer[0] = (255 / (1 + np.exp(-3 * smooth / smooth.std()))).round()
    film = make_film((70, 60), (70, 60))
    drawn = answer[0] >= np.ceil(255 * threshold)
    labels, count = ndimage.label(drawn, np.ones((3, 3)))
    areas = ndimage.sum_labels(drawn, labels, range(1, count + 1)) * 0.25
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    gone = [
        k + 1
        for k, area in enumerate(areas)
        if area < 60 and area < areas.max() and k + 1 not in edge
    ]
    tidy_bones(answer, restore(answer, film, (threshold,) * 4), film.grid, {0: threshold})
    kept = answer[0] >= np.ceil(255 * threshold)
    assert not kept[np.isin(labels, gone)].any()
    assert kept[drawn & ~np.isin(labels, gone)].all()


@given(st.integers(0, 10_000), st.floats(0.6, 4.0))
def test_many_parts_at_once_are_painted_as_one_by_one(seed, sigma):
    noise = np.random.default_rng(seed).standard_normal((60, 70)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma)
    film = make_film((60, 70), (151, 187))
    left = []
    for many in (0, 10_000):
        answer = np.zeros((5, 60, 70), np.uint8)
        answer[0] = answer[3] = (255 / (1 + np.exp(-3 * smooth / smooth.std()))).round()
        masks = restore(answer[:4], film)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(components, "MANY", many)
            tidy_bones(answer, masks, film.grid, {0: 0.5})
            drop_weak(answer, masks, film.grid, RULES)
        left.append((answer, masks))
    np.testing.assert_array_equal(left[0][0], left[1][0])
    np.testing.assert_array_equal(left[0][1], left[1][1])


def test_a_bone_that_is_all_small_pieces_keeps_the_largest():
    answer = np.zeros((5, 60, 60), np.uint8)
    answer[0, 10:15, 10:15] = answer[0, 30:34, 30:34] = 200
    film = make_film((60, 60), (60, 60))
    masks = restore(answer[:4], film)
    tidy_bones(answer, masks, film.grid, {0: 0.5})
    assert np.argwhere(masks & 1).max() == 14


def test_nothing_is_drawn_and_nothing_happens():
    answer, film = answer_of(np.full((40, 40), -3.0)), make_film((40, 40), (80, 80))
    before, masks = answer.copy(), np.zeros((80, 80), np.uint8)
    drop_weak(answer, masks, film.grid, RULES)
    np.testing.assert_array_equal(answer, before)


def test_a_dropped_lesion_stays_out_as_far_as_its_peak_falls_short():
    """A grader that lowers the threshold by half a logit must not find it again, nor its rim."""
    answer, film = answer_of(blobs(4.0)), make_film((40, 20), (40, 20))
    drawn = answer[3] >= 128
    drop_weak(answer, restore(answer[:4], film), film.grid, RULES)
    allowed = logit(0.5) - (logit(PEAK) - 4.0)
    assert answer[3][drawn].max() <= 255 * expit(allowed)
    assert answer[3].max() < 255 * expit(-0.5)
    fainter = answer_of(blobs(3.0))
    drop_weak(fainter, restore(fainter[:4], film), film.grid, RULES)
    assert fainter[3][20, 10] < answer[3][20, 10]


@settings(max_examples=40)
@given(
    st.integers(0, 10_000),
    st.integers(8, 60),
    st.integers(8, 60),
    st.floats(0.6, 6),
    st.floats(0.6, 6),
)
def test_masks_are_those_of_the_lesions_with_a_peak(seed, height, width, tall, wide):
    """As if the network had answered nothing at all where a component has no peak."""
    rng = np.random.default_rng(seed)
    soft = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), 1.5)
    logits = 12 * soft / max(soft.std(), 1e-6) - 4
    film = make_film((height, width), (max(1, int(height * tall)), max(1, int(width * wide))))
    answer = answer_of(np.clip(logits, -20, 20))
    expected = answer[:4].copy()
    fine = RULES[0].peak_level
    # skimage joins by edges; our components are joined by corners too, hence the padding trick:
    kept = hysteresis_8(answer[3] >= 128, answer[4] >= fine)
    expected[3][(expected[3] >= 128) & ~kept] = 0
    masks = restore(answer[:4], film)
    drop_weak(answer, masks, film.grid, RULES)
    np.testing.assert_array_equal(masks, restore(np.ascontiguousarray(expected), film))


def hysteresis_8(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """scikit-image's hysteresis (4-connected) on a grid where diagonals are steps as well."""
    tall = [np.zeros((2 * low.shape[0] + 1, 2 * low.shape[1] + 1), bool) for _ in range(2)]
    for big, small in zip(tall, (low, high), strict=True):
        big[1::2, 1::2] = small
    dense = cv2.dilate(tall[0].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    levels = dense.astype(float) + (tall[1] & tall[0])
    return np.asarray(apply_hysteresis_threshold(levels, 0.5, 1.5)[1::2, 1::2] & low)


@pytest.fixture(scope="module")
def peaked(tmp_path_factory):
    """A model whose ossification comes in many components, some with a peak."""
    folder = tmp_path_factory.mktemp("peaked") / "m"
    return make_model(folder, seed=0, peaks=(None, None, None, 0.994))


def open_torch(model, **options) -> Predictor:
    return Predictor(model, "cpu", "torch", Options(precision="float32", gate=False, **options))


def test_a_predictor_follows_the_card(peaked, tmp_path):
    plain = make_model(tmp_path / "plain", seed=0)
    film = make_film(seed=2)
    [all_of_it], [kept] = (open_torch(m).predict([film]) for m in (plain, peaked))
    assert kept.probabilities.shape == all_of_it.probabilities.shape == (4, 120, 150)
    np.testing.assert_array_equal(kept.masks & 7, all_of_it.masks & 7)
    dropped = (all_of_it.masks & 8) & ~kept.masks
    assert dropped.any()
    assert (kept.masks & 8).any()
    assert not ((kept.masks & 8) & ~all_of_it.masks).any()


@pytest.mark.parametrize("options", [{}, {"flips": True}])
def test_a_card_keeps_the_same_components(peaked, options):
    films = [make_film((64, 96), (300, 410), seed=seed) for seed in range(4)]
    deployment = deployment_of((peaked,), Options(films=1, **options))
    card = Engine((TorchCuda(deploy(peaked), torch.device("cpu")),), deployment)
    cpu = Engine((TorchCpu(deploy(peaked), "float32", 1),), deployment)
    for a, b in zip(cpu.segment(films), card.segment(films), strict=True):
        assert b.probabilities.shape == (4, 64, 96)
        np.testing.assert_array_equal(a.masks, b.masks)


def test_tiles_of_the_films_own_size_change_nothing(peaked):
    film = make_film((96, 128))
    [tiled], [whole] = (open_torch(peaked, tile=t).predict([film]) for t in ((96, 128), None))
    np.testing.assert_array_equal(tiled.masks, whole.masks)


def test_an_ensemble_of_one_model_twice_is_that_model(peaked, tmp_path):
    film = make_film()
    [one], [two] = (open_torch(models).predict([film]) for models in (peaked, [peaked, peaked]))
    np.testing.assert_array_equal(one.masks, two.masks)


def test_an_ensemble_takes_the_mean_logit_of_peaks(peaked, tmp_path):
    other = make_model(tmp_path / "o", seed=1, peaks=(None, None, None, 0.99))
    [rule] = deployment_of((peaked, other), Options()).rules
    assert logit(rule.peak) == pytest.approx((logit(0.994) + logit(0.99)) / 2)
    with pytest.raises(SettingError, match="peaks for the same structures"):
        open_torch([peaked, make_model(tmp_path / "none")])


def test_an_export_answers_the_fine_plane_and_passes(peaked, tmp_path, monkeypatch):
    films = [make_film((64, 96), (64, 96), seed=seed) for seed in range(2)]
    monkeypatch.setattr(reference, "simulate_films", lambda spacing_mm: films)
    done = export_model(peaked, "onnx", tmp_path)
    assert done.parity.passed
    onnx = Predictor(peaked, "cpu", "onnx", Options(gate=False))
    for film in films:
        [a], [b] = onnx.predict([film]), open_torch(peaked).predict([film])
        assert np.mean(a.masks == b.masks) > 0.9995


def test_old_cards_have_no_peaks(model):
    text = (model.path / "card.json").read_text().replace('"peaks": null,', "")
    assert "peaks" not in text
    (model.path / "card.json").write_text(text)
    card = load_model(model.path).card
    assert card.peaks is None
    assert card.peaked == ()
    assert deployment_of((model,), Options()).rules == ()


@pytest.mark.parametrize(
    ("peaks", "why"),
    [
        ((0.9,), "4 values"),
        ((None, None, None, 0.4), "at least its threshold"),
        ((None, None, None, 1.0), "less than 1"),
    ],
)
def test_peaks_that_make_no_sense_are_refused(peaks, why, model, tmp_path):
    from hoseg.segment.card import read_card

    path = tmp_path / "card.json"
    content = model.card.model_dump() | {"peaks": peaks}
    path.write_text(ModelCard.model_construct(**content).model_dump_json())
    with pytest.raises(ModelError, match=why):
        read_card(path)
