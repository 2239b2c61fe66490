"""What happens to one film on the GPU. Every function mirrors one of ``hoseg.imaging``.

Plain tensor arithmetic without a branch on data, so nothing waits for the GPU. The device is the
tensors': tests run all of it on a CPU against the numpy and OpenCV functions it mirrors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hoseg.imaging import intensity


@dataclass(frozen=True, eq=False)
class Taps:
    """Resampling along one axis: output ``i`` is ``sum_k weights[k, i] * input[index[k, i]]``.

    index: (K, n) int64
    weights: (K, n) float32, or int32 in units of 1/2048
    """

    index: Tensor
    weights: Tensor


@lru_cache(maxsize=64)
def area_taps(length: int, smaller: int, device: torch.device) -> Taps:
    """Taps that average ``length`` pixels into ``smaller`` by the area each covers.

    As ``cv2.INTER_AREA``: output ``i`` covers ``[i, i + 1) * length / smaller``.
    """
    step = length / smaller
    edges = np.arange(smaller + 1) * step
    first = np.floor(edges[:-1] + 1e-9).astype(np.int64)
    count = ceil(step) + 1
    index = first[None, :] + np.arange(count)[:, None]
    low = np.maximum(index, edges[None, :-1])
    high = np.minimum(index + 1, edges[None, 1:])
    weights = np.maximum(high - low, 0) / step
    return _taps(np.minimum(index, length - 1), weights, device)


@lru_cache(maxsize=64)
def linear_taps(length: int, larger: int, device: torch.device) -> Taps:
    """Taps of linear interpolation between pixel centres, edges repeated (cv2.INTER_LINEAR)."""
    where = (np.arange(larger) + 0.5) * length / larger - 0.5
    first = np.floor(where).astype(np.int64)
    share = where - first
    index = np.clip(np.stack([first, first + 1]), 0, length - 1)
    return _taps(index, np.stack([1 - share, share]), device)


def _taps(index: NDArray[np.int64], weights: NDArray[np.float64], device: torch.device) -> Taps:
    return Taps(
        torch.from_numpy(index).to(device),
        torch.from_numpy(weights.astype(np.float32)).to(device),
    )


def apply_taps(image: Tensor, rows: Taps, columns: Taps) -> Tensor:
    """Resample (..., H, W) float32 to (..., h, w)."""
    return _along(_along(image, rows, -2), columns, -1)


def _along(image: Tensor, taps: Taps, axis: int) -> Tensor:
    """Resample one axis (-2 or -1)."""
    weights = taps.weights[..., None] if axis == -2 else taps.weights
    out = weights[0] * image.index_select(axis, taps.index[0])
    for index, weight in zip(taps.index[1:], weights[1:], strict=True):
        out.addcmul_(weight, image.index_select(axis, index))
    return out


def resample(pixels: Tensor, shape: tuple[int, int]) -> Tensor:
    """Bring (H, W) to (h, w) float32, as ``hoseg.imaging.resample.to_grid``.

    pixels: uint8, int16 or float32; uint16 travels as int16 and is unfolded by ``unfold_uint16``
    """
    height, width = pixels.shape
    if (height, width) == shape:
        return pixels.float()
    shrinks = shape[0] <= height and shape[1] <= width
    make = area_taps if shrinks else linear_taps
    device = pixels.device
    taps = make(height, shape[0], device), make(width, shape[1], device)
    small = apply_taps(pixels.float(), *taps)
    return small if pixels.is_floating_point() else torch.round(small)


def unfold_uint16(pixels: Tensor) -> Tensor:
    """Turn int16 bit patterns of unsigned pixels into float32 values."""
    return (pixels.to(torch.int32) & 0xFFFF).float()


def normalise(pixels: Tensor, field: Tensor | None) -> Tensor:
    """Normalise (h, w) float32 grey levels, as ``hoseg.imaging.intensity.normalise``.

    field: (h, w) bool, or None = everywhere
    """
    centre, spread = robust_levels(pixels, field)
    flat = spread <= 0
    scaled = (pixels - centre) * (1 / torch.where(flat, torch.ones_like(spread), spread))
    scaled = torch.nan_to_num(scaled.clamp(-intensity.CLIP, intensity.CLIP), nan=0.0)
    return torch.where(flat, torch.zeros_like(scaled), scaled)


def robust_levels(pixels: Tensor, field: Tensor | None) -> tuple[Tensor, Tensor]:
    """Centre and spread of the tissue as 0-d tensors, as ``intensity.robust_levels``."""
    step = max(1, ceil(sqrt(pixels.numel() / intensity._SAMPLES)))
    values = pixels[::step, ::step].flatten()
    keep = torch.isfinite(values)
    if field is not None:
        keep &= field[::step, ::step].flatten()
    tissue = keep & _unsaturated(values, keep)
    enough = tissue.sum() >= intensity._MIN_LEVELS_SHARE * keep.sum()
    tissue = torch.where(enough, tissue, keep)
    low, centre, high = _quantiles(values, tissue, (0.05, 0.5, 0.95)).unbind()
    spread = (high - low) / 3.29
    spread = torch.where(spread > 0, spread, _deviation(values, tissue))
    nothing = keep.sum() == 0
    zero = torch.zeros_like(centre)
    return torch.where(nothing, zero, centre), torch.where(nothing, zero, spread)


def _unsaturated(values: Tensor, keep: Tensor) -> Tensor:
    """Mask out values piled up at the smallest or the largest one."""
    low = torch.where(keep, values, torch.inf).min()
    high = torch.where(keep, values, -torch.inf).max()
    margin = 1e-3 * (high - low)
    limit = intensity._PILE_UP * keep.sum()
    inner = torch.ones_like(keep)
    for pile in ((values <= low + margin) & keep, (values >= high - margin) & keep):
        inner &= ~(pile & (pile.sum() > limit))
    return inner


def _quantiles(values: Tensor, keep: Tensor, shares: tuple[float, ...]) -> Tensor:
    """Quantiles of the kept values, linear between order statistics (numpy's default)."""
    ordered = torch.where(keep, values, torch.inf).sort().values
    last = (keep.sum() - 1).clamp(min=0)
    where = _constant(shares, values.device) * last
    lower = where.floor().long()
    upper = torch.minimum(lower + 1, last)
    below, above = ordered.gather(0, lower), ordered.gather(0, upper)
    return below + (where - lower).float() * (above - below)


@lru_cache(maxsize=8)
def _constant(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Numbers on the device, sent once: sending them each time would wait for the GPU."""
    return torch.tensor(values, dtype=torch.float64, device=device)


def _deviation(values: Tensor, keep: Tensor) -> Tensor:
    """Standard deviation of the kept values."""
    count = keep.sum().clamp(min=1)
    kept = torch.where(keep, values, 0.0).double()
    mean = kept.sum() / count
    variance = (torch.where(keep, values.double() - mean, 0.0) ** 2).sum() / count
    return variance.sqrt().float()


def restore(probabilities: Tensor, shape: tuple[int, int], levels: Tensor) -> Tensor:
    """Masks of bits (H, W) uint8 from (C, h, w) uint8, as ``hoseg.imaging.prepare.restore``.

    shape: (H, W) of the window of original pixels the grid covers
    levels: (C,) smallest value of probability x 255 that belongs to the structure
    """
    full = enlarge_bytes(probabilities, shape)
    bits = torch.zeros(shape, dtype=torch.uint8, device=probabilities.device)
    for bit, (channel, level) in enumerate(zip(full, levels, strict=True)):
        bits |= (channel >= level).to(torch.uint8) << bit
    return bits


def enlarge_bytes(image: Tensor, shape: tuple[int, int]) -> Tensor:
    """Linear interpolation of (C, h, w) uint8 to (C, H, W), to the bit as cv2.INTER_LINEAR does.

    OpenCV computes bytes with 11-bit weights and drops bits on the way; anything smoother would
    move pixels that lie within one part in 255 of a threshold.
    """
    (height, width), device = image.shape[-2:], image.device
    columns, rows = (
        _byte_taps(width, shape[1], True, device),
        _byte_taps(height, shape[0], False, device),
    )
    wide = [image.index_select(-1, index).to(torch.int32) for index in columns.index]
    sums = (wide[0] * columns.weights[0] + wide[1] * columns.weights[1]) >> 4
    above, below = (
        (sums.index_select(-2, index) * weight[:, None]) >> 16
        for index, weight in zip(rows.index, rows.weights, strict=True)
    )
    return (above + below + 2) >> 2


@lru_cache(maxsize=64)
def _byte_taps(length: int, larger: int, snap: bool, device: torch.device) -> Taps:
    """Taps of ``enlarge_bytes``: weights in 1/2048, int32.

    snap: beyond the outer pixel centres the edge alone counts (columns), or twice (rows)
    """
    where = ((np.arange(larger) + 0.5) * (1 / (larger / length)) - 0.5).astype(np.float32)
    first = np.floor(where).astype(np.int64)
    share = where - first.astype(np.float32)
    if snap:
        share[(first < 0) | (first >= length - 1)] = 0
    index = np.clip(np.stack([first, first + 1]), 0, length - 1)
    weights = np.rint(np.stack([np.float32(1) - share, share]) * np.float32(2048))
    return Taps(
        torch.from_numpy(index).to(device), torch.from_numpy(weights.astype(np.int32)).to(device)
    )


def mean_of(answers: list[Tensor]) -> Tensor:
    """Mean of equally shaped uint8 tensors, halves rounded up."""
    if len(answers) == 1:
        return answers[0]
    total = torch.stack(answers).to(torch.int32).sum(0)
    return ((total + len(answers) // 2) // len(answers)).to(torch.uint8)
