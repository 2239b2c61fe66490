from pathlib import Path

import cv2
import numpy as np
import pytest

TINY = {
    "name": "tiny",
    "seed": 3,
    "spacing_mm": 1.0,
    "crop_px": 64,
    "workers": 0,
    "network": {"options": {"widths": [8, 8, 16], "context": [1], "deep_levels": [1]}},
    "optimisation": {"steps": 8, "batch": 4, "warmup": 2, "precision": "fp32"},
    "validation": {"every": 4, "films": 2},
}


@pytest.fixture(scope="session")
def tiny() -> dict:
    """Settings of a run that takes a second; the sources are missing."""
    return TINY


@pytest.fixture(scope="session")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve films: a pelvis rectangle, a femur disc and an ossification disc, noise around."""
    root = tmp_path_factory.mktemp("discs")
    for name in ("images", "masks"):
        (root / name).mkdir()
    rng = np.random.default_rng(0)
    lines = ["name,patient,spacing_mm"]
    for number in range(12):
        masks = np.zeros((96, 96), np.uint8)
        masks[10:40, 10:60] |= 1
        parts = ((2, 14), (8, 6))
        for bit, radius in parts:
            layer = np.zeros_like(masks)
            cv2.circle(layer, tuple(int(v) for v in rng.integers(25, 70, 2)), radius, bit, -1)
            masks |= layer
        image = 300 + 400 * ((masks & 1) > 0) + 350 * ((masks & 2) > 0) + 900 * ((masks & 8) > 0)
        image = image + rng.normal(0, 40, masks.shape)
        cv2.imwrite(str(root / "images" / f"film{number}.png"), image.clip(0).astype(np.uint16))
        cv2.imwrite(str(root / "masks" / f"film{number}.png"), masks)
        lines.append(f"film{number},patient{number // 2},1.0")
    (root / "dataset.csv").write_text("\n".join(lines) + "\n")
    return root
