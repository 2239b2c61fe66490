"""Films and models small enough for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hoseg.radiograph import Grid, Prepared
from hoseg.segment.weights import Model, load_model


def make_film(
    shape: tuple[int, int] = (120, 150),
    original: tuple[int, int] = (480, 600),
    seed: int = 0,
    field: np.ndarray | None = None,
) -> Prepared:
    """A film of random soft shapes, evenly resampled from an original of another size."""
    import cv2

    rng = np.random.default_rng(seed)
    pixels = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), 4)
    pixels = (pixels / max(pixels.std(), 0.01)).astype(np.float32)
    step = (original[0] / shape[0], original[1] / shape[1])
    grid = Grid(shape, ((step[0] - 1) / 2, (step[1] - 1) / 2), step, (0.5, 0.5))
    if field is None:
        field = np.ones(shape, bool)
    pixels[~field] = 0
    return Prepared(pixels, field, grid, original)


def make_model(folder: Path, seed: int = 0, **card: object) -> Model:
    """A small network with random weights whose answers are far from undecided."""
    import torch

    from hoseg.segment.card import ModelCard
    from hoseg.segment.network import HipUNet, keep_structures
    from hoseg.segment.weights import save_model

    torch.manual_seed(seed)
    options = {"widths": [8, 12, 16], "context": [1], "deep_levels": []}
    network = keep_structures(HipUNet(**options)).eval()
    with torch.no_grad():
        network.head.weight.mul_(40)
        network.head.bias.mul_(40)
    values = {
        "name": f"small-{seed}",
        "spacing_mm": 0.5,
        "architecture": "hip_unet",
        "options": options,
        "pad_multiple": 8,
        "sha256": "0" * 64,
    } | card
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    save_model(folder, ModelCard(**values), state)
    return load_model(folder)
