from pathlib import Path

import cv2
import numpy as np
import pytest

from hoseg.datasets.labelled import GradedHip, LabelledImage
from hoseg.radiograph import Radiograph, Side, Spacing, SpacingSource


def make_image(case: str, patient: str, seed: int, holes: bool = True) -> LabelledImage:
    """A film with overlapping structures of random size; the pelvis has a hole."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((70, 90), np.uint8)
    layer = np.zeros_like(masks)
    cv2.ellipse(layer, (40, 25), (30, 18), 20, 0, 360, 1, -1)
    if holes:
        cv2.circle(layer, (40, 25), 6, 0, -1)
    masks |= layer
    masks[int(rng.integers(30, 36)) : 66, 50:70] |= 2
    masks[40:64, 56:62] |= 4
    cv2.circle(masks, (int(rng.integers(12, 20)), 55), 5, 8, -1)
    masks[28:34, 52:58] |= 8  # over bone
    pixels = rng.integers(100, 3000, masks.shape).astype(np.uint16)
    radiograph = Radiograph(pixels, case, Spacing(0.7, 0.7, 0.02, SpacingSource.USER))
    return LabelledImage(case, patient, radiograph, masks, hips=(GradedHip(Side.LEFT, 2, 12.5),))


@pytest.fixture
def images() -> list[LabelledImage]:
    return [make_image(f"film{n}", f"patient{n // 2}", n) for n in range(4)]


@pytest.fixture
def folder(tmp_path: Path, images: list[LabelledImage]) -> Path:
    from hoseg.datasets import folder as format

    format.write(images, tmp_path / "folder")
    return tmp_path / "folder"


@pytest.fixture
def solid_images() -> list[LabelledImage]:
    """The same without holes, which outlines cannot hold."""
    return [make_image(f"film{n}", f"patient{n // 2}", n, holes=False) for n in range(4)]
