"""Calcium that is not ossification. Places are (lateral, towards feet) in mm from a head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hoseg.simulate.film.drawing import blob_polygon, wandering_line
from hoseg.simulate.film.sheet import Sheet, circle

# (lateral, foot) of the places where bone, tendon and fragments meet, and their scatter (mm)
_APOPHYSES = (
    (52, -8, 9),  # greater trochanter
    (14, 58, 8),  # lesser trochanter
    (42, -84, 12),  # anterior superior iliac spine
    (26, -44, 8),  # anterior inferior iliac spine
    (24, -22, 6),  # acetabular rim
    (-28, 72, 10),  # ischial tuberosity
)


def _apophysis(sheet: Sheet) -> NDArray[np.float64]:
    lateral, foot, spread = _APOPHYSES[int(sheet.rng.integers(len(_APOPHYSES)))]
    return sheet.at(lateral + sheet.rng.normal(0, spread), foot + sheet.rng.normal(0, spread))


def phleboliths(sheet: Sheet) -> None:
    """Calcified veins of the lower pelvis: small rings, often with a lucent centre."""
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
            sheet.fill(sheet.calcium, [circle(centre, 0.6 * radius)], 0.5, depth * 0.6)


def avulsed_fragment(sheet: Sheet) -> None:
    """A small corticated ossicle beside an apophysis."""
    centre = _apophysis(sheet)
    stretch = np.array([1.0, sheet.uniform(0.4, 1.0)])
    outline = blob_polygon(sheet.uniform(2, 7), sheet.rng, 0.12) * stretch + centre
    depth = sheet.uniform(2, 6)
    sheet.fill(sheet.calcium, [outline], 0.4, 0.45 * depth)
    sheet.line(sheet.calcium, [np.vstack([outline, outline[:1]])], 0.9, 0.6 * depth)


def vascular(sheet: Sheet) -> None:
    """Tram lines along the femoral artery, broken."""
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


def tendon(sheet: Sheet) -> None:
    """Fluffy deposits where tendons insert."""
    centre = _apophysis(sheet)
    turn = sheet.uniform(0, np.pi)
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    for _ in range(int(sheet.rng.integers(1, 5))):
        size = sheet.uniform(1.0, 4.0)
        outline = (blob_polygon(size, sheet.rng, 0.2) * [sheet.uniform(1, 2.5), 0.7]) @ spin
        offset = sheet.rng.normal(0, 3, 2)
        sheet.fill(sheet.calcium, [outline + centre + offset], 0.7, sheet.uniform(0.8, 3.0))


def lymph_node(sheet: Sheet) -> None:
    """A mulberry of grains in the groin or pelvis."""
    centre = sheet.at(sheet.uniform(-50, 10), sheet.uniform(-60, 50))
    radius = sheet.uniform(3, 8)
    for _ in range(int(sheet.rng.integers(5, 22))):
        grain = blob_polygon(sheet.uniform(0.5, 1.8), sheet.rng, 0.2)
        place = centre + sheet.rng.normal(0, radius / 1.8, 2)
        sheet.fill(sheet.calcium, [grain + place], 0.4, sheet.uniform(0.6, 2.5))


def granuloma(sheet: Sheet) -> None:
    """Injection granulomas of the buttock: shells and clouds."""
    for _ in range(int(sheet.rng.integers(1, 4))):
        centre = sheet.at(sheet.uniform(20, 75), sheet.uniform(-120, -10))
        outline = blob_polygon(sheet.uniform(2, 9), sheet.rng, 0.08) + centre
        sheet.fill(sheet.calcium, [outline], 0.6, sheet.uniform(0.2, 1.2))
        sheet.line(sheet.calcium, [np.vstack([outline, outline[:1]])], 0.9, sheet.uniform(0.8, 3))


def stone(sheet: Sheet) -> None:
    """A bladder stone."""
    centre = np.array([sheet.rng.normal(0, 18), sheet.uniform(-25, 25)])
    outline = blob_polygon(sheet.uniform(4, 14), sheet.rng, 0.08) + centre
    sheet.fill(sheet.calcium, [outline], 1.0, sheet.uniform(2, 7))
