"""A second judge of what is left of a text: tesseract."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from difflib import SequenceMatcher
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from planted_texts import Planted

Array = NDArray[Any]


def legible(picture: Array, text: Planted) -> float:
    """Share of the text that tesseract reads, turned upright, dark on bright and the reverse."""
    if shutil.which("tesseract") is None:
        return float("nan")
    rows, columns = np.nonzero(text.ink)
    middle = (float(columns.mean()), float(rows.mean()))
    size = round(1.2 * float(np.hypot(np.ptp(rows), np.ptp(columns)))) + 30
    turn = cv2.getRotationMatrix2D(middle, -text.kind.angle, 1.0)
    turn[:, 2] += size / 2 - np.array(middle)
    view = cv2.warpAffine(shown(picture), turn, (size, size), borderMode=cv2.BORDER_REPLICATE)
    high = round(0.9 * text.kind.height_px) + 12
    view = view[max(size // 2 - high, 0) : size // 2 + high]
    wanted = "".join(c for c in text.kind.text.lower() if c.isalnum())
    return max(_share_read(wanted, _ocr(v)) for v in (view, 255 - view))


def _share_read(wanted: str, read: str) -> float:
    blocks = SequenceMatcher(None, wanted, read, autojunk=False).get_matching_blocks()
    return sum(b.size for b in blocks if b.size >= min(2, len(wanted))) / max(len(wanted), 1)


def _ocr(view: Array) -> str:
    scale = 70 / max(view.shape[0], 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    view = cv2.resize(view, None, fx=scale, fy=scale, interpolation=how)
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        cv2.imwrite(file.name, cv2.copyMakeBorder(view, 15, 15, 15, 15, cv2.BORDER_REPLICATE))
        done = subprocess.run(
            ["tesseract", file.name, "-", "--psm", "7"],
            env=os.environ | {"OMP_THREAD_LIMIT": "1"},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    return "".join(c for c in done.stdout.lower() if c.isalnum())


def shown(part: Array) -> Array:
    """The picture in 8 bits with the contrast that viewers give it."""
    low, high = np.percentile(part, (0.2, 99.8))
    span = max(float(high - low), 1.0)
    return np.clip((part - low) * (255.0 / span), 0, 255).astype(np.uint8)
