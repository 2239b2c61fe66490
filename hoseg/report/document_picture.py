"""The picture of a report: film and outlines, cut to the bones, thick enough for a printed page."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.radiograph import Side, Structure
from hoseg.report.contours import trace_contours
from hoseg.report.lettering import text_mask
from hoseg.report.palette import COLOURS, FILL_STRENGTH, GAP_RGB
from hoseg.report.schema import ResultFile

PICTURE_PX = 1000  # longest side
_MARGIN = 0.08  # kept round the bones, as a share of the longer side of their box
_LINE_PX = 3
_LETTER_PX = 48


def picture(folder: Path, result: ResultFile, masks: NDArray[np.uint8] | None) -> bytes | None:
    """JPEG of a film with outlines, gap lines and the letters of the sides; None without a film.

    Parameters
    ----------
    folder : Path
        Of one image, as ``hoseg run`` wrote it.
    result : ResultFile
        Its findings.
    masks : (H, W) uint8, optional
        Bits of ``Structure``; without them the film alone is shown.
    """
    film = cv2.imread(str(folder / "film.jpg"), cv2.IMREAD_COLOR)
    if film is None:
        film = cv2.imread(str(folder / "overlay.png"), cv2.IMREAD_COLOR)
        if film is None:
            return None
        film = film[: result.image.rows] if result.image is not None else film
    masks = np.zeros(film.shape[:2], np.uint8) if masks is None else masks
    top, bottom, left, right = _box(masks)
    scale = min(1.0, PICTURE_PX / max(bottom - top, right - left))
    size = (round((right - left) * scale), round((bottom - top) * scale))
    shown = cv2.resize(film[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(masks[top:bottom, left:right], size, interpolation=cv2.INTER_NEAREST)
    drawn = np.asarray(shown, np.uint8)
    _draw_structures(drawn, np.asarray(small, np.uint8))
    for hip in result.hips:
        if hip.gap_points_px is not None:
            _draw_gap(drawn, (np.array(hip.gap_points_px) - (top, left)) * scale)
    _draw_sides(drawn, result)
    return cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def _box(masks: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of what was segmented, with a margin; else of everything."""
    height, width = masks.shape
    if not masks.any():
        return 0, height, 0, width
    column, row, columns, rows = cv2.boundingRect(masks)
    margin = round(_MARGIN * max(rows, columns))
    return (
        max(0, row - margin),
        min(height, row + rows + margin),
        max(0, column - margin),
        min(width, column + columns + margin),
    )


def _bgr(rgb: tuple[int, int, int]) -> tuple[int, int, int]:
    return rgb[2], rgb[1], rgb[0]


def _draw_structures(drawn: NDArray[np.uint8], masks: NDArray[np.uint8]) -> None:
    inside = (masks & np.uint8(Structure.OSSIFICATION)) != 0
    fill = np.array(_bgr(COLOURS[Structure.OSSIFICATION]))
    drawn[inside] = (1 - FILL_STRENGTH) * drawn[inside] + FILL_STRENGTH * fill
    for structure, contours in trace_contours(masks).items():
        cv2.drawContours(drawn, contours, -1, _bgr(COLOURS[structure]), _LINE_PX, cv2.LINE_AA)


def _draw_gap(drawn: NDArray[np.uint8], ends: NDArray[np.float64]) -> None:
    """ends: (2, 2) row and column of both ends, in pixels of the picture."""
    (first_y, first_x), (second_y, second_x) = np.round(ends).astype(int).tolist()
    for colour, width in (((0, 0, 0), 3 * _LINE_PX), (GAP_RGB, _LINE_PX)):
        cv2.line(drawn, (first_x, first_y), (second_x, second_y), colour, width, cv2.LINE_AA)


def _draw_sides(drawn: NDArray[np.uint8], result: ResultFile) -> None:
    """Write R and L in the upper corners, where the film shows the patient's right and left."""
    if result.image is None:
        return
    right_of_film = result.image.columns_to
    letters = {Side.LEFT: "L", Side.RIGHT: "R"}
    for side, at_left in ((right_of_film.opposite, True), (right_of_film, False)):
        ink = np.pad(text_mask((letters.get(side, ""),), _LETTER_PX), 8)
        rows, columns = ink.shape
        corner = drawn[:rows, :columns] if at_left else drawn[:rows, -columns:]
        if corner.shape[:2] == ink.shape:  # else the film is smaller than a letter
            corner[cv2.dilate(ink, np.ones((9, 9), np.uint8)) > 96] = 0
            corner[ink > 96] = 255
