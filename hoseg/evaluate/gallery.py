"""Films a person should look at, and their small pictures: truth left, prediction right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.evaluate.case import CaseScore
from hoseg.evaluate.figures import LARGE_MM2
from hoseg.evaluate.page import Picture, Section
from hoseg.imaging.display import display
from hoseg.radiograph import Radiograph, Structure
from hoseg.report.overlay import COLOURS
from hoseg.words import BROOKER

EACH = 4
"""Films of each kind in the report."""
HEIGHT_PX = 480
_WIDEST = 1.25  # width of one half over its height
_FILL = 0.35
_ENLARGED = 3.0  # a hip of a coarse film at most


def gallery(cases: Sequence[CaseScore], out: Path) -> Section:
    """The worst films by several measures and some ordinary ones, none of them twice."""
    drawn = [case for case in cases if case.picture and (out / case.picture).exists()]
    chosen: dict[str, Picture] = {}
    for title, badness in _KINDS:
        scored = [(badness(case), i) for i, case in enumerate(drawn) if case.case not in chosen]
        worst = sorted(((b, i) for b, i in scored if b is not None), key=lambda x: (-x[0], x[1]))
        for _, i in worst[:EACH]:
            case = drawn[i]
            jpeg = (out / case.picture).read_bytes()
            chosen[case.case] = Picture(jpeg, f"{title}: {case.case}", _caption(case))
    lead = (
        "Left the truth, right the prediction: pelvis light blue, femur yellow, implant pink, "
        "ossification orange and filled. All films are in the folder of small pictures."
    )
    return Section("Films to look at", lead, pictures=tuple(chosen.values()))


def _class_error(case: CaseScore) -> float | None:
    errors = [
        abs(hip.truth - hip.predicted)
        for hip in case.hips
        if hip.truth is not None and hip.predicted is not None
    ]
    return float(max(errors)) if errors and max(errors) > 0 else None


def _missed(case: CaseScore) -> float | None:
    missed = [x.area_mm2 for x in case.lesions if x.origin == "truth" and not x.matched]
    return sum(missed) or None


def _false(case: CaseScore) -> float | None:
    return sum(x.area_mm2 for x in case.false_lesions) or None


def _bones(case: CaseScore) -> float | None:
    dice = [
        row.dice
        for row in case.overlaps
        if row.name in ("pelvis", "femur") and row.dice is not None and row.truth_mm2 > LARGE_MM2
    ]
    return 1 - min(dice) if dice else None


def _ordinary(case: CaseScore) -> float | None:
    """Films nearest to the middle: an arbitrary but repeatable draw by name."""
    return float(sum(ord(letter) * 31**i for i, letter in enumerate(case.case[-8:])) % 9973)


_KINDS: tuple[tuple[str, Callable[[CaseScore], float | None]], ...] = (
    ("class most wrong", _class_error),
    ("most HO missed", _missed),
    ("most false HO", _false),
    ("bones worst", _bones),
    ("any film", _ordinary),
)


def _caption(case: CaseScore) -> str:
    parts = []
    for hip in case.hips:
        truth = "not graded" if hip.truth is None else BROOKER[hip.truth]
        found = BROOKER[hip.predicted] if hip.predicted is not None else f"none ({hip.abstained})"
        parts.append(f"{hip.side.value} hip: truth {truth}, predicted {found}")
    for row in case.overlaps[:4]:
        if row.dice is not None:
            parts.append(f"{row.name} Dice {row.dice:.2f}")
    return "; ".join(parts)


def side_by_side(
    radiograph: Radiograph,
    truth: NDArray[np.uint8] | None,
    predicted: NDArray[np.uint8],
    height_px: int = HEIGHT_PX,
) -> bytes:
    """JPEG of the film twice, with the outlines of the truth and of the prediction.

    Parameters
    ----------
    radiograph : pixels (H, W)
    truth : (H, W) uint8 bits, or None when there are only grades (then the plain film)
    predicted : (H, W) uint8 bits
    height_px : of the picture, less for wide films
    """
    rows, columns = radiograph.shape
    scale = min(1.0, height_px / rows, _WIDEST * height_px / columns)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    return _pair(display(_shrunk(radiograph, size)), truth, predicted)


def hip_crop(
    radiograph: Radiograph,
    predicted: NDArray[np.uint8],
    box_px: tuple[int, int, int, int] | None,
    height_px: int = HEIGHT_PX,
) -> bytes:
    """JPEG of one hip twice, plain and with the outlines of the prediction.

    box_px : (row, column, row, column) of the part shown; None = the whole film
    """
    top, left, bottom, right = box_px or (0, 0, *radiograph.shape)
    grey = display(radiograph)[top:bottom, left:right]
    scale = min(height_px / grey.shape[0], _WIDEST * height_px / grey.shape[1], _ENLARGED)
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(grey, size, interpolation=way), np.uint8)
    return _pair(small, None, predicted[top:bottom, left:right])


def _pair(
    grey: NDArray[np.uint8], left: NDArray[np.uint8] | None, right: NDArray[np.uint8]
) -> bytes:
    """JPEG of a grey picture twice, each with the outlines of its own masks."""
    halves = [_outlined(grey, masks) for masks in (left, right)]
    gutter = np.full((grey.shape[0], 6, 3), 255, np.uint8)
    picture = np.hstack([halves[0], gutter, halves[1]])
    flags = [cv2.IMWRITE_JPEG_QUALITY, 82]
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), flags)
    return bytes(coded)


def _shrunk(radiograph: Radiograph, size: tuple[int, int]) -> Radiograph:
    """The film at ``size`` (width, height), before its window is applied: fast, and as good."""
    pixels = radiograph.pixels.astype(np.float32)
    pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.float32)
    valid = radiograph.valid
    if valid is not None:
        plane = cv2.resize(valid.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        valid = np.asarray(plane > 0)
    return replace(radiograph, pixels=pixels, valid=valid)


def _outlined(grey: NDArray[np.uint8], masks: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """RGB film with outlines; ossification is filled lightly as well."""
    picture = np.repeat(grey[:, :, None], 3, axis=2)
    if masks is None:
        return picture
    size = (grey.shape[1], grey.shape[0])
    for structure, colour in COLOURS.items():
        plane = ((masks & structure) > 0).astype(np.uint8) * 255
        here = cv2.resize(plane, size, interpolation=cv2.INTER_AREA) >= 100
        if not here.any():
            continue
        if structure is Structure.OSSIFICATION:
            tint = np.asarray(colour, np.float32)
            picture[here] = ((1 - _FILL) * picture[here] + _FILL * tint).astype(np.uint8)
        contours, _ = cv2.findContours(here.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, colour, 2, cv2.LINE_AA)
    return picture
