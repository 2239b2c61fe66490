"""Random geometry and grey levels, image and labels together.

In OpenCV, with numpy's generators: a crop depends on nothing but the one it is given. torchvision's
transforms v2 on tv_tensors give the same pixels and labels (a test compares them), draw from
torch's global generator, and are slower: on one core 7.9 ms for the affine map that takes 0.4 ms
here, 2.2 to 12 ms for a blur that takes 0.07 to 0.17, where a whole crop of 256 takes 2.7 ms.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.imaging.intensity import CLIP, normalise
from hoseg.train.config import Augment
from hoseg.train.sample import ALL_BITS, TrainingSample

SIDEWAYS = 0.03
"""Share of crops turned by 90 degrees: a film stored on its side."""

Crop = tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]
"""Normalised pixels (S, S), targets (S, S), ignore (S, S)."""


def make_crop(
    sample: TrainingSample, size: int, settings: Augment, rng: np.random.Generator
) -> Crop:
    """Cut a random, changed crop of ``size`` x ``size`` out of a sample.

    Mirroring is safe: targets name structures, not sides.
    """
    matrix = random_affine(sample, size, settings, rng)
    pixels, targets, ignore, field = warp(sample, matrix, size)
    if settings.intensity > 0:
        pixels = change_levels(pixels, settings.intensity, rng)
    pixels = normalise(pixels, field)
    if rng.random() < settings.invert:
        pixels = -pixels
    if settings.intensity > 0:
        pixels = disturb(pixels, settings.intensity, rng)
    return repaint_border((pixels, targets, ignore), field, rng)


def centre_crop(sample: TrainingSample, size: int) -> Crop:
    """Cut the unchanged middle of a sample, for validation."""
    height, width = sample.targets.shape
    shift = np.array([[1, 0, (size - width) / 2], [0, 1, (size - height) / 2]])
    pixels, targets, ignore, field = warp(sample, np.round(shift), size)
    return normalise(pixels, field), targets, ignore


def random_affine(
    sample: TrainingSample, size: int, settings: Augment, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(2, 3) matrix from sample to crop coordinates (x, y)."""
    height, width = sample.targets.shape
    angle = np.deg2rad(rng.normal(0, settings.rotation_deg / 2))
    if rng.random() < SIDEWAYS:
        angle += rng.choice([-1, 1]) * np.pi / 2
    scale = np.exp(rng.uniform(*np.log(settings.scale)))
    stretch = np.exp(rng.normal(0, 0.03))
    flip_x = -1.0 if rng.random() < settings.mirror else 1.0
    flip_y = -1.0 if rng.random() < settings.upside_down else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[1.0, rng.normal(0, settings.shear / 2)], [0.0, 1.0]])
    linear = turn @ shear @ np.diag([flip_x * scale * stretch, flip_y * scale / stretch])
    if sample.focus is not None:
        centre = np.array([sample.focus[1], sample.focus[0]])
        place = size * rng.uniform(0.2, 0.8, 2)
    else:
        room = np.maximum(0, np.array([width, height]) - size / scale)
        centre = np.array([width, height]) / 2 + rng.uniform(-0.5, 0.5, 2) * room
        place = np.full(2, size / 2) + rng.normal(0, 0.03 * size, 2)
    return np.column_stack([linear, place - linear @ centre])


def warp(
    sample: TrainingSample, matrix: NDArray[np.float64], size: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
    """Resample pixels (linear) and labels (nearest) through a (2, 3) matrix.

    What lies outside the sample is outside the field and ignored.
    """
    source = sample.pixels.astype(np.float32)
    # A strong reduction would alias: blur first.
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.85:
        source = np.asarray(cv2.GaussianBlur(source, (0, 0), 0.45 / scale), np.float32)
    shape = (size, size)
    border = float(source[:: max(1, len(source) - 1)].mean())
    warped = cv2.warpAffine(source, matrix, shape, flags=cv2.INTER_LINEAR, borderValue=border)
    pixels = np.asarray(warped, np.float32)
    merged = cv2.merge([sample.targets, sample.ignore, sample.field.astype(np.uint8)])
    border_bits = (0, ALL_BITS, 0, 0)
    moved = cv2.warpAffine(merged, matrix, shape, flags=cv2.INTER_NEAREST, borderValue=border_bits)
    planes = np.asarray(moved, np.uint8)
    return pixels, planes[..., 0].copy(), planes[..., 1].copy(), planes[..., 2] > 0


def change_levels(
    pixels: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Monotonic curves and local contrast: what vendors' processing does, and more."""
    low, high = np.percentile(pixels[::4, ::4], (0.5, 99.5))
    if high <= low:
        return pixels
    x = np.clip((pixels - np.float32(low)) / np.float32(high - low), 0, 1)
    if rng.random() < 0.6 * strength:
        x = np.power(x, np.float32(np.exp(rng.normal(0, 0.35 * strength))))
    if rng.random() < 0.25 * strength:  # S-curve or its opposite
        bend = np.float32(rng.uniform(-0.6, 0.9) * strength)
        x = x + bend * (x - np.float32(0.5)) * x * (1 - x) * 4
    if rng.random() < 0.3 * strength:  # local contrast: take away or add the coarse part
        coarse = cv2.blur(cv2.blur(x, (49, 49)), (49, 49))
        x = x - np.float32(rng.uniform(-0.3, 0.6) * strength) * (coarse - np.float32(0.5))
    if rng.random() < 0.25 * strength:  # sharpening with halos
        fine = cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.8, 3)))
        x = x + np.float32(rng.uniform(0.2, 1.5) * strength) * (x - fine)
    if rng.random() < 0.15 * strength:  # saturation at either end
        x = np.clip(x, np.float32(rng.uniform(0, 0.15)), np.float32(rng.uniform(0.75, 1)))
    return x


def disturb(
    pixels: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Contrast, brightness, shading, blur, noise and cut-outs of normalised pixels."""
    x = pixels * np.float32(np.exp(rng.normal(0, 0.15 * strength)))
    x += np.float32(rng.normal(0, 0.2 * strength))
    size = x.shape[0]
    if rng.random() < 0.3 * strength:  # slow shading
        grid = rng.normal(0, 0.35 * strength, (4, 4)).astype(np.float32)
        x += cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.2 * strength:
        x = np.asarray(cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.4, 1.4))), np.float32)
    if rng.random() < 0.3 * strength:
        sigma = np.float32(rng.exponential(0.12) * strength)
        noise = sigma * rng.standard_normal(x.shape, np.float32)
        x += cv2.GaussianBlur(noise, (0, 0), 0.8) * 2 if rng.random() < 0.5 else noise
    if rng.random() < 0.15 * strength:
        for _ in range(int(rng.integers(1, 5))):
            row, column = rng.integers(0, size, 2)
            tall, wide = rng.integers(6, max(7, size // 6), 2)
            x[row : row + tall, column : column + wide] = rng.uniform(-2.5, 2.5)
    return np.clip(x, -CLIP, CLIP)


def repaint_border(crop: Crop, field: NDArray[np.bool_], rng: np.random.Generator) -> Crop:
    """Give what lies outside the field, padding included, the looks it may have in use.

    Where it is painted over there is nothing to see, and that is what the targets then say. Where
    it is left as it was, they stay: a simulated film knows its field, and nothing is to be found
    beyond it; on a labelled film the field is a finding itself, and what lies beyond is ignored.
    """
    pixels, targets, ignore = crop
    if field.all() or rng.random() < 0.3:
        return crop
    value = rng.choice([0.0, rng.uniform(-CLIP, CLIP), -CLIP, CLIP], p=[0.55, 0.15, 0.15, 0.15])
    return (
        np.where(field, pixels, np.float32(value)),
        np.where(field, targets, np.uint8(0)),
        np.where(field, ignore, np.uint8(0)),
    )
