"""From path lengths to the signal of a detector: spectrum, hardening, scatter, blur, noise.

Every structure displaces soft tissue, so a ray's attenuation is that of the whole body as soft
tissue plus, per material, ``length x (mu_material - mu_soft)``; air is a material with mu = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError
from hoseg.simulate.body.materials import Material, linear_attenuation_per_mm

_REFERENCE_KEV = np.arange(20.0, 141.0, 5.0)
_ALUMINIUM_AT_30_KEV_PER_MM = 0.304  # NIST XCOM, 1.128 cm2/g x 2.699 g/cm3
_ALUMINIUM_COMPTON_PER_MM = 0.040


@dataclass(frozen=True)
class Exposure:
    """How one film was exposed.

    kvp: tube voltage (kV)
    filtration_mm_al: total filtration (mm aluminium)
    photons: quanta detected in 1 mm^2 of the hip plane behind the middle of the patient, as
        automatic exposure control keeps them (2.5 uGy at the detector are about 75,000)
    scatter_ratio: scattered over primary signal behind the thick part, after the grid
    scatter_blur_mm: standard deviation of the scatter kernel (mm)
    heel: relative fall of the beam from one edge to the other
    heel_angle: direction of that fall in the image (radians)
    blur_mm: standard deviation of focal spot and detector together (mm, hip plane)
    electronic: standard deviation of additive noise, as a fraction of the signal there
    lines: relative standard deviation of column and row gains left by the flat field
    seams: how many stitching seams cross the film
    grid: relative amplitude of the shadows of an anti-scatter grid that stands still
    grid_mm: distance between those shadows, aliased by the pixels (mm, hip plane)
    """

    kvp: float = 75.0
    filtration_mm_al: float = 3.0
    photons: float = 40_000.0
    scatter_ratio: float = 0.3
    scatter_blur_mm: float = 35.0
    heel: float = 0.1
    heel_angle: float = 0.0
    blur_mm: float = 0.2
    electronic: float = 2e-3
    lines: float = 0.0
    seams: int = 0
    grid: float = 0.0
    grid_mm: float = 1.5

    def __post_init__(self) -> None:
        limits = {
            "kvp": (40.0, 150.0),
            "filtration_mm_al": (0.5, 30.0),
            "photons": (1.0, 1e9),
            "scatter_ratio": (0.0, 10.0),
        }
        for key, (low, high) in limits.items():
            value = getattr(self, key)
            if not (np.isfinite(value) and low <= value <= high):
                raise SettingError(key, value, f"a number in [{low:g}, {high:g}]")


@dataclass(frozen=True, eq=False)
class Signal:
    """What the detector measured.

    total: (H, W) float32 signal relative to the open beam
    without_ho: (H, W) float32 noiseless signal, had there been no ossification
    noiseless: (H, W) float32 the same with it, to compare
    noise_sd: (H, W) float32 standard deviation of the noise of ``total``
    """

    total: NDArray[np.float32]
    without_ho: NDArray[np.float32]
    noiseless: NDArray[np.float32]
    noise_sd: NDArray[np.float32]


def sample_exposure(rng: np.random.Generator) -> Exposure:
    """Draw an exposure from the range seen in practice (60-120 kVp, good to poor)."""
    return Exposure(
        kvp=float(rng.uniform(60, 105) if rng.random() < 0.9 else rng.uniform(105, 125)),
        filtration_mm_al=float(rng.uniform(2.5, 5.0)),
        photons=float(np.exp(rng.uniform(np.log(3e3), np.log(2e5)))),
        scatter_ratio=float(rng.uniform(0.05, 0.9)),
        scatter_blur_mm=float(rng.uniform(18, 50)),
        heel=float(rng.uniform(0, 0.35)),
        heel_angle=float(rng.uniform(-np.pi, np.pi)),
        blur_mm=float(np.exp(rng.uniform(np.log(0.1), np.log(0.55)))),
        electronic=float(np.exp(rng.uniform(np.log(5e-4), np.log(1e-2)))),
        lines=float(rng.uniform(0.0005, 0.004)) if rng.random() < 0.15 else 0.0,
        seams=1 if rng.random() < 0.04 else 0,
        grid=float(rng.uniform(0.001, 0.008)) if rng.random() < 0.04 else 0.0,
        grid_mm=float(rng.uniform(0.8, 4.0)),
    )


def spectrum(
    kvp: float, filtration_mm_al: float, bins: int = 3
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tungsten spectrum (Kramers' law) behind aluminium, as seen by a detector of energy.

    Returns (bins,) mean energies (keV) and (bins,) weights of equal share, summing to one.
    """
    energy = _REFERENCE_KEV[kvp > _REFERENCE_KEV]
    aluminium = (_ALUMINIUM_AT_30_KEV_PER_MM - _ALUMINIUM_COMPTON_PER_MM) * (
        30.0 / energy
    ) ** 3 + _ALUMINIUM_COMPTON_PER_MM
    absorbed = 1.0 - np.exp(-((55.0 / energy) ** 2.5))  # a caesium iodide detector, roughly
    detected = (kvp - energy) * np.exp(-aluminium * filtration_mm_al) * absorbed
    share = np.cumsum(detected) / detected.sum()
    which = np.minimum((share * bins - 1e-9).astype(int), bins - 1)
    weight = np.bincount(which, detected, bins)
    mean = np.bincount(which, detected * energy, bins) / np.maximum(weight, 1e-12)
    kept = weight > 0
    return mean[kept], weight[kept] / weight.sum()


def transmit(
    body_mm: NDArray[np.float32],
    materials: tuple[Material, ...],
    lengths_mm: NDArray[np.float32],
    kvp: float = 75.0,
    filtration_mm_al: float = 3.0,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Polyenergetic Beer-Lambert.

    Parameters
    ----------
    body_mm : (H, W) length of each ray inside the body, whatever it is made of
    materials : what the rows of ``lengths_mm`` are made of
    lengths_mm : (len(materials), H, W) length inside each; each displaces soft tissue

    Returns
    -------
    (H, W) primary signal relative to the open beam, and the same without ossification.
    """
    energies, weights = spectrum(kvp, filtration_mm_al)
    mu = np.stack([linear_attenuation_per_mm(e) for e in energies]).astype(np.float32)
    soft = mu[:, Material.SOFT]
    excess = mu[:, list(materials)] - soft[:, None]
    primary = np.zeros(body_mm.shape, np.float32)
    grown = np.zeros(body_mm.shape, np.float32)
    row = len(materials)
    if Material.OSSIFICATION in materials:
        row = materials.index(Material.OSSIFICATION)
        grown = lengths_mm[row]
    where = np.nonzero(grown)
    bare = np.zeros(len(where[0]), np.float32)
    for e, weight in enumerate(weights.astype(np.float32)):
        depth = soft[e] * np.asarray(body_mm, np.float32)
        for k, layer in enumerate(lengths_mm):
            cv2.scaleAdd(layer, float(excess[e, k]), depth, depth)
        passed = weight * np.exp(-depth)
        primary += passed
        if bare.size:
            bare += passed[where] * np.exp(excess[e, row] * grown[where])
    without = primary
    if bare.size:
        without = primary.copy()
        without[where] = bare
    return primary, without


def gaussian(image: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """Gaussian blur; a wide one is done on a reduced grid (error below 1 % of the range)."""
    if sigma_px < 0.15:
        return image
    step = int(sigma_px // 3)
    if step < 2:
        blurred = cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(blurred, np.float32)
    height, width = image.shape
    small = cv2.resize(
        image, (max(2, width // step), max(2, height // step)), interpolation=cv2.INTER_AREA
    )
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / step, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(small, (width, height)), np.float32)


def expose(
    primary: NDArray[np.float32],
    without_ho: NDArray[np.float32],
    exposure: Exposure,
    spacing_mm: float,
    rng: np.random.Generator,
) -> Signal:
    """Scatter, beam shape, blur and noise for a primary signal at ``spacing_mm`` (hip plane).

    Exposure is controlled on the middle half of the film, as by the chambers of a bucky.
    """
    scatter = _scatter(primary, exposure, spacing_mm)
    primary, without_ho = primary + scatter, without_ho + scatter
    gain = _gain(primary.shape, exposure, spacing_mm, rng)
    if gain is not None:
        primary *= gain
        without_ho *= gain
    blur_px = exposure.blur_mm / spacing_mm
    noiseless = gaussian(primary, blur_px)
    bare = gaussian(without_ho, blur_px)
    height, width = primary.shape
    behind = noiseless[height // 4 : -height // 4 : 4, width // 4 : -width // 4 : 4]
    reference = np.float32(np.percentile(behind, 25)) if behind.size else noiseless.mean()
    quanta = exposure.photons * spacing_mm**2
    electronic = np.float32(exposure.electronic) * reference
    noise_sd = np.sqrt(noiseless * (reference / np.float32(quanta)) + electronic**2)
    # Part of the noise is spread by the detector like the image, which correlates neighbours.
    white = gaussian(rng.standard_normal(primary.shape, np.float32), 0.7 * blur_px)
    total = noiseless + noise_sd * white
    if blur_px > 0.2:
        noise_sd *= np.float32(np.std(white[::4, ::4]))
    return Signal(np.maximum(total, np.float32(0)), bare, noiseless, noise_sd)


def _scatter(
    primary: NDArray[np.float32], exposure: Exposure, spacing_mm: float
) -> NDArray[np.float32]:
    """Scattered signal: a fixed part of the local geometric mean of the primary.

    The geometric mean keeps the open beam beside the patient, which scatters nothing, from
    fogging everything behind the patient.
    """
    height, width = primary.shape
    step = max(1, int(exposure.scatter_blur_mm / spacing_mm / 4))
    small = (max(2, width // step), max(2, height // step))
    depth = np.log(np.maximum(cv2.resize(primary, small, interpolation=cv2.INTER_AREA), 1e-6))
    sigma = exposure.scatter_blur_mm / spacing_mm / step
    depth = cv2.GaussianBlur(depth, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    fog = np.float32(exposure.scatter_ratio) * np.exp(depth)
    return np.asarray(cv2.resize(fog, (width, height)), np.float32)


def _gain(
    shape: tuple[int, ...], exposure: Exposure, spacing_mm: float, rng: np.random.Generator
) -> NDArray[np.float32] | None:
    """Heel effect, flat-field lines, grid and seams as one map of factors; None without any."""
    if not (exposure.heel or exposure.lines or exposure.seams or exposure.grid):
        return None
    height, width = shape
    across = np.linspace(-0.5, 0.5, width, dtype=np.float32) * np.cos(exposure.heel_angle)
    down = np.linspace(-0.5, 0.5, height, dtype=np.float32) * np.sin(exposure.heel_angle)
    columns = 1 + np.float32(exposure.heel) * across.astype(np.float32)
    rows = 1 + np.float32(exposure.heel) * down.astype(np.float32)
    if exposure.lines > 0:
        columns = columns + np.float32(exposure.lines) * rng.standard_normal(width, np.float32)
        rows = rows + np.float32(exposure.lines) * rng.standard_normal(height, np.float32)
    if exposure.grid > 0:
        phase = np.arange(width, dtype=np.float32) * np.float32(
            2 * np.pi * spacing_mm / exposure.grid_mm
        )
        columns = columns + np.float32(exposure.grid) * np.sin(phase)
    for _ in range(exposure.seams):
        seam = int(rng.integers(height // 6, max(height // 6 + 1, 5 * height // 6)))
        rows[seam:] *= np.float32(rng.uniform(0.93, 1.07))
        rows[seam : seam + 1] *= np.float32(rng.uniform(0.8, 1.25))
    return np.multiply.outer(rows.astype(np.float32), columns.astype(np.float32))
