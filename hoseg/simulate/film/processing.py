"""What vendors do to a raw signal before anyone sees it: log, equalise, sharpen, LUT, quantise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError
from hoseg.simulate.film.physics import gaussian

DIRECT = 0.3
"""Signal relative to the open beam above which a pixel counts as directly exposed."""

METAL = 2.4
"""Density (natural logarithm) above the middle of the patient that bone hardly reaches."""

METAL_REACH = 0.7
"""Density above the densest anatomy from which on metal is one white."""


@dataclass(frozen=True)
class Processing:
    """One vendor's recipe.

    compression: what is kept of large-scale differences (1 all, 0.3 strong equalisation)
    base_mm: scale that counts as large (mm)
    detail: gain of fine, medium and coarse detail (1 leaves it; scales 0.6, 2 and 6 mm)
    window: percentiles of the patient inside the field that are shown as black and white
    margin: how far the window reaches past them, as a fraction of it (negative saturates)
    curve: "linear", "sigmoid", "gamma" or "s_curve"
    strength: slope of the sigmoid or exponent of the gamma
    clahe: clip limit of adaptive equalisation; 0 switches it off
    bits: bits stored
    dark_bone: raw polarity, bone dark (fluoroscopy, MONOCHROME1 seen as stored)
    jpeg_quality: lossy compression applied before storage; 0 = none
    """

    compression: float = 0.7
    base_mm: float = 18.0
    detail: tuple[float, float, float] = (1.3, 1.2, 1.1)
    window: tuple[float, float] = (1.0, 99.5)
    margin: float = 0.05
    curve: str = "sigmoid"
    strength: float = 3.0
    clahe: float = 0.0
    bits: int = 12
    dark_bone: bool = False
    jpeg_quality: int = 0

    def __post_init__(self) -> None:
        if self.curve not in _CURVES:
            raise SettingError("curve", self.curve, " or ".join(sorted(_CURVES)))
        if not 6 <= self.bits <= 16:
            raise SettingError("bits", self.bits, "an integer in [6, 16]")
        low, high = self.window
        if not 0 <= low < high <= 100:
            raise SettingError("window", self.window, "two rising percentiles in [0, 100]")


def sample_processing(rng: np.random.Generator) -> Processing:
    """Draw a recipe: modern radiography, plain film-like, or fluoroscopy."""
    modern = rng.random() < 0.65
    return Processing(
        compression=float(rng.uniform(0.3, 0.85) if modern else rng.uniform(0.85, 1.0)),
        base_mm=float(rng.uniform(8, 35)),
        detail=(
            float(rng.uniform(0.8, 3.0) if modern else rng.uniform(0.7, 1.3)),
            float(rng.uniform(0.9, 2.0) if modern else rng.uniform(0.9, 1.2)),
            float(rng.uniform(0.9, 1.5) if modern else 1.0),
        ),
        window=(float(rng.uniform(0.3, 18.0)), float(rng.uniform(98.5, 99.97))),
        margin=float(rng.uniform(-0.04, 0.12)),
        curve=str(rng.choice(["linear", "sigmoid", "gamma", "s_curve"], p=[0.3, 0.35, 0.25, 0.1])),
        strength=float(rng.uniform(0.0, 1.0)),
        clahe=float(rng.uniform(0.8, 2.5)) if rng.random() < 0.12 else 0.0,
        bits=int(rng.choice([8, 10, 12, 14], p=[0.2, 0.25, 0.4, 0.15])),
        dark_bone=bool(rng.random() < 0.08),
        jpeg_quality=int(rng.integers(25, 92)) if rng.random() < 0.12 else 0,
    )


def process(
    signal: NDArray[np.float32],
    field: NDArray[np.bool_],
    recipe: Processing,
    spacing_mm: float,
    metal: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint16]:
    """Turn a signal (H, W) into stored pixels in [0, 2**bits - 1].

    ``field`` (H, W) marks the exposed part; the patient in it decides the window, without
    ``metal`` (H, W), which vendors' histogram analyses leave out.
    """
    patient = _patient(signal, field)
    middle = np.float32(np.median(signal[patient])) if patient.any() else np.float32(0.1)
    if metal is not None and (patient & ~metal).sum() >= 0.02 * patient.sum():
        patient &= ~metal
    # The logarithm has an offset, and what is far denser than bone is cut off before the
    # pyramid: neither metal nor the blades may darken what lies beside them.
    density = -np.log(signal + np.float32(0.003) * middle)
    cut = max(METAL - float(np.log(middle)), _densest(density, patient) + METAL_REACH)
    np.minimum(density, np.float32(cut), out=density)
    density = equalise(density, recipe, spacing_mm)
    low, high = _window(density, patient, recipe)
    shown = np.clip((density - low) / (high - low), 0, 1)
    shown = _CURVES[recipe.curve](shown, recipe.strength)
    if recipe.dark_bone:
        shown = 1 - shown
    if recipe.clahe > 0:
        shown = _adaptive(shown, recipe.clahe)
    if recipe.jpeg_quality > 0:
        shown = _jpeg(shown, recipe.jpeg_quality)
    top = np.float32(2**recipe.bits - 1)
    return np.asarray(shown * top + np.float32(0.5), np.uint16)


def equalise(
    density: NDArray[np.float32], recipe: Processing, spacing_mm: float
) -> NDArray[np.float32]:
    """Dynamic-range compression and band gains on a pyramid of Gaussians."""
    fine = gaussian(density, max(0.6 / spacing_mm, 0.5))
    medium = gaussian(fine, 2.0 / spacing_mm)
    coarse = gaussian(medium, 6.0 / spacing_mm)
    base = gaussian(coarse, recipe.base_mm / spacing_mm)
    gains = [np.float32(gain) for gain in recipe.detail]
    result = np.float32(recipe.compression) * base
    result += gains[2] * (coarse - base)
    result += gains[1] * (medium - coarse)
    result += (fine - medium) * gains[1]
    result += gains[0] * (density - fine)
    return result


def _patient(signal: NDArray[np.float32], field: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The part of the field that the patient covers."""
    patient = field & (signal < DIRECT)
    return patient if patient.mean() > 0.02 else field.copy()


def _densest(density: NDArray[np.float32], patient: NDArray[np.bool_]) -> float:
    """Density that a two-hundredth of the patient exceeds."""
    seen = _thinned(density, patient)
    return float(np.percentile(seen, 99.5)) if seen.size else -np.inf


def _thinned(density: NDArray[np.float32], patient: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Some ten thousand values of the patient, evenly spread over the film."""
    step = max(1, int(np.sqrt(density.size / 10_000)))
    return density[::step, ::step][patient[::step, ::step]]


def _window(
    density: NDArray[np.float32], patient: NDArray[np.bool_], recipe: Processing
) -> tuple[np.float32, np.float32]:
    seen = _thinned(density, patient)
    if seen.size < 16:
        seen = density.ravel()
    low, high = np.percentile(seen, recipe.window)
    # A film of one tissue still gets a window of a tenth of a density: nothing is washed out.
    reach = max(float(high - low), 0.1)
    return (
        np.float32(low - recipe.margin * reach),
        np.float32(low + reach + recipe.margin * reach),
    )


def _linear(x: NDArray[np.float32], strength: float) -> NDArray[np.float32]:
    return x


def _sigmoid(x: NDArray[np.float32], strength: float) -> NDArray[np.float32]:
    slope = np.float32(2.0 + 4.0 * strength)
    low, high = 1 / (1 + np.exp(slope / 2)), 1 / (1 + np.exp(-slope / 2))
    return np.asarray((1 / (1 + np.exp(-slope * (x - np.float32(0.5)))) - low) / (high - low))


def _gamma(x: NDArray[np.float32], strength: float) -> NDArray[np.float32]:
    return np.asarray(cv2.pow(x, float(np.exp((strength - 0.5) * 1.4))), np.float32)


def _s_curve(x: NDArray[np.float32], strength: float) -> NDArray[np.float32]:
    blend = np.float32(strength)
    return blend * (x * x * (3 - 2 * x)) + (1 - blend) * x


_CURVES = {"linear": _linear, "sigmoid": _sigmoid, "gamma": _gamma, "s_curve": _s_curve}


def _adaptive(shown: NDArray[np.float32], clip: float) -> NDArray[np.float32]:
    tiles = cv2.createCLAHE(clipLimit=clip, tileGridSize=(4, 4))
    return np.asarray(tiles.apply((shown * 65535).astype(np.uint16)), np.float32) / np.float32(
        65535
    )


def _jpeg(shown: NDArray[np.float32], quality: int) -> NDArray[np.float32]:
    ok, packed = cv2.imencode(
        ".jpg", np.asarray(shown * 255, np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not ok:
        raise SettingError("jpeg_quality", quality, "an integer in [1, 100]")
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.float32) / np.float32(255)
