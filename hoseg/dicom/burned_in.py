"""Find text that was written into the pixels, and paint it out.

Rendered letters differ from anatomy in six ways, and all are asked for: their edges are one or
two pixels wide, their strokes are thin, of one width and of one contrast, they stand in a row,
they are alike in height, and most are more than a bar. Contrast is judged against the noise of
the place, at several levels and stroke widths, so that a text hardly brighter than a white border
is found as well as one over bone. A lone side marker ("L", "R") is not a line of text and stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.dicom.glyphs import Glyphs, Layer, find_glyphs
from hoseg.dicom.text_model import text_probability
from hoseg.dicom.text_rows import MIN_HEIGHT_PX, Row, rows_of

MIN_PROBABILITY = 0.6
MIN_PROBABILITY_OF_TWO = 0.985  # letters: the holes of a lone side marker look like two
MAX_MASKED_SHARE = 0.2  # more than this of an image is not annotation
MAX_HEIGHT_SHARE = 0.06  # height of a letter, of the longer side of the image
MAX_HEIGHT_PX = 60  # on the shrunken picture
SCALES = (1, 2, 4)  # the picture is shrunk by these, which quietens noise and thins strokes
STROKE_PX = 9  # thicker than a stroke, on the shrunken picture
MIN_NOISES = 6.0  # contrast of a stroke, in standard deviations of the noise beside it
MIN_CONTRAST_SHARE = 0.001  # ... and at least this share of the range of grey levels
NOISE_BLOCK_PX = 32
NOISE_RANGE = 3.0  # range of noise in 3 x 3 pixels, in standard deviations
MIN_SHARED = 0.2  # of the sum of two areas, for two rows to be at one place
MARGIN = 0.35  # of the text height, around a line

Float = NDArray[np.float32]
Grey = NDArray[np.uint16]


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

    @property
    def slices(self) -> tuple[slice, slice]:
        """The pixels of an array (H, W) inside it."""
        return (slice(self.row, self.row_end), slice(self.column, self.column_end))


def find_text(pixels: NDArray[np.generic], ignore: NDArray[np.bool_] | None = None) -> list[Box]:
    """Boxes around lines of burned-in text, horizontal or vertical, bright or dark.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3)
        Stored values.
    ignore : (H, W) bool
        Where not to look; None looks everywhere.
    """
    rows = find_rows(pixels, ignore)
    boxes = [box for row in rows if row.probability >= row.needed for box in row.boxes]
    return _merged(boxes, pixels.shape)


@dataclass(frozen=True, eq=False)
class FoundRow:
    """A row of letter-like strokes, text or not.

    boxes: round the row, with a margin
    features: (F,) see ``text_rows.FEATURES``, and at the end how many letters were found at the
        same place with other strokes, contrasts or scales (logarithm)
    """

    boxes: tuple[Box, ...]
    features: NDArray[np.float64]

    @property
    def probability(self) -> float:
        """Of being text."""
        return text_probability(self.features)

    @property
    def needed(self) -> float:
        """Probability from which it counts as text."""
        return MIN_PROBABILITY if self.features[0] > np.log(2.5) else MIN_PROBABILITY_OF_TWO


def find_rows(
    pixels: NDArray[np.generic], ignore: NDArray[np.bool_] | None = None
) -> list[FoundRow]:
    """All rows of letter-like strokes, text or not."""
    found: list[tuple[tuple[Box, ...], Row]] = []
    shape = pixels.shape[:2]
    tallest = max(int(max(shape) * MAX_HEIGHT_SHARE), 4 * MIN_HEIGHT_PX)
    for grey in _planes(pixels):
        if ignore is not None and ignore.any():
            grey[ignore] = int(np.median(grey[~ignore])) if not ignore.all() else 0
        for scale in SCALES:
            for glyphs in _candidates(grey, scale, tallest):
                for upright in (glyphs, glyphs.turned()):
                    for row in rows_of(upright):
                        boxes = [_around(b, upright is glyphs, scale, shape) for b in row.boxes]
                        found.append((tuple(boxes), row))
    support = _support(found)
    return [
        FoundRow(boxes, np.append(row.features, more))
        for (boxes, row), more in zip(found, support, strict=True)
    ]


def _support(found: list[tuple[tuple[Box, ...], Row]]) -> NDArray[np.float64]:
    """Logarithm of the letters that other rows found where each row is."""
    if not found:
        return np.zeros(0)
    edges = np.array(
        [
            (min(b.row for b in boxes), min(b.column for b in boxes),
             max(b.row_end for b in boxes), max(b.column_end for b in boxes))
            for boxes, _ in found
        ],
        np.float64,
    )  # fmt: skip
    letters = np.exp([row.features[0] for _, row in found])
    area = (edges[:, 2] - edges[:, 0]) * (edges[:, 3] - edges[:, 1])
    out = np.zeros(len(found))
    for k, (top, left, bottom, right) in enumerate(edges):
        high = np.minimum(edges[:, 2], bottom) - np.maximum(edges[:, 0], top)
        wide = np.minimum(edges[:, 3], right) - np.maximum(edges[:, 1], left)
        shared = np.maximum(high, 0) * np.maximum(wide, 0) / (area + area[k])
        shared[k] = 0
        out[k] = np.log1p(letters[shared > MIN_SHARED].sum())
    return out


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


def _planes(pixels: NDArray[np.generic]) -> list[Grey]:
    """Brightness from 0, at most 65535; of colour pictures also how colourful they are."""
    values = np.asarray(pixels, np.float32)
    planes: list[Float] = (
        [values]
        if values.ndim == 2
        else [
            np.asarray(values.mean(axis=2), np.float32),
            np.asarray(np.ptp(values, axis=2), np.float32),
        ]
    )
    out = []
    for plane in planes:
        low, high = float(plane.min()), float(plane.max())
        scale = min(1.0, 65535 / max(high - low, 1.0))
        if high > low:
            out.append(((plane - low) * scale).astype(np.uint16))
    return out


def _candidates(grey: Grey, scale: int, tallest: int) -> Iterator[Glyphs]:
    """Letter-like strokes of every contrast and polarity on the picture shrunk by ``scale``."""
    small = _shrunk(grey, scale)
    noise = _noise(small)
    floor = max(2.0, MIN_CONTRAST_SHARE * float(grey.max()))
    least = np.maximum(MIN_NOISES * noise, floor).astype(np.float32)
    edge = _steepness(grey, scale, small.shape)
    sizes = (MIN_HEIGHT_PX, min(tallest // scale + 1, MAX_HEIGHT_PX))
    for kind in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
        hat = np.asarray(cv2.morphologyEx(small, kind, _square(STROKE_PX)), np.float32)
        level = np.log2(np.maximum(hat / least, 0.5)).astype(np.float32)
        layer = Layer(small.astype(np.float32), hat, edge, least)
        for at_least in range(int(level.max()) + 1):
            yield find_glyphs(level >= at_least, layer, sizes)


def _shrunk(grey: Grey, scale: int) -> Grey:
    size = (max(grey.shape[1] // scale, 1), max(grey.shape[0] // scale, 1))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint16)


def _steepness(grey: Grey, scale: int, shape: tuple[int, ...]) -> Float:
    """Range of grey levels in 3 x 3 pixels less that of noise, looked at one scale finer.

    Bones look sharp on a small picture too; on the finer one only drawn edges do.
    """
    finer = _shrunk(grey, max(1, scale // 2))
    edge = cv2.morphologyEx(finer, cv2.MORPH_GRADIENT, _square(3)).astype(np.float32)
    edge = np.maximum(edge - NOISE_RANGE * _noise(finer), 0)
    if finer.shape == shape:
        return np.asarray(edge, np.float32)
    edge = np.asarray(cv2.dilate(edge, _square(2)), np.float32)
    return np.asarray(cv2.resize(edge, shape[::-1], interpolation=cv2.INTER_NEAREST), np.float32)


def _square(size: int) -> NDArray[np.uint8]:
    return np.ones((size, size), np.uint8)


def _noise(grey: Grey) -> Float:
    """(H, W) standard deviation of the noise around each pixel."""
    rough = cv2.absdiff(grey, cv2.medianBlur(grey, 3)).astype(np.float32)
    size = NOISE_BLOCK_PX
    rows, columns = (-(-n // size) for n in grey.shape)
    tiles = np.pad(
        rough, ((0, rows * size - grey.shape[0]), (0, columns * size - grey.shape[1])), "reflect"
    ).reshape(rows, size, columns, size)
    noise = 1.9 * np.median(tiles, axis=(1, 3)).astype(np.float32)
    noise = np.asarray(
        cv2.dilate(noise, _square(3)), np.float32
    )  # where quiet meets noisy, it is noisy
    size_xy = (grey.shape[1], grey.shape[0])
    return np.asarray(cv2.resize(noise, size_xy, interpolation=cv2.INTER_LINEAR), np.float32)


def _around(
    line: tuple[int, int, int, int], upright: bool, scale: int, shape: tuple[int, ...]
) -> Box:
    """Box round (x, y, x_end, y_end) of a line with a margin, turned back if it was turned."""
    x, y, x_end, y_end = (scale * v for v in line)
    margin = max(2 * scale, round(MARGIN * (y_end - y)))
    x, y, x_end, y_end = x - margin, y - margin, x_end + margin, y_end + margin
    if not upright:
        x, y, x_end, y_end = y, x, y_end, x_end
    return Box(max(y, 0), max(x, 0), min(y_end, shape[0]), min(x_end, shape[1]))


def _merged(boxes: list[Box], shape: tuple[int, ...]) -> list[Box]:
    """Bounding boxes of the union of overlapping boxes, top to bottom."""
    canvas = np.zeros(shape[:2], np.uint8)
    for box in boxes:
        canvas[box.row : box.row_end, box.column : box.column_end] = 1
    count, _, stats, _ = cv2.connectedComponentsWithStats(canvas, connectivity=8)
    return [
        Box(int(y), int(x), int(y + h), int(x + w)) for x, y, w, h, _ in stats[1:count].tolist()
    ]
