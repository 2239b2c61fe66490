"""From a radiograph to what the network sees, and from its answer back to the original pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError
from hoseg.imaging.field import ExposedField, find_field, find_painted, make_thumbnail, shrink_mask
from hoseg.imaging.intensity import normalise
from hoseg.imaging.polarity import judge_polarity
from hoseg.imaging.resample import grid_window, make_grid, to_grid
from hoseg.radiograph import Grid, Note, Prepared, Radiograph

ASSUMED_LONG_SIDE_MM = 400.0
"""Long side of the exposed field taken for a film without millimetres (network input only)."""


@dataclass(frozen=True)
class Assume:
    """What to take for granted where a film does not say, or does not say clearly.

    inverted: grey levels must be flipped; None = judge from attributes and picture
    long_side_mm: of the exposed field, for a film without millimetres
    """

    inverted: bool | None = None
    long_side_mm: float = ASSUMED_LONG_SIDE_MM


def prepare(radiograph: Radiograph, spacing_mm: float = 0.5, assume: Assume = Assume()) -> Prepared:
    """Crop to the exposed field, resample to the network's spacing, normalise.

    Parameters
    ----------
    radiograph: one image
    spacing_mm: wished distance between pixel centres (mm at the hip), both directions
    assume: polarity and scale to try

    Returns
    -------
    Prepared, ``pixels`` and ``field`` (h, w); its notes say when the scale or the polarity was
    assumed. An assumed scale serves the network's input only and never becomes a measurement.

    Raises
    ------
    SettingError: spacing_mm is not a positive number
    """
    if not (np.isfinite(spacing_mm) and spacing_mm > 0):
        raise SettingError("spacing_mm", spacing_mm, "a positive number of mm")
    exposed, inverted, notes = locate(radiograph, assume.inverted)
    scale_mm, scale_notes = _scale_mm(radiograph, exposed, assume.long_side_mm)
    grid = make_grid(exposed.window, scale_mm, (spacing_mm, spacing_mm))
    field = exposed.on_grid(grid)
    pixels = normalise(to_grid(radiograph.pixels, grid), field)
    if inverted:
        np.negative(pixels, out=pixels)
    pixels[~field] = 0
    return Prepared(
        pixels=pixels,
        field=field,
        grid=grid,
        original_shape=radiograph.shape,
        inverted=inverted,
        notes=notes + scale_notes,
        burnt_out=exposed.burnt_out,
    )


def locate(
    radiograph: Radiograph, inverted: bool | None = None
) -> tuple[ExposedField, bool, tuple[Note, ...]]:
    """Find the exposed field and the polarity on a thumbnail.

    inverted: the polarity where it is known

    Returns
    -------
    field: what the beam reached
    inverted: stored values must be flipped so that dense is bright
    notes: what was found or assumed
    """
    picture = make_thumbnail(radiograph.pixels)
    valid = None if radiograph.valid is None else shrink_mask(radiograph.valid)
    painted = find_painted(picture, valid)
    notes: tuple[Note, ...] = ()
    if inverted is None:
        inverted, notes = judge_polarity(radiograph, picture, painted)
    field = find_field(picture, painted, radiograph.shape, dense_is_high=not inverted)
    return field, inverted, field.notes + notes


def restore(
    probabilities: NDArray[np.uint8],
    prepared: Prepared,
    thresholds: tuple[float, ...] = (0.5, 0.5, 0.5, 0.5),
) -> NDArray[np.uint8]:
    """Bring the network's answer back to the original pixels as one mask of bits.

    Parameters
    ----------
    probabilities: (C, h, w) uint8, probability x 255 on the grid of ``prepared``; channel ``c``
        becomes bit ``1 << c``
    prepared: what the network saw
    thresholds: (C,) probability from which a pixel belongs to the structure

    Returns
    -------
    (H, W) uint8 on the original grid; zero outside the exposed field

    Raises
    ------
    SettingError: shapes or types do not fit
    """
    _check_probabilities(probabilities, prepared, thresholds)
    window = grid_window(prepared.grid)
    masks = np.zeros(prepared.original_shape, np.uint8)
    inside = masks[window.slices]
    full = np.empty(window.shape, np.uint8)  # one film-sized buffer serves all structures
    keep = prepared.field.view(np.uint8)
    for bit, (channel, threshold) in enumerate(zip(probabilities, thresholds, strict=True)):
        level = min(max(ceil(threshold * 255), 1), 255)
        channel = channel * keep
        box = _box_from(channel, level, prepared.grid)
        if box is None:
            continue
        cv2.resize(channel, window.shape[::-1], dst=full, interpolation=cv2.INTER_LINEAR)
        part = full[box]
        cv2.threshold(part, level - 1, 1 << bit, cv2.THRESH_BINARY, dst=part)
        cv2.bitwise_or(inside[box], part, dst=inside[box])
    return masks


def _box_from(channel: NDArray[np.uint8], level: int, grid: Grid) -> tuple[slice, slice] | None:
    """Original pixels of the window that can reach a level; None where none does.

    Interpolation never exceeds what it lies between.
    """
    left, top, width, height = cv2.boundingRect((channel >= level).view(np.uint8))
    if width == 0:
        return None
    rows, columns = (
        slice(max(0, floor((first - 1) * step)), ceil((first + count + 1) * step))
        for first, count, step in zip((top, left), (height, width), grid.step_px, strict=True)
    )
    return rows, columns


def _scale_mm(
    radiograph: Radiograph, field: ExposedField, long_side_mm: float
) -> tuple[tuple[float, float], tuple[Note, ...]]:
    """Return (row, column) mm of an original pixel, assumed when nothing is known."""
    if radiograph.spacing is not None:
        return radiograph.spacing.mm, ()
    rows, columns = field.window.shape
    scale = long_side_mm / max(rows * radiograph.aspect, columns)
    text = (
        f"No millimetres in the file; for the network's input the exposed field is taken to be "
        f"{long_side_mm:.0f} mm long. Lengths stay in pixels."
    )
    return (scale * radiograph.aspect, scale), (Note("scale_assumed", text),)


def _check_probabilities(
    probabilities: NDArray[np.uint8], prepared: Prepared, thresholds: tuple[float, ...]
) -> None:
    """Refuse arrays that do not belong to this prepared image."""
    if probabilities.dtype != np.uint8:
        raise SettingError("probabilities.dtype", str(probabilities.dtype), "uint8")
    expected = (len(thresholds), *prepared.grid.shape)
    if probabilities.shape != expected:
        raise SettingError("probabilities.shape", probabilities.shape, f"{expected}")
    for threshold in thresholds:
        if not 0 < threshold <= 1:
            raise SettingError("thresholds", threshold, "fractions in (0, 1]")
