"""The exposed field: what the beam reached, without collimator borders, shutters and padding."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.imaging.resample import Window
from hoseg.radiograph import Grid, Note

THUMBNAIL_PX = 512
"""Long side of the small picture on which the field is looked for."""


@dataclass(frozen=True, eq=False)
class ExposedField:
    """Where the film was exposed.

    thumbnail: (h, w) bool, True inside, covering the whole image evenly
    original_shape: (H, W) of the image
    window: smallest window of original pixels that covers the field
    notes: what was found
    """

    thumbnail: NDArray[np.bool_]
    original_shape: tuple[int, int]
    window: Window
    notes: tuple[Note, ...] = ()

    def on_grid(self, grid: Grid) -> NDArray[np.bool_]:
        """Return the field (h, w) bool on a resampled grid of the same image."""
        if self.thumbnail.all():
            return np.ones(grid.shape, bool)
        h, w = grid.shape
        scale = [n / m for n, m in zip(self.thumbnail.shape, self.original_shape, strict=True)]
        # Grid pixel (i, j) -> thumbnail pixel, both counted at pixel centres.
        matrix = np.array(
            [
                [scale[1] * grid.step_px[1], 0, (grid.origin_px[1] + 0.5) * scale[1] - 0.5],
                [0, scale[0] * grid.step_px[0], (grid.origin_px[0] + 0.5) * scale[0] - 0.5],
            ]
        )
        soft = cv2.warpAffine(
            self.thumbnail.astype(np.uint8) * 255,
            matrix,
            (w, h),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return soft > 127


def find_field(pixels: NDArray[np.generic], valid: NDArray[np.bool_] | None = None) -> ExposedField:
    """Find the exposed field.

    Parameters
    ----------
    pixels: (H, W) real numbers
    valid: (H, W) bool, False under padding and shutters; None = all valid
    """
    shape = (int(pixels.shape[0]), int(pixels.shape[1]))
    return ExposedField(np.ones((1, 1), bool), shape, Window(0, 0, *shape))
