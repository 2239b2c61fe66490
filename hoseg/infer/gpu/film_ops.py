"""From a network's answer to masks on the GPU, as ``hoseg.imaging.prepare.restore`` does it.

Plain tensor arithmetic without a branch on data, so nothing waits for the GPU. The device is the
tensors': tests run all of it on a CPU against the numpy and OpenCV functions it mirrors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Taps:
    """Resampling along one axis: output ``i`` is ``sum_k weights[k, i] * input[index[k, i]]``.

    index: (2, n) int64
    weights: (2, n) int32 in units of 1/2048
    """

    index: Tensor
    weights: Tensor


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
