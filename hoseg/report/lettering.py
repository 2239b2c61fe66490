"""Text on a one-byte picture: rasterised once, and placed where it covers no anatomy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Point = tuple[float, float]

SEARCH_SIZE = 256
"""Free places are searched on a picture of about this many pixels a side."""


@dataclass(frozen=True, eq=False)
class _Glyph:
    """One rasterised character.

    ink: (h, w) uint8 coverage
    left, top: of the ink, from the pen and from the top of the line (pixels)
    advance: of the pen (pixels)
    """

    ink: NDArray[np.uint8]
    left: int
    top: int
    advance: float


@lru_cache(maxsize=8)
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


@lru_cache(maxsize=2048)
def _glyph(character: str, size_px: int) -> _Glyph:
    """Rasterise a character once: that takes a hundred times as long as copying it."""
    font = _font(size_px)
    left, top, right, bottom = (int(edge) for edge in font.getbbox(character))
    picture = Image.new("L", (max(right - left, 0), max(bottom - top, 0)))
    ImageDraw.Draw(picture).text((-left, -top), character, fill=255, font=font)
    return _Glyph(np.asarray(picture), left, top, font.getlength(character))


def text_width(line: str, size_px: int) -> float:
    """Width of a line of text (pixels)."""
    return sum(_glyph(character, size_px).advance for character in line)


def text_mask(lines: tuple[str, ...], size_px: int) -> NDArray[np.uint8]:
    """Coverage (h, w) uint8 of some lines of text, 0 background to 255 ink.

    size_px: height of the font (pixels)
    """
    pitch = round(1.3 * size_px)
    edge = size_px // 4 + 1  # ink may reach beyond the pen's way
    width = max((text_width(line, size_px) for line in lines), default=0)
    out = np.zeros((pitch * len(lines) + edge, int(width) + 2 * edge), np.uint8)
    for number, line in enumerate(lines):
        pen = float(edge)
        for character in line:
            glyph = _glyph(character, size_px)
            top, left = pitch * number + glyph.top, round(pen) + glyph.left
            place = out[top : top + glyph.ink.shape[0], left : left + glyph.ink.shape[1]]
            np.maximum(place, glyph.ink[: place.shape[0], : place.shape[1]], out=place)
            pen += glyph.advance
    return out


def wrap(text: str, width_px: float, size_px: int) -> tuple[str, ...]:
    """Break a paragraph between words into lines of at most a width; a longer word stays whole."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if line and text_width(longer, size_px) > width_px:
            lines.append(line)
            longer = word
        line = longer
    return (*lines, line)


@dataclass(frozen=True, eq=False)
class FreeSpace:
    """Where letters may stand on a picture, kept on a coarse copy of it.

    taken: (h, w) bool, cells that may not be covered
    scale: picture pixels per cell
    shape: (H, W) of the picture
    """

    taken: NDArray[np.bool_]
    scale: float
    shape: tuple[int, int]

    @classmethod
    def around(cls, masks: NDArray[np.uint8], margin_px: int) -> FreeSpace:
        """Free space of a film: all but the marked pixels and a margin round them.

        masks: (H, W) uint8, non-zero where anatomy is
        """
        scale = max(1.0, max(masks.shape) / SEARCH_SIZE)
        columns, rows = (max(1, int(np.ceil(n / scale))) for n in masks.shape[::-1])
        some = cv2.resize(masks, (columns, rows), interpolation=cv2.INTER_NEAREST) > 0
        reach = 2 * (1 + int(np.ceil(margin_px / scale))) + 1  # one more for what NEAREST skips
        cover = cv2.dilate(some.astype(np.uint8), np.ones((reach, reach), np.uint8))
        return cls(cover > 0, scale, (masks.shape[0], masks.shape[1]))

    def keep_clear(self, point: tuple[float, float], radius_px: float) -> FreeSpace:
        """The same space without a disc about a (row, column) point."""
        cover = self.taken.astype(np.uint8)
        centre = (round(point[1] / self.scale), round(point[0] / self.scale))
        cv2.circle(cover, centre, int(np.ceil(radius_px / self.scale)), 1, -1)
        return FreeSpace(cover > 0, self.scale, self.shape)

    def nearer_to(self, point: Point, others: Sequence[Point]) -> FreeSpace:
        """The same space without what is nearer to any other (row, column) point than to one."""
        rows, columns = np.ogrid[: self.taken.shape[0], : self.taken.shape[1]]

        def square(place: Point) -> NDArray[np.float64]:
            row, column = (n / self.scale for n in place)
            return np.asarray((rows - row) ** 2 + (columns - column) ** 2)

        own, taken = square(point), self.taken.copy()
        for other in others:
            taken |= square(other) < own
        return FreeSpace(taken, self.scale, self.shape)

    def take(self, place: tuple[int, int], size: tuple[int, int]) -> None:
        """Mark a rectangle as taken: (row, column) of its corner, (rows, columns)."""
        (top, left), (bottom, right) = (
            [int(n / self.scale) for n in place],
            [int(np.ceil((n + m) / self.scale)) for n, m in zip(place, size, strict=True)],
        )
        self.taken[top:bottom, left:right] = True

    def find(self, size: tuple[int, int], near: tuple[float, float]) -> tuple[int, int] | None:
        """Top-left corner of the free rectangle whose centre is nearest to a point.

        size: (rows, columns) in picture pixels
        near: (row, column) in picture pixels

        Returns None when no rectangle of that size is free.
        """
        rows, columns = (int(np.ceil(n / self.scale)) + 1 for n in size)
        if rows >= self.taken.shape[0] or columns >= self.taken.shape[1]:
            return None
        total = cv2.integral(self.taken.astype(np.uint8))
        busy = (
            total[rows:, columns:]
            - total[:-rows, columns:]
            - total[rows:, :-columns]
            + total[:-rows, :-columns]
        )
        down, right = (
            np.arange(count) + length / 2 - point / self.scale
            for count, length, point in zip(busy.shape, (rows, columns), near, strict=True)
        )
        square = np.add.outer(down**2, right**2)
        square[busy != 0] = np.inf
        top, left = divmod(int(np.argmin(square)), busy.shape[1])
        if np.isinf(square[top, left]):
            return None
        corner = (int((top + 0.5) * self.scale), int((left + 0.5) * self.scale))
        return (
            min(corner[0], self.shape[0] - size[0]),
            min(corner[1], self.shape[1] - size[1]),
        )
