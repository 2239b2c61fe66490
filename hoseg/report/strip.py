"""The strip below an overlay: legend, scale bar, calibration, remarks, the research-use line."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.radiograph import Radiograph, Spacing, Structure
from hoseg.report.lettering import text_mask, wrap
from hoseg.report.palette import BLACK, COLOURS, GREYS, LINE, TINTS, WHITE

DISCLAIMER = "Research use only. Not a medical device."
SCALE_BAR_MM = 50


def draw_strip(radiograph: Radiograph, remarks: tuple[str, ...], size: int) -> NDArray[np.uint8]:
    """Legend, scale bar, calibration, remarks and the research-use line, below the film."""
    width = radiograph.shape[1]
    blocks = [_legend(width, size)]
    if radiograph.spacing is not None:
        blocks.append(_scale_bar(radiograph.spacing, width, size))
    else:
        blocks.append(_lines("No millimetre calibration.", width, size))
    blocks.extend(_lines(remark, width, size) for remark in remarks)
    blocks.append(_lines(DISCLAIMER, width, size))
    return np.vstack([_frame(block, width, size // 3) for block in blocks])


def _frame(block: NDArray[np.uint8], width: int, pad: int) -> NDArray[np.uint8]:
    out = np.full((block.shape[0] + 2 * pad, width), BLACK, np.uint8)
    shown = block[:, : max(0, width - 2 * pad)]
    out[pad : pad + shown.shape[0], pad : pad + shown.shape[1]] = shown
    return out


def _lines(paragraph: str, width: int, size: int) -> NDArray[np.uint8]:
    """Text in white on black, wrapped to a width."""
    return np.asarray(cv2.LUT(text_mask(wrap(paragraph, width - size, size), size), _INK))


_INK = (np.arange(256) * WHITE // 255).astype(np.uint8)


@lru_cache(maxsize=8)
def _legend(width: int, size: int) -> NDArray[np.uint8]:
    """A swatch and a name for each structure, on as many rows as the width needs."""
    entries = []
    for structure in COLOURS:
        name = _lines(str(structure.name).lower(), width, size)
        block = np.full((name.shape[0], name.shape[1] + 3 * size), BLACK, np.uint8)
        block[:, 2 * size : 2 * size + name.shape[1]] = name
        top, bottom = block.shape[0] // 4, block.shape[0] * 3 // 4
        if structure is Structure.OSSIFICATION:
            block[top:bottom, : size * 3 // 2] = GREYS + TINTS // 2
        cv2.rectangle(
            block, (0, top), (size * 3 // 2, bottom), LINE[structure], max(1, round(size / 9))
        )
        entries.append(block)
    rows: list[list[NDArray[np.uint8]]] = [[]]
    for block in entries:
        if rows[-1] and sum(b.shape[1] for b in rows[-1]) + block.shape[1] > width - size:
            rows.append([])
        rows[-1].append(block)
    height = max(b.shape[0] for b in entries)
    lines = [np.hstack([_tall(b, height) for b in row]) for row in rows]
    return np.vstack([_frame(line, max(b.shape[1] for b in lines) + 2, 1) for line in lines])


def _tall(block: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    return np.pad(block, ((0, height - block.shape[0]), (0, 0)), constant_values=BLACK)


def _scale_bar(spacing: Spacing, width: int, size: int) -> NDArray[np.uint8]:
    """A bar of known length at the plane of the hip, and where its millimetres come from."""
    length = round(SCALE_BAR_MM / spacing.column_mm)
    millimetres = SCALE_BAR_MM
    while length > width // 2 and millimetres > 1:
        millimetres //= 5 if millimetres > 10 else 2
        length = max(1, round(millimetres / spacing.column_mm))
    source = str(spacing.source).replace("_", " ")
    spread = f" ± {196 * spacing.relative_sd:.0f} %" if spacing.relative_sd else ""
    words = f"{millimetres} mm at the plane of the hip · calibration: {source}{spread}"
    text = _lines(words, max(width - length - 2 * size, width // 2), size)
    block = np.full((text.shape[0], length + 2 * size + text.shape[1]), BLACK, np.uint8)
    middle = text.shape[0] // 2
    thick = max(1, size // 8)
    block[middle - thick : middle + thick, :length] = WHITE
    for end in (0, length - 2 * thick):
        block[middle - size // 3 : middle + size // 3, end : end + 2 * thick] = WHITE
    block[:, length + size : length + size + text.shape[1]] = text
    return block
