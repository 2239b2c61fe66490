"""A second look before anything is called ossification: do variants of the film confirm it?

A network that sees bone where there is none is often unsure of it in a way that its probability
does not tell: seen in a mirror, a little larger, turned or in other greys, the same place is
nothing. Each piece of ossification is therefore looked for in ``VARIANTS`` of its surroundings,
and a piece that too few of them confirm is set aside; so is one that is mostly writing, as letters
and markers are. A note says so. A film without ossification is not looked at again. Variants go
through the network as films do, on whatever runtime it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.deidentify.text_model import text_probability
from hoseg.imaging.intensity import normalise
from hoseg.imaging.reading import Reading
from hoseg.infer.components import Region, drop, pieces
from hoseg.infer.predictor import Segmenter
from hoseg.infer.windows import PAD_VALUE
from hoseg.radiograph import Grid, Note, Prepared, Segmentation, Structure
from hoseg.segment.card import ModelCard
from hoseg.segment.peaks import byte_level

SECOND_LOOK = "second_look"
"""Code of the note of a film that was looked at again."""

MARGIN_MM = 80.0
"""How far a variant reaches beyond the pieces. Without the rest of the film the network is less
sure of what is nothing, and of true pieces nearly as sure: at equal loss more false pieces go than
with variants of whole films, in a third of the time."""

CONFIRMED_SHARE = 0.3
"""A variant confirms a piece when it marks more than this share of it."""

WRITTEN_SHARE = 0.5
"""A piece is writing when more than this share of it probably is."""

ABOUT_WRITING_PX = 100
"""What is shown about a piece, to tell whether it is written."""


Window = tuple[slice, slice]


@dataclass(frozen=True)
class Variant:
    """The same part of a film, seen a little differently.

    scale: of the picture
    degrees: turned counterclockwise
    gamma: exponent of the grey levels between the darkest and the brightest of the field
    """

    mirrored: bool = False
    scale: float = 1.0
    degrees: float = 0.0
    gamma: float = 1.0


VARIANTS = (
    Variant(mirrored=True),
    Variant(scale=0.85),
    Variant(scale=1.18),
    Variant(degrees=6.0),
    Variant(degrees=-6.0),
    Variant(gamma=0.7),
    Variant(gamma=1.5),
)


@dataclass(frozen=True)
class SecondLook:
    """What a model asks of a piece of ossification.

    agreement: least share of ``VARIANTS`` that confirm it
    thresholds: probability from which a pixel belongs to a structure, in bit order
    """

    agreement: float
    thresholds: tuple[float, ...]


def second_look_of(cards: Sequence[ModelCard]) -> SecondLook | None:
    """The mean of what some models ask; None when one of them asks for no second look."""
    wanted = [card.second_look for card in cards if card.second_look is not None]
    if not wanted or len(wanted) < len(cards):
        return None
    columns = zip(*(card.thresholds for card in cards), strict=True)
    thresholds = tuple(sum(column) / len(cards) for column in columns)
    return SecondLook(sum(wanted) / len(cards), thresholds)


def look_again(segmenter: Segmenter, reading: Reading, wanted: SecondLook) -> Reading:
    """Set aside what variants of the film do not confirm.

    Returns
    -------
    The reading without those pieces, in masks and probabilities, and with a note; the reading
    itself when it has no ossification.
    """
    level = byte_level(wanted.thresholds[Structure.OSSIFICATION.channel])
    found = pieces(reading.segmentation.probability(Structure.OSSIFICATION) >= level)
    if not found:
        return reading
    shares = agreement(segmenter, reading.prepared, found)
    shares[_written(reading, found)] = 0
    weak = [
        (piece, int((level - 1) * share / wanted.agreement))
        for piece, share in zip(found, shares.tolist(), strict=True)
        if share < wanted.agreement
    ]
    note = _note(reading.prepared.grid, len(found), [piece for piece, _ in weak], wanted)
    prepared = replace(reading.prepared, notes=(*reading.prepared.notes, note))
    return Reading(reading.radiograph, prepared, _without(reading.segmentation, weak, level))


def agreement(
    segmenter: Segmenter, prepared: Prepared, found: Sequence[Region]
) -> NDArray[np.float64]:
    """(n,) share of ``VARIANTS`` that confirm each of n pieces, which lie on the film's grid."""
    shares = np.zeros(len(found))
    for window in _windows(prepared, found):
        seen = [_seen(prepared, window, variant) for variant in VARIANTS]
        answers = segmenter.predict([film for film, _ in seen])
        marked = [
            _back(answer, way, prepared.grid.shape)
            for answer, (_, way) in zip(answers, seen, strict=True)
        ]
        for index, piece in enumerate(found):
            if _within(piece, window):
                inside = [plane[piece.box][piece.inside].mean() for plane in marked]
                shares[index] = np.mean(np.array(inside) > CONFIRMED_SHARE)
    return shares


def _written(reading: Reading, found: Sequence[Region]) -> list[int]:
    """Which pieces are writing on the file's own pixels: resampled tissue looks written too."""
    grid, pixels = reading.segmentation.grid, reading.radiograph.pixels
    written = []
    for index, piece in enumerate(found):
        places = [
            np.rint(origin + step * (first + np.arange(length))).astype(int).clip(0, size - 1)
            for origin, step, first, length, size in zip(
                grid.origin_px,
                grid.step_px,
                piece.corner,
                piece.inside.shape,
                pixels.shape,
                strict=True,
            )
        ]
        first = [max(int(place[0]) - ABOUT_WRITING_PX, 0) for place in places]
        stop = [int(place[-1]) + ABOUT_WRITING_PX for place in places]
        likely = text_probability(pixels[first[0] : stop[0], first[1] : stop[1]])
        own = likely[np.ix_(places[0] - first[0], places[1] - first[1])][piece.inside]
        if (own > 0.5).mean() > WRITTEN_SHARE:
            written.append(index)
    return written


def _windows(prepared: Prepared, found: Sequence[Region]) -> list[Window]:
    """Parts of the film that hold all pieces, those near each other in one."""
    height, width = prepared.grid.shape
    margin = [round(MARGIN_MM / mm) for mm in prepared.grid.spacing_mm]
    near = np.zeros((height, width), np.uint8)
    for piece in found:
        near[_grown(piece.box, (margin[0] // 2, margin[1] // 2), near.shape)] = 1
    boxes = cv2.connectedComponentsWithStats(near)[2][1:, :4].tolist()
    return [
        _grown(
            (slice(top, top + tall), slice(left, left + wide)),
            (margin[0] - margin[0] // 2, margin[1] - margin[1] // 2),
            near.shape,
        )
        for left, top, wide, tall in boxes
    ]


def _grown(box: Window, by: tuple[int, int], shape: tuple[int, ...]) -> Window:
    """A box, larger on every side, within the film."""
    (rows, columns), (height, width) = box, shape
    return (
        slice(max(rows.start - by[0], 0), min(rows.stop + by[0], height)),
        slice(max(columns.start - by[1], 0), min(columns.stop + by[1], width)),
    )


def _within(piece: Region, window: Window) -> bool:
    return all(
        w.start <= p.start and p.stop <= w.stop for p, w in zip(piece.box, window, strict=True)
    )


def _seen(
    prepared: Prepared, window: Window, variant: Variant
) -> tuple[Prepared, NDArray[np.float64]]:
    """A variant of a part of the film, a film of its own; and the way from the film's grid to it.

    The way is a (2, 3) map of (column, row).
    """
    pixels, field = prepared.pixels[window], prepared.field[window]
    if variant.gamma != 1:
        pixels = _other_greys(pixels, field, variant.gamma)
    height, width = field.shape
    centre = ((width - 1) / 2, (height - 1) / 2)
    way = cv2.getRotationMatrix2D(centre, variant.degrees, variant.scale)
    if variant.mirrored:
        way = way @ np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])
    corners = way @ np.array(
        [[0, width - 1, 0, width - 1], [0, 0, height - 1, height - 1], [1] * 4]
    )
    low, high = np.floor(corners.min(axis=1)), np.ceil(corners.max(axis=1))
    way[:, 2] -= low
    shape = (int(high[1] - low[1]) + 1, int(high[0] - low[0]) + 1)
    inside = np.zeros(shape, np.uint8)
    cv2.warpAffine(field.view(np.uint8), way, shape[::-1], inside, cv2.INTER_NEAREST)
    shown = np.zeros(shape, np.float32)
    cv2.warpAffine(pixels, way, shape[::-1], shown, cv2.INTER_LINEAR, borderValue=PAD_VALUE)
    shown[inside == 0] = 0
    grid = Grid(shape, (0.0, 0.0), (1.0, 1.0), prepared.grid.spacing_mm)
    way[:, 2] = way @ (-window[1].start, -window[0].start, 1)
    return Prepared(shown, inside > 0, grid, shape), np.asarray(way)


def _other_greys(
    pixels: NDArray[np.float32], field: NDArray[np.bool_], gamma: float
) -> NDArray[np.float32]:
    """Grey levels bent between the darkest and the brightest of the field, normalised again."""
    if not field.any():
        return pixels
    low, high = np.quantile(pixels[field], (0.001, 0.999))
    share = np.clip((pixels - low) / max(high - low, 1e-6), 0, 1)
    return normalise(share.astype(np.float32) ** np.float32(gamma), field)


def _back(
    answer: Segmentation, way: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """(h, w) 0 or 1: where a variant has ossification, on the film's grid."""
    marked = ((answer.masks & Structure.OSSIFICATION) > 0).astype(np.uint8)
    how = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(marked, way, shape[::-1], flags=how))


def _without(found: Segmentation, weak: Sequence[tuple[Region, int]], level: int) -> Segmentation:
    """What was found, without some pieces of ossification."""
    if not weak:
        return found
    masks, probabilities = found.masks.copy(), found.probabilities.copy()
    values = probabilities[Structure.OSSIFICATION.channel]
    drop(values, masks, found.grid, int(Structure.OSSIFICATION), values >= level, weak)
    return replace(found, masks=masks, probabilities=probabilities)


def _note(grid: Grid, count: int, weak: Sequence[Region], wanted: SecondLook) -> Note:
    """Say what the second look found."""
    looked = f"Looked at again in {len(VARIANTS)} variants: "
    if not weak:
        return Note(SECOND_LOOK, f"{looked}all {count} pieces of ossification were confirmed.")
    pixel_cm2 = grid.spacing_mm[0] * grid.spacing_mm[1] / 100
    areas = ", ".join(f"{piece.inside.sum() * pixel_cm2:.1f}" for piece in weak)
    text = (
        f"{looked}{len(weak)} of {count} pieces of ossification were set aside ({areas} cm²), "
        f"as fewer than {wanted.agreement:.0%} of the variants show them, or as they are writing."
    )
    return Note(SECOND_LOOK, text)
