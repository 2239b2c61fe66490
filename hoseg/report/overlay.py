"""The picture a radiologist looks at: the film in its own window, outlines, gap, class, side.

The film keeps its full resolution and its place in the upper left corner of the picture, so
overlay pixels and film pixels agree; the legend, the scale bar and the remarks stand on a strip
below it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.grade import HipFinding
from hoseg.imaging.display import display
from hoseg.radiograph import Radiograph, Side, Structure
from hoseg.report.contours import Contours, trace_contours
from hoseg.report.lettering import FreeSpace, text_mask
from hoseg.report.palette import (
    BLACK,
    COLOURS,
    GAP_LINE,
    LINE,
    TINTED,
    WHITE,
    colour_table,
    fewer_greys,
)
from hoseg.report.png import encode_png
from hoseg.report.strip import DISCLAIMER, draw_strip

READING_RADIUS_MM = 70
THUMBNAIL_PX = 320


@dataclass(frozen=True, eq=False)
class Overlay:
    """A picture of palette indices.

    film: (H, W) uint8, the film and what was found on it
    strip: (h, W) uint8, the words below it
    palette: (256, 3) uint8 RGB
    """

    film: NDArray[np.uint8]
    strip: NDArray[np.uint8]
    palette: NDArray[np.uint8]

    @property
    def indices(self) -> NDArray[np.uint8]:
        """(H + h, W) uint8, the whole picture."""
        return np.vstack((self.film, self.strip))

    def rgb(self) -> NDArray[np.uint8]:
        """(H + strip, W, 3) uint8."""
        return np.asarray(self.palette[self.indices])

    def png(self) -> bytes:
        """Bytes of a PNG file."""
        return encode_png((self.film, self.strip), self.palette, {"Disclaimer": DISCLAIMER})


def overlay(
    radiograph: Radiograph,
    masks: NDArray[np.uint8],
    hips: tuple[HipFinding, ...] = (),
    remarks: tuple[str, ...] = (),
    grey: NDArray[np.uint8] | None = None,
    contours: Contours | None = None,
) -> Overlay:
    """Draw what was found on a film.

    Parameters
    ----------
    radiograph: pixels (H, W)
    masks: (H, W) uint8, bits of ``Structure``
    hips: findings whose points are (row, column) on the film
    remarks: further lines for the strip, e.g. why nothing was graded
    grey: (H, W) ``display(radiograph)`` when it is at hand already
    contours: ``trace_contours(masks)`` when they are at hand already

    Raises
    ------
    ValueError
        When the masks do not have the shape of the film.
    """
    if masks.shape != radiograph.shape:
        raise ValueError(f"masks {masks.shape} do not fit the film {radiograph.shape}")
    grey = display(radiograph) if grey is None else grey
    contours = trace_contours(masks) if contours is None else contours
    picture = fewer_greys(grey)
    size = _font_px(radiograph.shape)
    _draw_structures(picture, masks, contours, max(1, round(size / 9)))
    free = FreeSpace.around(masks, size // 3)
    for hip in hips:
        _draw_gap(picture, free, hip, size)
    clear = free
    for hip in hips:
        clear = clear.keep_clear(_hip_point(hip, masks), _reading_radius_px(radiograph))
    left_over: list[str] = []
    for hip in hips:
        lines = _hip_lines(hip)
        if not _write_near(picture, clear, lines, _hip_point(hip, masks), size):
            left_over.append(" · ".join(lines))
    strip = draw_strip(radiograph, (*left_over, *remarks), size)
    return Overlay(picture, strip, colour_table())


def thumbnail(grey: NDArray[np.uint8], masks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Small RGB picture of a film and its outlines, for galleries: longest side 320 pixels.

    grey: (H, W) display levels
    masks: (H, W) uint8, bits of ``Structure``
    """
    scale = min(1.0, THUMBNAIL_PX / max(grey.shape))
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    small = cv2.cvtColor(_shrink(grey, size), cv2.COLOR_GRAY2RGB)
    bits = np.asarray(cv2.resize(masks, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    for structure, contours in trace_contours(bits).items():
        cv2.drawContours(small, contours, -1, COLOURS[structure], 1, cv2.LINE_AA)
    return np.asarray(small)


def _shrink(grey: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Average over areas to (columns, rows), by halves as far as they go: those are fast."""
    while grey.shape[1] >= 4 * size[0] and grey.shape[0] >= 4 * size[1]:
        half = (grey.shape[1] // 2, grey.shape[0] // 2)
        even = grey[: 2 * half[1], : 2 * half[0]]
        grey = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def _font_px(shape: tuple[int, int]) -> int:
    """A font that reads as well on a film of 4000 pixels as on one of 1000."""
    return int(np.clip(round(max(shape) / 70), 11, 64))


def _draw_structures(
    picture: NDArray[np.uint8], masks: NDArray[np.uint8], contours: Contours, width_px: int
) -> None:
    """Fill ossification lightly, then outline every structure."""
    pieces = contours[Structure.OSSIFICATION]
    if len(pieces):
        left, top, width, height = cv2.boundingRect(np.concatenate(pieces))
        box = (slice(top, top + height), slice(left, left + width))
        inside = (masks[box] & np.uint8(Structure.OSSIFICATION)) != 0
        np.copyto(picture[box], cv2.LUT(picture[box], TINTED), where=inside)
    for structure in COLOURS:
        lines = contours[structure]
        cv2.drawContours(picture, lines, -1, LINE[structure], width_px, cv2.LINE_8)


def _reading_radius_px(radiograph: Radiograph) -> float:
    """Words stay out of the soft tissue round a hip, where a reader looks for what was missed."""
    if radiograph.spacing is None:
        return min(radiograph.shape) / 6
    return READING_RADIUS_MM / radiograph.spacing.mean_mm


def _hip_point(hip: HipFinding, masks: NDArray[np.uint8]) -> tuple[float, float]:
    """Where the words about a hip should stand: at its femoral head, else mid-picture."""
    if hip.landmarks.head_px is not None:
        return hip.landmarks.head_px
    return (masks.shape[0] / 2, masks.shape[1] / 2)


def side_name(side: Side) -> str:
    """Return "Left hip", "Right hip", or "Hip of unknown side"."""
    return "Hip of unknown side" if side is Side.UNKNOWN else f"{str(side).capitalize()} hip"


def _hip_lines(hip: HipFinding) -> tuple[str, ...]:
    if hip.brooker is None:
        why = (hip.abstained or "undecided").replace("_", " ")
        return (side_name(hip.side), f"not graded: {why}")
    provisional = " (provisional)" if hip.provisional else ""
    lines = [side_name(hip.side), f"Brooker {_ROMAN[hip.brooker]}{provisional}"]
    if hip.gap_mm == 0:
        lines.append("no gap")
    elif hip.gap_mm is not None:
        lines.append(f"gap {_gap_text(hip)}")
    return tuple(lines)


_ROMAN = ("0", "I", "II", "III", "IV")


def _gap_text(hip: HipFinding) -> str:
    text = f"{hip.gap_mm:.1f} mm"
    if hip.gap_interval_mm is not None:
        text += " ({:.1f} to {:.1f})".format(*hip.gap_interval_mm)
    return text


def _draw_gap(picture: NDArray[np.uint8], free: FreeSpace, hip: HipFinding, size: int) -> None:
    """Draw the line between the two bone surfaces, its ends, and its length beside it."""
    if hip.gap_points_px is None or hip.gap_mm is None:
        return
    first, second = ((round(column), round(row)) for row, column in hip.gap_points_px)
    thin = max(1, size // 12)
    cv2.line(picture, first, second, BLACK, 3 * thin, cv2.LINE_8)
    cv2.line(picture, first, second, GAP_LINE, thin, cv2.LINE_8)
    for end in (first, second):
        cv2.circle(picture, end, 2 * thin + 1, BLACK, -1)
        cv2.circle(picture, end, 2 * thin, GAP_LINE, max(1, thin // 2))
    middle = tuple(np.mean(hip.gap_points_px, axis=0))
    _write_near(picture, free, (f"{hip.gap_mm:.1f} mm",), middle, size)


def _write_near(
    picture: NDArray[np.uint8],
    free: FreeSpace,
    lines: tuple[str, ...],
    near: tuple[float, float],
    size: int,
) -> bool:
    """Write lines on the nearest free place and mark it taken; False when there is none."""
    ink = text_mask(lines, size)
    pad = size // 3
    ink = np.pad(ink, pad)
    place = free.find((ink.shape[0], ink.shape[1]), near)
    if place is None:
        return False
    row, column = place
    window = picture[row : row + ink.shape[0], column : column + ink.shape[1]]
    halo = cv2.dilate(ink, np.ones((2 * (size // 8) + 3,) * 2, np.uint8))
    window[halo > 96] = BLACK
    window[ink > 96] = WHITE
    free.take(place, (ink.shape[0], ink.shape[1]))
    return True
