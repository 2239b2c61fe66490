"""What looks like ossification, or hides it, and is not: calcium, metal, plastic, contrast.

Nothing drawn here is labelled. Places are (lateral, towards feet) in mm from a femoral head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError
from hoseg.simulate.drawing import (
    add_fill,
    add_lines,
    blob_polygon,
    fixed_point,
    fractal_noise,
    wandering_line,
)
from hoseg.simulate.soft_tissue import BodyFrame


@dataclass(frozen=True)
class ConfounderRates:
    """Probability that a film shows each kind at least once."""

    phleboliths: float = 0.35
    avulsed_fragment: float = 0.10
    trochanteric_nonunion: float = 0.04
    vascular: float = 0.15
    tendon: float = 0.10
    lymph_node: float = 0.08
    granuloma: float = 0.08
    cement_crumbs: float = 0.04
    drain: float = 0.06
    ecg_lead: float = 0.04
    button: float = 0.05
    zip: float = 0.03
    coin: float = 0.02
    bladder_contrast: float = 0.04
    staples: float = 0.06
    sutures: float = 0.03
    loose_wire: float = 0.04
    clips: float = 0.08
    ruler: float = 0.04
    side_marker: float = 0.45
    stone: float = 0.03

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not 0 <= value <= 1:
                raise SettingError(entry.name, value, "a probability in [0, 1]")


@dataclass(frozen=True, eq=False)
class Confounders:
    """Path lengths to add (mm), each (H, W) float32, and the kinds that were drawn."""

    calcium_mm: NDArray[np.float32]
    metal_mm: NDArray[np.float32]
    cement_mm: NDArray[np.float32]
    kinds: tuple[str, ...]


class _Sheet:
    """The three layers being drawn, and what the draughtsmen need to know."""

    def __init__(self, frame: BodyFrame, shape: tuple[int, int], rng: np.random.Generator) -> None:
        self.frame = frame
        self.shape = shape
        self.rng = rng
        self.calcium = np.zeros(shape, np.float32)
        self.metal = np.zeros(shape, np.float32)
        self.cement = np.zeros(shape, np.float32)
        self.sign = -1.0 if rng.random() < 0.5 else 1.0

    def at(self, lateral: float, foot: float) -> NDArray[np.float64]:
        """A place beside the chosen hip, in body mm."""
        return np.array([self.sign * (self.frame.half_distance_mm + lateral), foot])

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def px(self, length_mm: float) -> float:
        return length_mm / self.frame.spacing_mm

    def fill(
        self,
        layer: NDArray[np.float32],
        outlines_mm: list[NDArray[np.float64]],
        edge_mm: float,
        value: float,
    ) -> None:
        polygons = [self.frame.to_px(outline) for outline in outlines_mm]
        add_fill(layer, polygons, self.px(edge_mm), value)

    def line(
        self,
        layer: NDArray[np.float32],
        lines_mm: list[NDArray[np.float64]],
        width_mm: float,
        value: float,
    ) -> None:
        lines = [self.frame.to_px(line) for line in lines_mm]
        add_lines(layer, lines, self.px(width_mm), value)


def _circle(centre: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return centre + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


# (lateral, foot) of the places where bone, tendon and fragments meet, and their scatter (mm)
_APOPHYSES = (
    (52, -8, 9),  # greater trochanter
    (14, 58, 8),  # lesser trochanter
    (42, -84, 12),  # anterior superior iliac spine
    (26, -44, 8),  # anterior inferior iliac spine
    (24, -22, 6),  # acetabular rim
    (-28, 72, 10),  # ischial tuberosity
)


def _apophysis(sheet: _Sheet) -> NDArray[np.float64]:
    lateral, foot, spread = _APOPHYSES[int(sheet.rng.integers(len(_APOPHYSES)))]
    return sheet.at(lateral + sheet.rng.normal(0, spread), foot + sheet.rng.normal(0, spread))


def _phleboliths(sheet: _Sheet) -> None:
    for _ in range(int(sheet.rng.integers(1, 7))):
        centre = np.array(
            [sheet.rng.choice([-1, 1]) * sheet.uniform(25, 92), sheet.uniform(-60, 45)]
        )
        radius = sheet.uniform(1.2, 3.8)
        depth = sheet.uniform(1.0, 4.5)
        round_ = blob_polygon(radius, sheet.rng, 0.06) + centre
        sheet.fill(sheet.calcium, [round_], 0.25, depth * 0.5)
        if sheet.rng.random() < 0.65:
            sheet.line(sheet.calcium, [np.vstack([round_, round_[:1]])], 0.8, depth)
        else:
            sheet.fill(sheet.calcium, [_circle(centre, 0.6 * radius)], 0.5, depth * 0.6)


def _avulsed_fragment(sheet: _Sheet) -> None:
    centre = _apophysis(sheet)
    _ossicle(sheet, centre, sheet.uniform(2, 7))


def _ossicle(sheet: _Sheet, centre: NDArray[np.float64], radius: float) -> None:
    stretch = np.array([1.0, sheet.uniform(0.4, 1.0)])
    outline = blob_polygon(radius, sheet.rng, 0.12) * stretch + centre
    depth = sheet.uniform(2, 6)
    sheet.fill(sheet.calcium, [outline], 0.4, 0.45 * depth)
    sheet.line(sheet.calcium, [np.vstack([outline, outline[:1]])], 0.9, 0.6 * depth)


def _trochanteric_nonunion(sheet: _Sheet) -> None:
    centre = sheet.at(sheet.uniform(44, 64), sheet.uniform(-34, -10))
    _ossicle(sheet, centre, sheet.uniform(8, 17))


def _vascular(sheet: _Sheet) -> None:
    start = sheet.at(sheet.uniform(-26, -6), sheet.uniform(-60, 10))
    heading = np.array([sheet.sign * sheet.uniform(-0.2, 0.2), 1.0])
    path = wandering_line(start, heading, sheet.uniform(60, 230), 0.08, sheet.rng, 60)
    apart = sheet.uniform(2.5, 5.0)
    along = np.gradient(path, axis=0)
    normal = np.stack([along[:, 1], -along[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    dashes = []
    for wall in (-0.5, 0.5):
        edge = path + wall * apart * normal + sheet.rng.normal(0, 0.15, path.shape)
        position = 0
        while position < 58:
            length = int(sheet.rng.integers(2, 9))
            if sheet.rng.random() < 0.6:
                dashes.append(edge[position : position + length + 1])
            position += length
    if dashes:
        sheet.line(sheet.calcium, dashes, sheet.uniform(0.5, 1.1), sheet.uniform(0.8, 3.0))


def _tendon(sheet: _Sheet) -> None:
    centre = _apophysis(sheet)
    turn = sheet.uniform(0, np.pi)
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    for _ in range(int(sheet.rng.integers(1, 5))):
        size = sheet.uniform(1.0, 4.0)
        outline = (blob_polygon(size, sheet.rng, 0.2) * [sheet.uniform(1, 2.5), 0.7]) @ spin
        offset = sheet.rng.normal(0, 3, 2)
        sheet.fill(sheet.calcium, [outline + centre + offset], 0.7, sheet.uniform(0.8, 3.0))


def _lymph_node(sheet: _Sheet) -> None:
    centre = sheet.at(sheet.uniform(-50, 10), sheet.uniform(-60, 50))
    radius = sheet.uniform(3, 8)
    for _ in range(int(sheet.rng.integers(5, 22))):
        grain = blob_polygon(sheet.uniform(0.5, 1.8), sheet.rng, 0.2)
        place = centre + sheet.rng.normal(0, radius / 1.8, 2)
        sheet.fill(sheet.calcium, [grain + place], 0.4, sheet.uniform(0.6, 2.5))


def _granuloma(sheet: _Sheet) -> None:
    for _ in range(int(sheet.rng.integers(1, 4))):
        centre = sheet.at(sheet.uniform(20, 75), sheet.uniform(-120, -10))
        outline = blob_polygon(sheet.uniform(2, 9), sheet.rng, 0.08) + centre
        sheet.fill(sheet.calcium, [outline], 0.6, sheet.uniform(0.2, 1.2))
        sheet.line(
            sheet.calcium, [np.vstack([outline, outline[:1]])], 0.9, sheet.uniform(0.8, 3)
        )


def _stone(sheet: _Sheet) -> None:
    centre = np.array([sheet.rng.normal(0, 18), sheet.uniform(-25, 25)])
    outline = blob_polygon(sheet.uniform(4, 14), sheet.rng, 0.08) + centre
    sheet.fill(sheet.calcium, [outline], 1.0, sheet.uniform(2, 7))


def _cement_crumbs(sheet: _Sheet) -> None:
    centre = sheet.at(sheet.uniform(-30, 40), sheet.uniform(-30, 60))
    for _ in range(int(sheet.rng.integers(1, 5))):
        crumb = blob_polygon(sheet.uniform(1.0, 4.0), sheet.rng, 0.3)
        place = centre + sheet.rng.normal(0, 12, 2)
        sheet.fill(sheet.cement, [crumb + place], 0.3, sheet.uniform(3, 9))


def _drain(sheet: _Sheet) -> None:
    start = sheet.at(sheet.uniform(-60, 80), sheet.uniform(-90, 60))
    heading = sheet.uniform(-np.pi, np.pi)
    axis = np.array([np.cos(heading), np.sin(heading)])
    tube = wandering_line(start, axis, sheet.uniform(80, 260), 0.15, sheet.rng, 30)
    width = sheet.uniform(2.0, 6.0)
    sheet.line(sheet.calcium, [tube], width, sheet.uniform(0.15, 0.5))
    sheet.line(sheet.calcium, [tube], 0.8, sheet.uniform(0.8, 2.5))


def _ecg_lead(sheet: _Sheet) -> None:
    start = np.array([sheet.uniform(-150, 150), sheet.uniform(-180, 100)])
    sheet.fill(sheet.metal, [_circle(start, sheet.uniform(2, 5))], 0.2, sheet.uniform(0.2, 1.0))
    heading = sheet.uniform(-np.pi, np.pi)
    axis = np.array([np.cos(heading), np.sin(heading)])
    lead = wandering_line(start, axis, sheet.uniform(120, 400), 0.2, sheet.rng, 30)
    sheet.line(sheet.metal, [lead], 0.7, sheet.uniform(0.15, 0.5))


def _button(sheet: _Sheet) -> None:
    for _ in range(int(sheet.rng.integers(1, 4))):
        centre = np.array([sheet.uniform(-140, 140), sheet.uniform(-170, 110)])
        radius = sheet.uniform(4, 10)
        ring = _circle(centre, radius)
        opaque = sheet.rng.random() < 0.4
        layer = sheet.metal if opaque else sheet.calcium
        sheet.fill(layer, [ring], 0.2, sheet.uniform(0.3, 1.2))
        sheet.line(layer, [np.vstack([ring, ring[:1]])], 1.0, sheet.uniform(0.2, 1.2))
        holes = [_circle(centre + [dx, dy], 0.9) for dx in (-1.8, 1.8) for dy in (-1.8, 1.8)]
        sheet.fill(layer, holes, 0.2, -0.25)


def _zip(sheet: _Sheet) -> None:
    start = np.array([sheet.rng.normal(0, 40), sheet.uniform(-160, -40)])
    axis = np.array([sheet.uniform(-0.2, 0.2), 1.0])
    track = wandering_line(start, axis, sheet.uniform(60, 160), 0.03, sheet.rng, 60)
    teeth = [np.array([p - [2.0, 0], p + [2.0, 0]]) for p in track]
    sheet.line(sheet.metal, teeth, 0.9, sheet.uniform(0.2, 0.9))


def _coin(sheet: _Sheet) -> None:
    centre = np.array([sheet.rng.choice([-1, 1]) * sheet.uniform(70, 150), sheet.uniform(-80, 90)])
    sheet.fill(sheet.metal, [_circle(centre, sheet.uniform(8, 13))], 0.15, sheet.uniform(1.0, 2.2))


def _bladder_contrast(sheet: _Sheet) -> None:
    centre = np.array([sheet.rng.normal(0, 10), sheet.uniform(-40, 5)])
    shape = blob_polygon(sheet.uniform(18, 45), sheet.rng, 0.06) * [1.2, 0.8]
    sheet.fill(sheet.calcium, [shape + centre], 2.5, sheet.uniform(2, 12))


def _staples(sheet: _Sheet) -> None:
    start = sheet.at(sheet.uniform(15, 85), sheet.uniform(-70, 40))
    axis = np.array([sheet.sign * sheet.uniform(-0.4, 0.4), 1.0])
    track = wandering_line(start, axis, sheet.uniform(50, 190), 0.03, sheet.rng, 24)
    lines = []
    for centre in track:
        turn = sheet.rng.normal(0, 0.25)
        half = 3.0 * np.array([np.cos(turn), np.sin(turn)])
        hook = sheet.rng.normal(0, 0.6, 2) + [0, 1.2]
        lines.append(np.array([centre - half + hook, centre - half, centre + half, centre + half + hook]))
    sheet.line(sheet.metal, lines, 0.6, sheet.uniform(0.4, 0.9))


def _sutures(sheet: _Sheet) -> None:
    centre = sheet.at(sheet.uniform(30, 65), sheet.uniform(-20, 30))
    for _ in range(int(sheet.rng.integers(1, 5))):
        loop = blob_polygon(sheet.uniform(2, 7), sheet.rng, 0.3) + centre + sheet.rng.normal(0, 6, 2)
        sheet.line(sheet.metal, [loop], 0.5, sheet.uniform(0.15, 0.5))


def _loose_wire(sheet: _Sheet) -> None:
    start = sheet.at(sheet.uniform(20, 70), sheet.uniform(-40, 60))
    heading = sheet.uniform(-np.pi, np.pi)
    axis = np.array([np.cos(heading), np.sin(heading)])
    wire = wandering_line(start, axis, sheet.uniform(15, 70), 0.25, sheet.rng, 16)
    sheet.line(sheet.metal, [wire], sheet.uniform(0.8, 1.6), sheet.uniform(0.6, 1.5))


def _clips(sheet: _Sheet) -> None:
    centre = sheet.at(sheet.uniform(-60, 40), sheet.uniform(-70, 60))
    lines = []
    for _ in range(int(sheet.rng.integers(1, 9))):
        turn = sheet.uniform(0, np.pi)
        half = sheet.uniform(1.2, 3.0) * np.array([np.cos(turn), np.sin(turn)])
        place = centre + sheet.rng.normal(0, 30, 2)
        lines.append(np.array([place - half, place + half]))
    sheet.line(sheet.metal, lines, 0.8, sheet.uniform(0.5, 1.5))


def _ruler(sheet: _Sheet) -> None:
    x = sheet.uniform(-150, 150)
    top = sheet.uniform(-200, -100)
    ticks = []
    for mark in range(int(sheet.uniform(150, 400))):
        length = 8 if mark % 10 == 0 else (5 if mark % 5 == 0 else 2.5)
        ticks.append(np.array([[x, top + mark], [x + length, top + mark]]))
    sheet.line(sheet.metal, ticks, 0.4, sheet.uniform(0.3, 1.0))


def _side_marker(sheet: _Sheet) -> None:
    """A lead letter on the cassette, mirrored when the film is."""
    letter = str(sheet.rng.choice(["L", "R", "LI", "RE", "L", "R", "B12"]))
    face = int(sheet.rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX]))
    size = sheet.px(sheet.uniform(9, 18))
    scale = size / 22
    x = int(sheet.rng.uniform(0.03, 0.85) * sheet.shape[1])
    y = int(sheet.rng.uniform(0.06, 0.97) * sheet.shape[0])
    canvas = np.zeros(sheet.shape, np.uint8)
    cv2.putText(canvas, letter, (x, y), face, scale, 255, max(1, round(size / 8)), cv2.LINE_AA)
    if sheet.rng.random() < 0.25:
        box = np.array([[-0.3, -1.4], [1.5, -1.4], [1.5, 0.4], [-0.3, 0.4]]) * size + [x, y]
        cv2.polylines(canvas, [fixed_point(box)], True, 255, max(1, round(size / 12)), cv2.LINE_AA, 4)
    sheet.metal += canvas * np.float32(sheet.uniform(0.3, 2.0) / 255)


_DRAUGHTSMEN: dict[str, Callable[[_Sheet], None]] = {
    "phleboliths": _phleboliths,
    "avulsed_fragment": _avulsed_fragment,
    "trochanteric_nonunion": _trochanteric_nonunion,
    "vascular": _vascular,
    "tendon": _tendon,
    "lymph_node": _lymph_node,
    "granuloma": _granuloma,
    "cement_crumbs": _cement_crumbs,
    "drain": _drain,
    "ecg_lead": _ecg_lead,
    "button": _button,
    "zip": _zip,
    "coin": _coin,
    "bladder_contrast": _bladder_contrast,
    "staples": _staples,
    "sutures": _sutures,
    "loose_wire": _loose_wire,
    "clips": _clips,
    "ruler": _ruler,
    "side_marker": _side_marker,
    "stone": _stone,
}


def sample_kinds(rates: ConfounderRates, rng: np.random.Generator) -> tuple[str, ...]:
    """Which kinds this film shows."""
    names = [entry.name for entry in fields(rates)]
    shown = rng.random(len(names)) < [getattr(rates, name) for name in names]
    return tuple(name for name, wanted in zip(names, shown, strict=True) if wanted)


def draw_confounders(
    frame: BodyFrame, shape: tuple[int, int], kinds: tuple[str, ...], rng: np.random.Generator
) -> Confounders:
    """Draw ``kinds`` on a film of ``shape`` pixels."""
    sheet = _Sheet(frame, shape, rng)
    for kind in kinds:
        if kind not in _DRAUGHTSMEN:
            raise SettingError("confounder", kind, "one of " + ", ".join(sorted(_DRAUGHTSMEN)))
        sheet.sign = -1.0 if rng.random() < 0.5 else 1.0
        _DRAUGHTSMEN[kind](sheet)
    if sheet.calcium.any():
        grain = fractal_noise(shape, 3.0 / frame.spacing_mm, rng, 2)
        sheet.calcium *= np.clip(1 + 0.3 * grain, 0.3, 1.8)
    return Confounders(
        np.maximum(sheet.calcium, 0), np.maximum(sheet.metal, 0), sheet.cement, tuple(kinds)
    )
