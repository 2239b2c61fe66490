"""Overlays of a model on real films, at the network's resolution, and Dice where a truth exists.

    python scripts/look_at_real.py runs/a/last.ckpt FILM... --truth RG2_truth.png --out looks

MODEL is a model folder or name, or a training checkpoint (its averaged weights are used).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from hoseg.dicom.decode import load
from hoseg.imaging.prepare import prepare
from hoseg.imaging.resample import grid_window
from hoseg.radiograph import STRUCTURES, Prepared
from hoseg.segment.network import build_network
from hoseg.segment.weights import load_model
from hoseg.train.checkpoint import read_checkpoint
from hoseg.train.config import TrainConfig
from hoseg.train.validate import outlined

DONT_CARE = {"pelvis": 32 | 128, "femur": 64 | 128}


def network_of(name: str) -> tuple[nn.Module, float, tuple[float, ...]]:
    """Network, spacing in mm and logit thresholds of a model or a checkpoint."""
    if not name.endswith(".ckpt"):
        model = load_model(name)
        card = model.card
        limits = [
            t * np.log(p / (1 - p)) for t, p in zip(card.temperatures, card.thresholds, strict=True)
        ]
        return model.network(), card.spacing_mm, tuple(limits)
    checkpoint = read_checkpoint(Path(name))
    config = TrainConfig.model_validate(checkpoint.config)
    options = {**config.network.options, "outputs": config.outputs}
    network = build_network(config.network.architecture, options)
    network.load_state_dict(checkpoint.average)
    return network.eval(), config.spacing_mm, (0.0,) * len(STRUCTURES)


def predict(network: nn.Module, prepared: Prepared) -> np.ndarray:
    """Logits (4, h, w), padded with zeros to a multiple of 32 and cut back."""
    h, w = prepared.pixels.shape
    padded = np.zeros((-h % 32 + h, -w % 32 + w), np.float32)
    padded[:h, :w] = prepared.pixels
    with torch.inference_mode():
        logits = network(torch.from_numpy(padded[None, None]))[0, : len(STRUCTURES)]
    return logits.numpy()[:, :h, :w]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("--truth", type=Path, help="bits 1 pelvis, 2 femur, 32/64/128 don't care")
    parser.add_argument("--spacing-mm", type=float)
    parser.add_argument("--out", type=Path, default=Path("out/look"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    network, spacing_mm, limits = network_of(arguments.model)
    for film in arguments.films:
        prepared = prepare(load(film, arguments.spacing_mm)[0], spacing_mm)
        logits = predict(network, prepared)
        found = logits >= np.array(limits)[:, None, None]
        found &= prepared.field
        masks = sum(found[c].astype(np.uint8) << c for c in range(len(STRUCTURES)))
        grey = np.clip((prepared.pixels + 2.5) / 5 * 255, 0, 255).astype(np.uint8)
        picture = np.hstack([outlined(grey, None), outlined(grey, np.asarray(masks))])
        picture = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(arguments.out / f"{film.stem}.png"), picture)
        stats = cv2.connectedComponentsWithStats(found[3].astype(np.uint8), connectivity=8)[2]
        areas = np.round(stats[1:, cv2.CC_STAT_AREA] * spacing_mm**2).astype(int)
        line = f"{film.name} {prepared.pixels.shape} HO components mm2: {sorted(areas)[::-1][:8]}"
        if arguments.truth is not None:
            truth = cv2.imread(str(arguments.truth), cv2.IMREAD_UNCHANGED)
            window = grid_window(prepared.grid)
            full = cv2.resize(truth, prepared.original_shape[::-1], interpolation=0)
            small = cv2.resize(full[window.slices], prepared.grid.shape[::-1], interpolation=0)
            for channel, name in enumerate(("pelvis", "femur")):
                known = (small & DONT_CARE[name]) == 0
                a, b = found[channel] & known, ((small >> channel) & 1 > 0) & known
                line += f"  {name} Dice {2 * (a & b).sum() / (a.sum() + b.sum()):.3f}"
        print(line)


if __name__ == "__main__":
    main()
