"""Quick figures during training, and pictures to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hoseg.files import make_folder
from hoseg.picture_files import write_pixels
from hoseg.radiograph import STRUCTURES, Structure
from hoseg.segment.network import required_multiple
from hoseg.train.augment import Crop

LARGE_OSSIFICATION_MM2 = 100.0
FALSE_COMPONENT_MM2 = 25.0
SMALLEST_TRUTH_PX = 100

_COLOURS = ((255, 160, 60), (80, 220, 80), (220, 80, 220), (60, 60, 255))  # BGR, bit order


@torch.inference_mode()
def predict(
    network: nn.Module, crops: Sequence[Crop], device: torch.device, batch: int = 16
) -> list[NDArray[np.float32]]:
    """Logits (4, H, W) of each crop or film; runs of one size go through in batches."""
    network.eval()
    out: list[NDArray[np.float32]] = []
    start = 0
    while start < len(crops):
        shape = crops[start][0].shape
        stop = start + 1
        while stop < min(len(crops), start + batch) and crops[stop][0].shape == shape:
            stop += 1
        pixels = np.stack([crop[0] for crop in crops[start:stop]])
        padding = [(0, -side % required_multiple(network)) for side in shape]
        x = torch.from_numpy(np.pad(pixels, [(0, 0), *padding])[:, None])
        logits = network(x.to(device, memory_format=torch.channels_last))
        logits = logits[:, : len(STRUCTURES), : shape[0], : shape[1]]
        out += list(logits.float().cpu().numpy())
        start = stop
    return out


def score(
    logits: Sequence[NDArray[np.float32]], crops: Sequence[Crop], spacing_mm: float
) -> dict[str, float]:
    """Mean Dice of each structure, and how ossification is found and imagined.

    Returns
    -------
    ``dice_<structure>``: mean over crops with at least 100 true pixels (ossification: median over
    crops with at least 1 cm2 visible), ``false_ossification``: components over 25 mm2 a crop
    without any, ``found_ossification``: share of crops with it in which some is found where it
    lies, ``score``: what picks the best checkpoint. NaN where there is nothing to measure.
    """
    dice: dict[str, list[float]] = {name: [] for name in STRUCTURES}
    false, found = [], []
    for values, (_, targets, ignore) in zip(logits, crops, strict=True):
        for channel, name in enumerate(STRUCTURES):
            bit = 1 << channel
            known = (ignore & bit) == 0
            truth = ((targets & bit) > 0) & known
            guess = (values[channel] > 0) & known
            smallest = SMALLEST_TRUTH_PX
            if bit == Structure.OSSIFICATION:
                smallest = int(LARGE_OSSIFICATION_MM2 / spacing_mm**2)
                if not truth.any():
                    false.append(count_components(guess, FALSE_COMPONENT_MM2 / spacing_mm**2))
                elif truth.sum() >= FALSE_COMPONENT_MM2 / spacing_mm**2:
                    found.append(float((guess & truth).sum() > 0.2 * truth.sum()))
            if truth.sum() >= smallest:
                both = 2 * np.count_nonzero(truth & guess)
                dice[name].append(both / (truth.sum() + guess.sum()))
    result = {f"dice_{name}": _mean(values) for name, values in dice.items()}
    result["dice_ossification"] = _median(dice["ossification"])
    result["false_ossification"] = _mean(false)
    result["found_ossification"] = _mean(found)
    parts = [result[f"dice_{name}"] for name in STRUCTURES] + [result["found_ossification"]]
    result["score"] = float(np.nan_to_num(parts).mean()) - 0.05 * min(
        1.0, float(np.nan_to_num(result["false_ossification"]))
    )
    return result


def count_components(mask: NDArray[np.bool_], smallest_px: float) -> int:
    """Number of 8-connected components of at least ``smallest_px`` pixels."""
    stats = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)[2]
    return int(np.count_nonzero(stats[1:, cv2.CC_STAT_AREA] >= smallest_px))


def write_overlays(
    path: Path, logits: Sequence[NDArray[np.float32]], crops: Sequence[Crop], count: int = 8
) -> None:
    """Contact sheet of the first crops: image, truth, prediction, as outlines."""
    rows = []
    for values, (pixels, targets, _) in list(zip(logits, crops, strict=True))[:count]:
        grey = np.clip((pixels + 2.5) / 5 * 255, 0, 255).astype(np.uint8)
        guess = sum((values[c] > 0).astype(np.uint8) << c for c in range(len(STRUCTURES)))
        rows.append(np.hstack([outlined(grey, m) for m in (None, targets, np.asarray(guess))]))
    half = (len(rows) + 1) // 2
    rows += [np.zeros_like(rows[0])] * (2 * half - len(rows))
    sheet = np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])])
    make_folder(path.parent)
    write_pixels(path, sheet)


def outlined(grey: NDArray[np.uint8], masks: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Grey picture (H, W) as colour (H, W, 3), with the outlines of the bits of ``masks``."""
    picture = np.repeat(grey[..., None], 3, axis=2)
    if masks is None:
        return picture
    for channel, colour in enumerate(_COLOURS):
        mask = ((masks >> channel) & 1).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, colour, 1)
    return picture


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else float("nan")
