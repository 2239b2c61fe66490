"""The picture a radiologist looks at: the film in its own window, outlines, gap, class, side.

The film keeps its full resolution and its place in the upper left corner of the picture, so
overlay pixels and film pixels agree; the legend, the scale bar and the remarks stand on a strip
below it. One byte a pixel: 192 grey levels, 48 levels of tinted fill, and a few line colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.grade import HipFinding
from hoseg.imaging.display import display
from hoseg.radiograph import Radiograph, Side, Spacing, Structure
from hoseg.report.lettering import FreeSpace, text_mask
from hoseg.report.png import encode_png

DISCLAIMER = "Research use only. Not a medical device."
GREYS, TINTS = 192, 48
FILL_STRENGTH = 0.35  # share of the ossification colour in its fill
SCALE_BAR_MM = 50
READING_RADIUS_MM = 70

# Colours that readers with any common colour blindness tell apart (Okabe and Ito 2008), drawn
# on a grey film: structure -> RGB.
COLOURS: dict[Structure, tuple[int, int, int]] = {
    Structure.PELVIS: (86, 180, 233),
    Structure.FEMUR: (240, 228, 66),
    Structure.IMPLANT: (204, 121, 167),
    Structure.OSSIFICATION: (230, 97, 0),
}
GAP_RGB = (255, 255, 255)
_LINE = {structure: GREYS + TINTS + i for i, structure in enumerate(COLOURS)}
_GAP_LINE = GREYS + TINTS + len(COLOURS)
_BLACK, _WHITE = 0, GREYS - 1
_FEWER_GREYS = np.round(np.arange(256) * ((GREYS - 1) / 255)).astype(np.uint8)
THUMBNAIL_PX = 320


@dataclass(frozen=True, eq=False)
class Overlay:
    """A picture of palette indices.

    indices: (H + strip, W) uint8
    palette: (256, 3) uint8 RGB
    """

    indices: NDArray[np.uint8]
    palette: NDArray[np.uint8]

    def rgb(self) -> NDArray[np.uint8]:
        """(H + strip, W, 3) uint8."""
        return np.asarray(self.palette[self.indices])

    def png(self) -> bytes:
        """Bytes of a PNG file."""
        return encode_png(self.indices, self.palette, {"Disclaimer": DISCLAIMER})


def overlay(
    radiograph: Radiograph,
    masks: NDArray[np.uint8],
    hips: tuple[HipFinding, ...] = (),
    remarks: tuple[str, ...] = (),
    grey: NDArray[np.uint8] | None = None,
) -> Overlay:
    """Draw what was found on a film.

    Parameters
    ----------
    radiograph: pixels (H, W)
    masks: (H, W) uint8, bits of ``Structure``
    hips: findings whose points are (row, column) on the film
    remarks: further lines for the strip, e.g. why nothing was graded
    grey: (H, W) ``display(radiograph)`` when it is at hand already

    Raises
    ------
    ValueError
        When the masks do not have the shape of the film.
    """
    if masks.shape != radiograph.shape:
        raise ValueError(f"masks {masks.shape} do not fit the film {radiograph.shape}")
    grey = display(radiograph) if grey is None else grey
    picture = _FEWER_GREYS.take(grey, mode="clip")
    size = _font_px(radiograph.shape)
    _fill(picture, masks)
    for structure in COLOURS:
        _outline(picture, masks, structure, max(1, size // 10))
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
    strip = _strip(radiograph, (*left_over, *remarks), size)
    return Overlay(np.vstack((picture, strip)), _palette())


def thumbnail(grey: NDArray[np.uint8], masks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Small RGB picture of a film and its outlines, for galleries: longest side 320 pixels.

    grey: (H, W) display levels
    masks: (H, W) uint8, bits of ``Structure``
    """
    scale = min(1.0, THUMBNAIL_PX / max(grey.shape))
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    small = cv2.cvtColor(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2RGB)
    bits = np.asarray(cv2.resize(masks, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    for structure, colour in COLOURS.items():
        contours, _ = cv2.findContours(
            bits & np.uint8(structure), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
        )
        cv2.drawContours(small, contours, -1, colour, 1, cv2.LINE_AA)
    return np.asarray(small)


def _palette() -> NDArray[np.uint8]:
    """256 colours: greys, greys tinted with the ossification colour, line colours."""
    grey = np.linspace(0, 255, GREYS)[:, None].repeat(3, axis=1)
    base = np.linspace(0, 255, TINTS)[:, None]
    fill = np.array(COLOURS[Structure.OSSIFICATION])
    tint = (1 - FILL_STRENGTH) * base + FILL_STRENGTH * fill
    lines = np.array([*COLOURS.values(), GAP_RGB])
    table = np.zeros((256, 3), np.uint8)
    colours = np.vstack((grey, tint, lines))
    table[: len(colours)] = np.round(colours)
    return table


def _font_px(shape: tuple[int, int]) -> int:
    """A font that reads as well on a film of 4000 pixels as on one of 1000."""
    return int(np.clip(round(max(shape) / 70), 11, 64))


def _fill(picture: NDArray[np.uint8], masks: NDArray[np.uint8]) -> None:
    mask = masks & np.uint8(Structure.OSSIFICATION)
    left, top, width, height = cv2.boundingRect(mask)
    box = (slice(top, top + height), slice(left, left + width))
    inside = mask[box] != 0
    grey = picture[box][inside].astype(np.uint16)
    picture[box][inside] = GREYS + grey * TINTS // GREYS


def _outline(
    picture: NDArray[np.uint8], masks: NDArray[np.uint8], structure: Structure, width_px: int
) -> None:
    mask = masks & np.uint8(structure)
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(picture, contours, -1, _LINE[structure], width_px, cv2.LINE_8)


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


def _hip_lines(hip: HipFinding) -> tuple[str, ...]:
    side = "Side unknown" if hip.side is Side.UNKNOWN else str(hip.side).capitalize()
    if hip.brooker is None:
        return (f"{side} hip", f"not graded: {(hip.abstained or 'undecided').replace('_', ' ')}")
    provisional = " (provisional)" if hip.provisional else ""
    lines = [f"{side} hip", f"Brooker {_ROMAN[hip.brooker]}{provisional}"]
    if hip.gap_mm is not None:
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
    cv2.line(picture, first, second, _BLACK, 3 * thin, cv2.LINE_8)
    cv2.line(picture, first, second, _GAP_LINE, thin, cv2.LINE_8)
    for end in (first, second):
        cv2.circle(picture, end, 2 * thin + 1, _BLACK, -1)
        cv2.circle(picture, end, 2 * thin, _GAP_LINE, max(1, thin // 2))
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
    window[halo > 96] = _BLACK
    window[ink > 96] = _WHITE
    free.take(place, (ink.shape[0], ink.shape[1]))
    return True


def _strip(radiograph: Radiograph, remarks: tuple[str, ...], size: int) -> NDArray[np.uint8]:
    """Legend, scale bar, calibration, remarks and the research-use line, below the film."""
    width = radiograph.shape[1]
    blocks = [_legend(width, size)]
    if radiograph.spacing is not None:
        blocks.append(_scale_bar(radiograph.spacing, width, size))
    else:
        blocks.append(_lines(("No millimetre calibration.",), width, size))
    blocks.extend(_lines((remark,), width, size) for remark in remarks)
    blocks.append(_lines((DISCLAIMER,), width, size))
    return np.vstack([_frame(block, width, size // 3) for block in blocks])


def _frame(block: NDArray[np.uint8], width: int, pad: int) -> NDArray[np.uint8]:
    out = np.full((block.shape[0] + 2 * pad, width), _BLACK, np.uint8)
    shown = block[:, : max(0, width - 2 * pad)]
    out[pad : pad + shown.shape[0], pad : pad + shown.shape[1]] = shown
    return out


def _lines(paragraphs: tuple[str, ...], width: int, size: int) -> NDArray[np.uint8]:
    """Text in white on black, wrapped to a width."""
    wrapped: list[str] = []
    for paragraph in paragraphs:
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and text_mask((longer,), size).shape[1] > width - size:
                wrapped.append(line)
                longer = word
            line = longer
        wrapped.append(line)
    ink = text_mask(tuple(wrapped), size)
    return (ink.astype(np.uint16) * _WHITE // 255).astype(np.uint8)


def _legend(width: int, size: int) -> NDArray[np.uint8]:
    """A swatch and a name for each structure, on as many rows as the width needs."""
    entries = []
    for structure in COLOURS:
        name = _lines((str(structure.name).lower(),), width, size)
        block = np.full((name.shape[0], name.shape[1] + 3 * size), _BLACK, np.uint8)
        block[:, 2 * size : 2 * size + name.shape[1]] = name
        top, bottom = block.shape[0] // 4, block.shape[0] * 3 // 4
        if structure is Structure.OSSIFICATION:
            block[top:bottom, : size * 3 // 2] = GREYS + TINTS // 2
        cv2.rectangle(
            block, (0, top), (size * 3 // 2, bottom), _LINE[structure], max(1, size // 10)
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
    return np.pad(block, ((0, height - block.shape[0]), (0, 0)), constant_values=_BLACK)


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
    text = _lines((words,), max(width - length - 2 * size, width // 2), size)
    block = np.full((text.shape[0], length + 2 * size + text.shape[1]), _BLACK, np.uint8)
    middle = text.shape[0] // 2
    thick = max(1, size // 8)
    block[middle - thick : middle + thick, :length] = _WHITE
    for end in (0, length - 2 * thick):
        block[middle - size // 3 : middle + size // 3, end : end + 2 * thick] = _WHITE
    block[:, length + size : length + size + text.shape[1]] = text
    return block
