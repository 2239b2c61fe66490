"""Find text that was written into the pixels, and paint it out.

Rendered letters differ from anatomy in four ways, and all are asked for: their edges are one or
two pixels wide, their strokes are thin and of one grey, they stand in a row, and they are alike
in height. A lone side marker ("L", "R") is not a line of text and stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]

MIN_GLYPHS = 3
MIN_HEIGHT_PX = 6
MAX_HEIGHT_SHARE = 0.06  # of the longer side of the image
MIN_CONTRAST = 38  # of 255, between stroke and surroundings
FAINT_CONTRAST = 20  # enough for letters beside a line that is certain
MIN_SHARPNESS = 0.55  # share of the contrast that an edge reaches within two pixels
WORD_GAP = 3.5  # of the text height, between words of a line
MARGIN = 0.5  # of the text height, around a line
MAX_MASKED_SHARE = 0.2  # more than this of an image is not annotation


@dataclass(frozen=True)
class Box:
    """Rectangle in pixels: first row and column inclusive, last exclusive."""

    row: int
    column: int
    row_end: int
    column_end: int

    @property
    def area(self) -> int:
        """Number of pixels."""
        return (self.row_end - self.row) * (self.column_end - self.column)


@dataclass(frozen=True)
class _Glyph:
    """Bounding box of a letter, or of several that touch.

    letters: how many it seems to hold
    """

    x: int
    y: int
    width: int
    height: int
    letters: int


def find_text(pixels: NDArray[np.generic]) -> list[Box]:
    """Boxes around lines of burned-in text, horizontal or vertical, bright or dark.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3)
        Stored values.
    """
    gray = _to_8_bit(pixels)
    boxes = [box for plane in (gray, 255 - gray) for box in _lines(plane)]
    turned = np.ascontiguousarray(gray.T)
    for plane in (turned, 255 - turned):
        boxes += [Box(b.column, b.row, b.column_end, b.row_end) for b in _lines(plane)]
    return _merged(boxes, gray.shape)


def paint_out(pixels: NDArray[np.generic], boxes: list[Box]) -> NDArray[np.generic]:
    """Copy of the pixels with every box filled with the median of the pixels around it."""
    out = pixels.copy()
    for box in boxes:
        around = pixels[
            max(box.row - 2, 0) : box.row_end + 2, max(box.column - 2, 0) : box.column_end + 2
        ]
        rim = np.ones(around.shape[:2], bool)
        rim[2:-2, 2:-2] = False
        fill = np.median(around[rim].astype(np.float64), axis=0).astype(pixels.dtype)
        out[box.row : box.row_end, box.column : box.column_end] = fill
    return out


def masked_share(boxes: list[Box], shape: tuple[int, ...]) -> float:
    """Share of the image that the boxes cover."""
    return sum(box.area for box in boxes) / float(shape[0] * shape[1])


def _to_8_bit(pixels: NDArray[np.generic]) -> Gray:
    """Grey levels 0-255 over the range of values, the rarest thousandth at each end cut off."""
    gray = np.asarray(pixels, np.float32)
    if gray.ndim == 3:
        gray = gray.mean(axis=2)
    low, high = np.percentile(gray[::2, ::2], (0.1, 99.9))
    if high <= low:
        low, high = float(gray.min()), float(gray.max())
    if high <= low:
        return np.zeros(gray.shape, np.uint8)
    return np.clip((gray - low) * (255.0 / (high - low)), 0, 255).astype(np.uint8)


def _lines(plane: Gray) -> list[Box]:
    """Lines of bright horizontal text."""
    tallest = max(int(max(plane.shape) * MAX_HEIGHT_SHARE), 4 * MIN_HEIGHT_PX)
    boxes = []
    for stroke in (5, 11, 25, 45):
        if stroke > tallest:
            break
        kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (stroke, stroke))
        hat = np.asarray(cv2.morphologyEx(plane, cv2.MORPH_TOPHAT, kernel), np.uint8)
        lines = _rows_of(_glyphs(plane, hat, MIN_CONTRAST, tallest))
        if not lines:
            continue
        faint = _glyphs(plane, hat, FAINT_CONTRAST, tallest)
        boxes += [_around(_extended(line, faint), plane.shape) for line in lines]
    return boxes


def _glyphs(plane: Gray, hat: Gray, contrast: int, tallest: int) -> list[_Glyph]:
    strong = (hat >= contrast).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(strong, connectivity=8)
    height, width = stats[:, cv2.CC_STAT_HEIGHT], stats[:, cv2.CC_STAT_WIDTH]
    area = stats[:, cv2.CC_STAT_AREA]
    likely = (
        (height >= MIN_HEIGHT_PX)
        & (height <= tallest)
        & (width >= 1)
        & (width <= 25 * height)
        & (area >= 0.08 * height * width)
    )
    likely[0] = False
    square = np.ones((3, 3), np.uint8)
    edge = np.asarray(cv2.morphologyEx(plane, cv2.MORPH_GRADIENT, square), np.uint8)
    glyphs = []
    for k in np.flatnonzero(likely):
        x, y, w, h = (int(v) for v in stats[k, :4])
        inside = labels[y : y + h, x : x + w] == k
        if _is_drawn(inside, hat[y : y + h, x : x + w], edge[y : y + h, x : x + w]):
            glyphs.append(_Glyph(x, y, w, h, _letters(inside)))
    return glyphs


def _is_drawn(inside: NDArray[np.bool_], hat: Gray, edge: Gray) -> bool:
    """Whether the outline is as steep as the strokes are bright."""
    contrast = float(np.percentile(hat[inside], 80))
    outline = inside & ~cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    if not outline.any():
        return False
    steep = float(np.median(edge[outline]))
    return steep >= MIN_SHARPNESS * contrast


def _letters(inside: NDArray[np.bool_]) -> int:
    """Letters in one component: strokes cut by a row, two to a letter on average."""
    height, width = inside.shape
    if width <= 1.3 * height:
        return 1
    padded = np.pad(inside, ((0, 0), (1, 1))).astype(np.int8)
    runs = (np.diff(padded, axis=1) == 1).sum(axis=1)
    return max(1, min(round(float(np.median(runs)) / 1.7), round(1.8 * width / height)))


def _rows_of(glyphs: list[_Glyph]) -> list[list[_Glyph]]:
    """Chains of glyphs of like height side by side, with at least ``MIN_GLYPHS`` letters."""
    chains: list[list[_Glyph]] = []
    for glyph in sorted(glyphs, key=lambda g: g.x):
        for chain in reversed(chains):
            if _continues(chain[-1], glyph) or (len(chain) > 1 and _continues(chain[-2], glyph)):
                chain.append(glyph)
                break
        else:
            chains.append([glyph])
    return [chain for chain in chains if sum(g.letters for g in chain) >= MIN_GLYPHS]


def _extended(line: list[_Glyph], glyphs: list[_Glyph]) -> list[_Glyph]:
    """A line with the short words and marks beside it, which alone are no line."""
    height = float(np.median([g.height for g in line]))
    top, bottom = min(g.y for g in line), max(g.y + g.height for g in line)
    row = [g for g in glyphs if g.y + g.height > top and g.y < bottom and g.height <= 2 * height]
    grown = True
    while grown:
        start, end = min(g.x for g in line), max(g.x + g.width for g in line)
        near = [
            g
            for g in row
            if g not in line
            and g.x <= end + WORD_GAP * height
            and g.x + g.width >= start - WORD_GAP * height
        ]
        line, grown = line + near, bool(near)
    return line


def _continues(left: _Glyph, right: _Glyph) -> bool:
    tall = max(left.height, right.height)
    gap = right.x - (left.x + left.width)
    bottoms = abs((left.y + left.height) - (right.y + right.height))
    middles = abs((left.y + left.height / 2) - (right.y + right.height / 2))
    return (
        -0.5 * tall <= gap <= 1.2 * tall
        and min(left.height, right.height) >= 0.55 * tall
        and min(bottoms, middles) <= 0.3 * tall
    )


def _around(line: list[_Glyph], shape: tuple[int, ...]) -> Box:
    margin = max(2, round(MARGIN * max(g.height for g in line)))
    return Box(
        max(min(g.y for g in line) - margin, 0),
        max(min(g.x for g in line) - margin, 0),
        min(max(g.y + g.height for g in line) + margin, shape[0]),
        min(max(g.x + g.width for g in line) + margin, shape[1]),
    )


def _merged(boxes: list[Box], shape: tuple[int, ...]) -> list[Box]:
    """Bounding boxes of the union of overlapping boxes, top to bottom."""
    canvas = np.zeros(shape[:2], np.uint8)
    for box in boxes:
        canvas[box.row : box.row_end, box.column : box.column_end] = 1
    count, _, stats, _ = cv2.connectedComponentsWithStats(canvas, connectivity=8)
    return [
        Box(int(y), int(x), int(y + h), int(x + w)) for x, y, w, h, _ in stats[1:count].tolist()
    ]
