import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoseg.train.augment import centre_crop, make_crop, random_affine, repaint_border, warp
from hoseg.train.config import Augment
from hoseg.train.sample import ALL_BITS, TrainingSample


def sample(size: int = 96) -> TrainingSample:
    """A bright square labelled with every bit, on a ramp."""
    pixels = np.add.outer(np.arange(size), np.arange(size)).astype(np.float32)
    targets = np.zeros((size, size), np.uint8)
    targets[30:60, 40:70] = ALL_BITS
    pixels[30:60, 40:70] += 1000
    empty = np.zeros_like(targets)
    return TrainingSample(pixels, targets, empty, np.ones((size, size), bool))


NONE = Augment(
    rotation_deg=0, shear=0, scale=(1, 1), mirror=0, upside_down=0, invert=0, intensity=0
)


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_labels_follow_the_pixels(seed: int) -> None:
    geometric = NONE.model_copy(
        update={"rotation_deg": 40.0, "shear": 0.2, "mirror": 0.5, "upside_down": 0.5}
    )
    matrix = random_affine(sample(), 96, geometric, np.random.default_rng(seed))
    pixels, targets, _, known = warp(sample(), matrix, 96)
    bright = pixels > 650
    inside = (targets == ALL_BITS) & known
    if inside.sum() > 300:
        both = 2 * (bright & inside).sum() / ((bright & known).sum() + inside.sum())
        assert both > 0.93


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_crops_are_finite_bounded_and_reproducible(seed: int) -> None:
    first = make_crop(sample(), 64, Augment(), np.random.default_rng(seed))
    second = make_crop(sample(), 64, Augment(), np.random.default_rng(seed))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert first[0].dtype == np.float32
    assert np.isfinite(first[0]).all()
    assert np.abs(first[0]).max() <= 4


def test_what_lies_outside_is_ignored() -> None:
    _, targets, ignore = centre_crop(sample(64), 128)
    assert (ignore[:32] == ALL_BITS).all()
    assert (ignore[32:96, 32:96] == 0).all()
    assert (targets[ignore == ALL_BITS] == 0).all()


def test_centre_crop_is_the_middle() -> None:
    whole = sample(96)
    _, targets, _ = centre_crop(whole, 64)
    np.testing.assert_array_equal(targets, whole.targets[16:80, 16:80])


def test_mirror_and_upside_down() -> None:
    flipped = NONE.model_copy(update={"mirror": 1.0, "upside_down": 1.0})
    matrices = []
    for options in (NONE, flipped):
        matrices.append(random_affine(sample(), 96, options, np.random.default_rng(3)))
    assert np.sign(np.diag(matrices[0][:, :2])).tolist() == [1, 1]
    assert np.sign(np.diag(matrices[1][:, :2])).tolist() == [-1, -1]


def test_focus_lies_in_the_crop() -> None:
    plain = sample()
    for seed in range(30):
        focused = TrainingSample(
            plain.pixels, plain.targets, plain.ignore, plain.field, (5.0, 90.0)
        )
        matrix = random_affine(focused, 64, Augment(), np.random.default_rng(seed))
        x, y = matrix @ [90.0, 5.0, 1.0]
        assert 0 <= x < 64
        assert 0 <= y < 64


def test_border_pixels_never_count_as_field() -> None:
    small = sample(32)
    *_, field = warp(small, np.array([[1.0, 0, 40], [0, 1.0, 0]]), 64)
    assert field.sum() == 32 * 24


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_inversion(share: float) -> None:
    options = NONE.model_copy(update={"invert": share})
    pixels, targets, ignore = make_crop(sample(), 96, options, np.random.default_rng(0))
    known = ignore == 0
    square = (targets > 0) & known
    brighter = pixels[square].mean() > pixels[known & (targets == 0)].mean()
    assert brighter == (share == 0.0)


def test_painted_borders_hold_nothing_and_others_are_ignored() -> None:
    small = sample(32)
    pixels, targets, ignore, field = warp(small, np.array([[1.0, 0, 40], [0, 1.0, 0]]), 64)
    painted = 0
    for seed in range(40):
        crop = repaint_border((pixels, targets, ignore), field, np.random.default_rng(seed))
        np.testing.assert_array_equal(crop[0][field], pixels[field])
        np.testing.assert_array_equal(crop[2][field], ignore[field])
        outside = set(np.unique(crop[2][~field]))
        if outside == {0}:
            painted += 1
            assert len(np.unique(crop[0][~field])) == 1
            assert crop[1][~field].max() == 0
        else:
            assert outside == {ALL_BITS}
    assert 15 < painted < 40


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_torchvision_warps_to_the_same_pixels_and_labels(seed: int) -> None:
    transforms = pytest.importorskip("torchvision.transforms.v2")
    import torch
    from torchvision import tv_tensors

    whole, rng = sample(96), np.random.default_rng(seed)
    geometric = NONE.model_copy(update={"rotation_deg": 25.0, "shear": 0.1, "scale": (0.9, 1.2)})
    matrix = random_affine(whole, 96, geometric, rng)
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    # torchvision counts from the corner of a pixel, OpenCV from its centre.
    inverse[:, 2] += 0.5 - inverse[:, :2].sum(axis=1) / 2
    coefficients = [*inverse.ravel().tolist(), 0.0, 0.0]

    def warped(tensor: torch.Tensor, how: str) -> np.ndarray:
        mode = transforms.InterpolationMode(how)
        given_points = {"startpoints": None, "endpoints": None, "coefficients": coefficients}
        moved = transforms.functional.perspective(
            tensor, interpolation=mode, fill=0, **given_points
        )
        return moved[0].numpy()

    pixels, targets, _, field = warp(whole, matrix, 96)
    shown = warped(tv_tensors.Image(torch.from_numpy(whole.pixels)[None]), "bilinear")
    labels = warped(tv_tensors.Mask(torch.from_numpy(whole.targets)[None]), "nearest")
    inside = cv2.erode(field.astype(np.uint8), np.ones((5, 5)), borderValue=0) > 0
    if abs(np.linalg.det(matrix[:, :2])) ** 0.5 >= 0.85:  # below, films are blurred first
        np.testing.assert_allclose(pixels[inside], shown[inside], atol=2)
    assert np.mean(targets[inside] != labels[inside]) < 0.005
