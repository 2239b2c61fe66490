"""The picture a radiologist looks at: the film in its own window, outlines, gap, class, side.

The film keeps its full resolution and its place in the upper left corner of the picture, so
overlay pixels and film pixels agree; the legend, the scale bar and the remarks stand on a strip
below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.grade import HipFinding
from hoseg.grade.summary import describe_gap, describe_provisional
from hoseg.imaging.display import display
from hoseg.radiograph import MaskLayers, Radiograph, Side, Spacing, Structure, split_layers
from hoseg.report.lettering import FreeSpace, text_mask, wrap
from hoseg.report.palette import (
    BLACK,
    COLOURS,
    GAP_LINE,
    GREYS,
    LINE,
    TINTED,
    TINTS,
    WHITE,
    colour_table,
    fewer_greys,
)
from hoseg.report.png import encode_png
from hoseg.words import BROOKER, CALIBRATIONS, RESEARCH_USE

READING_RADII_MM = (70, 45, 25)
"""Words stay out of the soft tissue round a hip, where a reader looks for what was missed: so far
from its head, or nearer where the film leaves no place beside the hip at that distance."""
FAR_MM = 130
"""Words farther from the hip than this are hard to tell from those of the other."""
ASSUMED_ORIENTATION = (
    "Side ASSUMED: nothing states how the film lies; the patient's left is taken to be on the "
    "viewer's right."
)
SCALE_BAR_MM = 50
THUMBNAIL_PX = 320

Contour = NDArray[np.int32]
"""(N, 1, 2) (column, row) of the border pixels of a piece or a hole, straight runs shortened."""

Contours = dict[Structure, Sequence[Contour]]

Point = tuple[float, float]

_INK = (np.arange(256) * WHITE // 255).astype(np.uint8)


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
        return encode_png((self.film, self.strip), self.palette, {"Disclaimer": RESEARCH_USE})


def trace_contours(masks: NDArray[np.uint8], layers: MaskLayers | None = None) -> Contours:
    """Closed outlines of every structure and of its holes.

    masks: (H, W) uint8, bits of ``Structure``
    layers: ``split_layers(masks)`` when they are at hand already
    """
    contours: Contours = {}
    for structure, layer in (split_layers(masks) if layers is None else layers).items():
        lines, _ = cv2.findContours(
            layer.mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=layer.corner[::-1]
        )
        contours[structure] = [np.asarray(line, np.int32) for line in lines]
    return contours


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
    heads = [_hip_point(hip, masks) for hip in hips]
    left_over: list[str] = []
    for hip, head in zip(hips, heads, strict=True):
        scale = (size, _pixels_a_mm(radiograph))
        if not _write_beside(picture, free, hip, (head, heads), scale):
            left_over.append(" · ".join(_hip_lines(hip)))
    if any(hip.side_source == "assumed" for hip in hips):
        left_over.append(ASSUMED_ORIENTATION)
    shown = tuple(structure for structure in COLOURS if len(contours[structure]))
    strip = _strip(radiograph, shown, (*left_over, *remarks), size)
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


def _pixels_a_mm(radiograph: Radiograph) -> float:
    """Pixels of a millimetre; without millimetres, as if the film were 42 cm on its short side."""
    if radiograph.spacing is None:
        return min(radiograph.shape) / 420
    return 1 / radiograph.spacing.mean_mm


def _write_beside(
    picture: NDArray[np.uint8],
    free: FreeSpace,
    hip: HipFinding,
    heads: tuple[Point, Sequence[Point]],
    scale: tuple[int, float],
) -> bool:
    """Write about a hip on its own half of the film, off its soft tissue as far as there is room.

    Where that is too little, the words are fewer: the strip has them all.

    heads: (row, column) of its own head, and of all
    scale: size of the letters and of a millimetre (pixels)
    """
    own, every = heads
    size, mm = scale
    half = free.nearer_to(own, every)
    inks = [_ink(lines, size) for lines in (_hip_lines(hip), _short_lines(hip))]
    tries = [(ink, radius) for ink in inks for radius in READING_RADII_MM]
    for ink, radius_mm in [*tries, *((ink, 0) for ink in inks)]:
        space = half
        for head in every:
            space = space.keep_clear(head, radius_mm * mm)
        place = space.find((ink.shape[0], ink.shape[1]), own)
        if place is None:
            continue
        middle = np.add(place, np.divide(ink.shape, 2))
        if not radius_mm or np.hypot(*(middle - own)) <= FAR_MM * mm:
            _stamp(picture, free, ink, place, size)
            return True
    return False


def _hip_point(hip: HipFinding, masks: NDArray[np.uint8]) -> tuple[float, float]:
    """Where the words about a hip should stand: at its femoral head, else mid-picture."""
    if hip.landmarks.head_px is not None:
        return hip.landmarks.head_px
    return (masks.shape[0] / 2, masks.shape[1] / 2)


def side_name(side: Side) -> str:
    """Return "Left hip", "Right hip", or "Hip of unknown side"."""
    return "Hip of unknown side" if side is Side.UNKNOWN else f"{str(side).capitalize()} hip"


def _name(hip: HipFinding) -> str:
    """The hip, and whether its side is assumed: in the same words wherever it stands."""
    assumed = " (side ASSUMED)" if hip.side_source == "assumed" else ""
    return f"{side_name(hip.side)}{assumed}"


def _hip_lines(hip: HipFinding) -> tuple[str, ...]:
    name = _name(hip)
    if hip.brooker is None:
        why = (hip.abstained or "undecided").replace("_", " ")
        return (name, f"not graded: {why}")
    lines = [name, f"Brooker {BROOKER[hip.brooker]}"]
    if hip.provisional:
        lines.append(f"provisional: {describe_provisional(hip)}")
    if hip.gap_mm is not None:
        lines.append(f"gap {describe_gap(hip)}")
    return tuple(lines)


def _short_lines(hip: HipFinding) -> tuple[str, ...]:
    """Two lines that nothing may be left out of."""
    if hip.brooker is None:
        return (_name(hip), "not graded")
    provisional = " (provisional)" if hip.provisional else ""
    return (_name(hip), f"Brooker {BROOKER[hip.brooker]}{provisional}")


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
    ink = _ink(lines, size)
    place = free.find((ink.shape[0], ink.shape[1]), near)
    if place is None:
        return False
    _stamp(picture, free, ink, place, size)
    return True


def _ink(lines: tuple[str, ...], size: int) -> NDArray[np.uint8]:
    return np.pad(text_mask(lines, size), size // 3)


def _stamp(
    picture: NDArray[np.uint8],
    free: FreeSpace,
    ink: NDArray[np.uint8],
    place: tuple[int, int],
    size: int,
) -> None:
    """White letters with a black rim at a place, which is then taken."""
    row, column = place
    window = picture[row : row + ink.shape[0], column : column + ink.shape[1]]
    halo = cv2.dilate(ink, np.ones((2 * (size // 8) + 3,) * 2, np.uint8))
    window[halo > 96] = BLACK
    window[ink > 96] = WHITE
    free.take(place, (ink.shape[0], ink.shape[1]))


def _strip(
    radiograph: Radiograph, shown: tuple[Structure, ...], remarks: tuple[str, ...], size: int
) -> NDArray[np.uint8]:
    """Legend of what is shown, scale bar, remarks and the research-use line, below the film."""
    width = radiograph.shape[1]
    blocks = [_legend(shown, width, size)] if shown else []
    if radiograph.spacing is not None:
        blocks.append(_scale_bar(radiograph.spacing, width, size))
    else:
        blocks.append(_lines("No millimetre calibration.", width, size))
    blocks.extend(_lines(remark, width, size) for remark in remarks)
    blocks.append(_lines(RESEARCH_USE, width, size))
    return np.vstack([_frame(block, width, size // 3) for block in blocks])


def _frame(block: NDArray[np.uint8], width: int, pad: int) -> NDArray[np.uint8]:
    out = np.full((block.shape[0] + 2 * pad, width), BLACK, np.uint8)
    shown = block[:, : max(0, width - 2 * pad)]
    out[pad : pad + shown.shape[0], pad : pad + shown.shape[1]] = shown
    return out


def _lines(paragraph: str, width: int, size: int) -> NDArray[np.uint8]:
    """Text in white on black, wrapped to a width."""
    return np.asarray(cv2.LUT(text_mask(wrap(paragraph, width - size, size), size), _INK))


@lru_cache(maxsize=8)
def _legend(shown: tuple[Structure, ...], width: int, size: int) -> NDArray[np.uint8]:
    """A swatch and a name for each structure, on as many rows as the width needs."""
    entries = []
    for structure in shown:
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
    spread = f", ± {196 * spacing.relative_sd:.0f} %" if spacing.relative_sd else ""
    source = f"{CALIBRATIONS[spacing.source]}{spread}"
    words = f"{millimetres} mm at the plane of the hip · calibration: {source}"
    text = _lines(words, max(width - length - 2 * size, width // 2), size)
    block = np.full((text.shape[0], length + 2 * size + text.shape[1]), BLACK, np.uint8)
    middle = text.shape[0] // 2
    thick = max(1, size // 8)
    block[middle - thick : middle + thick, :length] = WHITE
    for end in (0, length - 2 * thick):
        block[middle - size // 3 : middle + size // 3, end : end + 2 * thick] = WHITE
    block[:, length + size : length + size + text.shape[1]] = text
    return block
