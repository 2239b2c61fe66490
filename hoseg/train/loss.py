"""Loss of overlapping structures: cross-entropy plus soft Dice, only where a label is known."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from hoseg.train.config import Loss


def bits_to_channels(bits: Tensor, channels: int) -> Tensor:
    """Unpack (N, H, W) uint8 bits into (N, channels, H, W) float32 zeros and ones."""
    shifts = torch.arange(channels, device=bits.device, dtype=torch.uint8).view(1, -1, 1, 1)
    return ((bits.unsqueeze(1) >> shifts) & 1).float()


def channel_weights(settings: Loss, channels: int, device: torch.device) -> Tensor:
    """(C,) weights of the structures and, as a fifth channel, the sacrum."""
    weights = [*settings.weights, settings.sacrum][:channels]
    return torch.tensor(weights, device=device)


def segmentation_loss(
    logits: Tensor,
    deep: list[tuple[int, Tensor]],
    targets: Tensor,
    ignore: Tensor,
    settings: Loss,
) -> Tensor:
    """Scalar loss.

    logits: (N, C, H, W)
    deep: (stride, (N, C, H / stride, W / stride) logits) of the deep heads
    targets, ignore: (N, H, W) uint8 bits; where the bit of ``ignore`` is set, no loss is taken
    """
    channels = logits.shape[1]
    truth = bits_to_channels(targets, channels)
    known = 1 - bits_to_channels(ignore, channels)
    weights = channel_weights(settings, channels, logits.device)
    weights = weights / weights.sum()
    logits = logits.float()
    # softplus(x) - x t is binary cross-entropy; computed once, summed per channel.
    entropy = (F.softplus(logits) - logits * truth) * known
    area = known.sum(dim=(0, 2, 3)).clamp(min=1)
    total = (weights * entropy.sum(dim=(0, 2, 3)) / area).sum()
    if settings.dice > 0:
        probability = torch.sigmoid(logits) * known
        truth_known = truth * known
        both = (probability * truth_known).sum(dim=(0, 2, 3))
        either = probability.sum(dim=(0, 2, 3)) + truth_known.sum(dim=(0, 2, 3))
        smooth = 50.0 * logits.shape[0]  # pixels; keeps batches without a structure calm
        dice = 1 - (2 * both + smooth) / (either + smooth)
        total = total + settings.dice * (weights * dice).sum()
    for stride, coarse in deep:
        total = total + settings.deep * _deep_loss(stride, coarse, truth, known, weights)
    return total


def _deep_loss(
    stride: int, logits: Tensor, truth: Tensor, known: Tensor, weights: Tensor
) -> Tensor:
    """Cross-entropy against the share of each coarse pixel that a structure covers."""
    logits = logits.float()
    share = F.avg_pool2d(known, stride)
    covered = F.avg_pool2d(truth * known, stride) / share.clamp(min=1e-3)
    entropy = (F.softplus(logits) - logits * covered) * share
    return (weights * entropy.sum(dim=(0, 2, 3)) / share.sum(dim=(0, 2, 3)).clamp(min=1)).sum()
