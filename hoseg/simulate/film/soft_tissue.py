"""Soft tissue as path lengths: body, fat, muscle planes, bowel gas, skin folds, clothing.

All of it is analytic in the plane of the film (mm at the hip plane, relative to the two femoral
heads) plus procedural texture: cheap enough to be drawn anew each time a geometry is rendered.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.simulate.body.frame import BodyFrame
from hoseg.simulate.film.drawing import (
    add_lines,
    blob_polygon,
    blurred_lines,
    fixed_point,
    fractal_noise,
    wandering_line,
)
from hoseg.simulate.film.muscles import bellies_of, displaced_fat, draw_fat_planes, streaks

_COARSE_MM = 2.4
_GAS_MM, _FLANK_MM = 0.9, 115.0


@dataclass(frozen=True)
class Body:
    """One patient's build. ``adiposity`` runs from 0 (thin) to 1 (very obese)."""

    adiposity: float
    half_width_mm: float
    thickness_mm: float
    fat_mm: float
    perineum_mm: float
    thigh_mm: float


@dataclass(frozen=True, eq=False)
class Tissue:
    """Path lengths (mm), each (H, W) float32: whole body, fat in it, gas in it."""

    body_mm: NDArray[np.float32]
    fat_mm: NDArray[np.float32]
    gas_mm: NDArray[np.float32]


def sample_body(rng: np.random.Generator) -> Body:
    """Draw a build: mostly average, now and then thin or obese."""
    adiposity = float(rng.beta(1.6, 2.6))
    return Body(
        adiposity,
        half_width_mm=165 + 85 * adiposity + float(rng.normal(0, 7)),
        thickness_mm=165 + 150 * adiposity + float(rng.normal(0, 12)),
        fat_mm=10 + 60 * adiposity,
        perineum_mm=float(rng.uniform(70, 105)),
        thigh_mm=72 + 45 * adiposity + float(rng.normal(0, 6)),
    )


def soft_tissue(
    frame: BodyFrame, shape: tuple[int, int], body: Body, rng: np.random.Generator
) -> Tissue:
    """Path lengths of everything that is not bone, for a film of ``shape`` pixels."""
    step = max(1, round(_COARSE_MM / frame.spacing_mm))
    u, v = frame.coordinates(shape, step)
    outer = _outline(frame, body, u, v, 0.0)
    lean = np.minimum(outer, _outline(frame, body, u, v, body.fat_mm))
    lumps = fractal_noise(u.shape, 45 / (frame.spacing_mm * step), rng, 2)
    outer *= 1 + np.float32(rng.uniform(0.0, 0.045)) * lumps
    fatty = np.float32(rng.uniform(0.03, 0.2))
    marbling = fractal_noise(u.shape, rng.uniform(9, 25) / (frame.spacing_mm * step), rng, 3)
    fat = outer - lean + lean * fatty * np.clip(0.5 + 0.45 * marbling, 0, 1.6)
    bellies = bellies_of(frame, rng)
    fat -= displaced_fat(u, v, bellies)
    body_mm, fat_mm = (_upsample(layer, shape, step) for layer in (outer, fat))
    inside = np.minimum(body_mm / 60, 1)
    planes = streaks(frame, shape, rng)
    draw_fat_planes(frame, planes, bellies, rng)
    fat_mm += inside * planes
    body_mm = _folds(frame, body_mm, rng)
    if rng.random() < 0.5:
        _cleft(frame, body_mm, body, rng)
    body_mm = np.maximum(body_mm, 0)
    gas_mm = inside * _bowel(frame, shape, rng)
    if rng.random() < 0.12:
        body_mm += _clothing(frame, shape, rng)
    return Tissue(body_mm, np.clip(fat_mm, 0, 0.9 * body_mm), np.minimum(gas_mm, 0.7 * body_mm))


def _upsample(layer: NDArray[np.float32], shape: tuple[int, int], step: int) -> NDArray[np.float32]:
    """Back to full resolution; pixel centres of both grids are kept aligned."""
    if step == 1:
        return np.ascontiguousarray(layer, np.float32)
    full = (layer.shape[1] * step, layer.shape[0] * step)
    wide = cv2.resize(layer.astype(np.float32), full, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(wide[: shape[0], : shape[1]])


def _outline(
    frame: BodyFrame, body: Body, u: NDArray[np.float32], v: NDArray[np.float32], skin_mm: float
) -> NDArray[np.float32]:
    """Thickness of trunk and thighs, ``skin_mm`` below the skin."""
    waist = np.clip(-v / 200, 0, 1)
    width = body.half_width_mm - skin_mm - (30 - 40 * body.adiposity) * waist
    thick = max(body.thickness_mm - 1.2 * skin_mm, 60.0)
    across = np.clip(1 - np.abs(u / width) ** 2.6, 0, None)
    end = body.perineum_mm - 0.5 * skin_mm - 0.0016 * u * u
    below = np.clip((end - v) / 55, 0, 1)
    trunk = thick * np.sqrt(across * below * (2 - below))
    legs = [_thigh(frame, body, u, v, side, skin_mm) for side in (0, 1)]
    thighs = np.maximum(legs[0], legs[1])
    # The buttock hangs over the thigh: part of the smaller adds, which draws the gluteal fold.
    hanging = np.float32(0.12) * np.minimum(trunk, thighs)
    return np.asarray(np.maximum(trunk, thighs) + hanging, np.float32)


def _thigh(
    frame: BodyFrame,
    body: Body,
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    side: int,
    skin_mm: float,
) -> NDArray[np.float32]:
    sign = -1.0 if side == 0 else 1.0
    axis_u, axis_v = frame.thighs[side]
    du = u - np.float32(sign * (frame.half_distance_mm + 12))
    along = du * axis_u + v * axis_v
    beside = du * axis_v - v * axis_u
    radius = np.maximum(body.thigh_mm - skin_mm * 0.75, 25) * (1 - 0.0007 * np.clip(along, 0, 350))
    round_part = np.sqrt(np.clip(1 - (beside / radius) ** 2, 0, None))
    start = np.clip((along + 60) / 60, 0, 1)
    return np.asarray(2.0 * radius * round_part * np.sqrt(start), np.float32)


def _cleft(
    frame: BodyFrame, body_mm: NDArray[np.float32], body: Body, rng: np.random.Generator
) -> None:
    """Air between the buttocks: a dark, slightly bent line below the symphysis."""
    start = np.array([rng.normal(0, 5), rng.uniform(5, 60)])
    axis = np.array([rng.normal(0, 0.05), 1.0])
    line = wandering_line(start, axis, body.perineum_mm - start[1] + 45, 0.02, rng)
    depth = -rng.uniform(10, 60)
    for width_mm, share in ((1.2, 0.6), (3.5, 0.25), (9.0, 0.15)):
        add_lines(body_mm, [frame.to_px(line)], width_mm / frame.spacing_mm, share * depth)


def _folds(
    frame: BodyFrame, body_mm: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Overlapping skin: a crisp step along a curve, fading on one side."""
    count = int(rng.choice([0, 1, 2], p=[0.5, 0.32, 0.18]))
    if count == 0:
        return body_mm
    u, v = frame.coordinates((body_mm.shape[0], body_mm.shape[1]))
    for _ in range(count):
        # Distance across the crease, and along it from where it is deepest (mm).
        if rng.random() < 0.5:  # apron of the abdomen or gluteal fold: runs across
            bend = rng.uniform(-0.0035, 0.0035)
            level = rng.uniform(-120, -10) if rng.random() < 0.5 else rng.uniform(50, 130)
            across = v - level - bend * u * u - rng.uniform(-0.15, 0.15) * u
            along = u - rng.uniform(-120, 120)
        else:  # groin: oblique, between trunk and thigh
            sign = -1.0 if rng.random() < 0.5 else 1.0
            slope = rng.uniform(0.3, 1.0)
            along = sign * u - rng.uniform(40, 110)
            across = v - rng.uniform(10, 80) + slope * along
            across = across + rng.uniform(-0.005, 0.005) * along * along
        if rng.random() < 0.5:
            across = -across
        step = np.clip(across / rng.uniform(0.5, 4) + 0.5, 0, 1)
        fade = np.exp(-np.maximum(across, 0) / rng.uniform(8, 50))
        reach = np.exp(-((along / rng.uniform(30, 110)) ** 2))
        amount = np.float32(rng.uniform(2, 12))
        body_mm = body_mm + np.where(body_mm > 20, amount * step * fade * reach, 0)
    return body_mm


def _bowel(
    frame: BodyFrame, shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Gas in colon, rectum and small bowel, and stool: a foam of gas and water (mm of gas)."""
    step = max(1, round(_GAS_MM / frame.spacing_mm))
    grid = (-(-shape[0] // step), -(-shape[1] // step))
    gas = np.zeros(grid, np.float32)
    for _ in range(int(rng.integers(0, 6))):
        centre = np.array([rng.normal(0, 50), rng.uniform(-170, 5)])
        heading = rng.uniform(-np.pi, np.pi)
        size = rng.uniform(8, 24)
        loop = np.zeros(grid, np.float32)
        for _ in range(int(rng.integers(1, 8))):
            outline = blob_polygon(size * rng.uniform(0.7, 1.2), rng, lobes=0.09)
            outline = frame.to_px(outline * [1, rng.uniform(0.6, 1)] + centre)
            _add_dome(loop, (outline + 0.5) / step - 0.5, size / (frame.spacing_mm * step))
            heading += rng.normal(0, 0.6)
            centre = centre + 1.2 * size * np.array([np.cos(heading), np.sin(heading)])
            # Bowel stays above the pelvic floor and the groin: only the rectum reaches lower.
            centre[0] = np.clip(centre[0], -_FLANK_MM, _FLANK_MM)
            aside = abs(centre[0]) - 35
            centre[1] = min(centre[1], 25.0 if aside < 0 else -15 - 0.7 * aside)
        loop *= np.float32(min(rng.uniform(8, 38), 1.6 * size))
        if rng.random() < 0.35 and loop.any():
            foam = fractal_noise(grid, rng.uniform(2.5, 8.0) / (frame.spacing_mm * step), rng, 3)
            loop *= np.clip(rng.uniform(0.2, 0.7) + rng.uniform(0.25, 0.6) * foam, 0, 1.5)
        np.maximum(gas, loop, out=gas)
    return _upsample(gas, shape, step)


def _add_dome(layer: NDArray[np.float32], outline: NDArray[np.float64], radius_px: float) -> None:
    """A bubble of height 1: round at its edge, flat in the middle, never below what is there."""
    low = np.clip(np.floor(outline.min(axis=0)) - 2, 0, None).astype(int)
    high = np.ceil(outline.max(axis=0)).astype(int) + 3
    part = layer[low[1] : high[1], low[0] : high[0]]
    if min(part.shape) < 1:
        return
    inside = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(inside, [fixed_point(outline - low)], 1, shift=4)
    depth = np.clip(cv2.distanceTransform(inside, cv2.DIST_L2, 5) / np.float32(radius_px), 0, 1)
    np.maximum(part, np.sqrt(depth * (2 - depth)), out=part)


def _clothing(
    frame: BodyFrame, shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Elastic bands and creases: bundles of nearly parallel bright threads (mm)."""
    lines = []
    start = np.array([rng.uniform(-200, -120), rng.uniform(-160, 150)])
    slope = rng.uniform(-0.25, 0.25)
    for offset in np.arange(0, rng.uniform(3, 14), rng.uniform(1.2, 3.0)):
        axis = np.array([1.0, slope + rng.normal(0, 0.01)])
        points = wandering_line(
            start + [0, offset], axis / np.hypot(*axis), 400, rng.uniform(0.002, 0.01), rng
        )
        lines.append(frame.to_px(points))
    return blurred_lines(shape, lines, 0.7 / frame.spacing_mm, rng.uniform(1.5, 7))
