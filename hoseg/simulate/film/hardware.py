"""Metal, plastic, cement and contrast medium on or in the patient that is no implant."""

from __future__ import annotations

import cv2
import numpy as np

from hoseg.simulate.film.drawing import blob_polygon, fixed_point, wandering_line
from hoseg.simulate.film.sheet import Sheet, circle


def cement_crumbs(sheet: Sheet) -> None:
    """Loose cement about a hip."""
    centre = sheet.at(sheet.uniform(-30, 40), sheet.uniform(-30, 60))
    for _ in range(int(sheet.rng.integers(1, 5))):
        crumb = blob_polygon(sheet.uniform(1.0, 4.0), sheet.rng, 0.3)
        place = centre + sheet.rng.normal(0, 12, 2)
        sheet.fill(sheet.cement, [crumb + place], 0.3, sheet.uniform(3, 9))


def drain(sheet: Sheet) -> None:
    """A tube with a radiopaque stripe."""
    start = sheet.at(sheet.uniform(-60, 80), sheet.uniform(-90, 60))
    heading = sheet.uniform(-np.pi, np.pi)
    axis = np.array([np.cos(heading), np.sin(heading)])
    tube = wandering_line(start, axis, sheet.uniform(80, 260), 0.15, sheet.rng, 30)
    width = sheet.uniform(2.0, 6.0)
    sheet.line(sheet.calcium, [tube], width, sheet.uniform(0.15, 0.5))
    sheet.line(sheet.calcium, [tube], 0.8, sheet.uniform(0.8, 2.5))


def ecg_lead(sheet: Sheet) -> None:
    """An electrode and its lead."""
    start = np.array([sheet.uniform(-150, 150), sheet.uniform(-180, 100)])
    sheet.fill(sheet.metal, [circle(start, sheet.uniform(2, 5))], 0.2, sheet.uniform(0.2, 1.0))
    heading = sheet.uniform(-np.pi, np.pi)
    axis = np.array([np.cos(heading), np.sin(heading)])
    lead = wandering_line(start, axis, sheet.uniform(120, 400), 0.2, sheet.rng, 30)
    sheet.line(sheet.metal, [lead], 0.7, sheet.uniform(0.15, 0.5))


def button(sheet: Sheet) -> None:
    """Buttons with holes, of plastic or metal."""
    for _ in range(int(sheet.rng.integers(1, 4))):
        centre = np.array([sheet.uniform(-140, 140), sheet.uniform(-170, 110)])
        radius = sheet.uniform(4, 10)
        ring = circle(centre, radius)
        opaque = sheet.rng.random() < 0.4
        layer = sheet.metal if opaque else sheet.calcium
        sheet.fill(layer, [ring], 0.2, sheet.uniform(0.3, 1.2))
        sheet.line(layer, [np.vstack([ring, ring[:1]])], 1.0, sheet.uniform(0.2, 1.2))
        holes = [circle(centre + [dx, dy], 0.9) for dx in (-1.8, 1.8) for dy in (-1.8, 1.8)]
        sheet.fill(layer, holes, 0.2, -0.25)


def zip_fastener(sheet: Sheet) -> None:
    """Two rows of metal teeth."""
    start = np.array([sheet.rng.normal(0, 40), sheet.uniform(-160, -40)])
    axis = np.array([sheet.uniform(-0.2, 0.2), 1.0])
    track = wandering_line(start, axis, sheet.uniform(60, 160), 0.03, sheet.rng, 60)
    teeth = [np.array([p - [2.0, 0], p + [2.0, 0]]) for p in track]
    sheet.line(sheet.metal, teeth, 0.9, sheet.uniform(0.2, 0.9))


def coin(sheet: Sheet) -> None:
    """A coin in a pocket."""
    centre = np.array([sheet.rng.choice([-1, 1]) * sheet.uniform(70, 150), sheet.uniform(-80, 90)])
    sheet.fill(sheet.metal, [circle(centre, sheet.uniform(8, 13))], 0.15, sheet.uniform(1.0, 2.2))


def bladder_contrast(sheet: Sheet) -> None:
    """Contrast medium in the bladder, thin to dense."""
    sheet.calcium += np.float32(np.exp(sheet.uniform(np.log(0.015), np.log(0.15)))) * (
        sheet.bladder_mm
    )


def staples(sheet: Sheet) -> None:
    """A row of skin staples."""
    start = sheet.at(sheet.uniform(15, 85), sheet.uniform(-70, 40))
    axis = np.array([sheet.sign * sheet.uniform(-0.4, 0.4), 1.0])
    track = wandering_line(start, axis, sheet.uniform(50, 190), 0.03, sheet.rng, 24)
    lines = []
    for centre in track:
        turn = sheet.rng.normal(0, 0.25)
        half = 3.0 * np.array([np.cos(turn), np.sin(turn)])
        hook = sheet.rng.normal(0, 0.6, 2) + [0, 1.2]
        lines.append(
            np.array([centre - half + hook, centre - half, centre + half, centre + half + hook])
        )
    sheet.line(sheet.metal, lines, 0.6, sheet.uniform(0.4, 0.9))


def sutures(sheet: Sheet) -> None:
    """Loops of metal suture."""
    centre = sheet.at(sheet.uniform(30, 65), sheet.uniform(-20, 30))
    for _ in range(int(sheet.rng.integers(1, 5))):
        loop = (
            blob_polygon(sheet.uniform(2, 7), sheet.rng, 0.3) + centre + sheet.rng.normal(0, 6, 2)
        )
        sheet.line(sheet.metal, [loop], 0.5, sheet.uniform(0.15, 0.5))


def loose_wire(sheet: Sheet) -> None:
    """A piece of wire, as of a broken cerclage."""
    start = sheet.at(sheet.uniform(20, 70), sheet.uniform(-40, 60))
    heading = sheet.uniform(-np.pi, np.pi)
    axis = np.array([np.cos(heading), np.sin(heading)])
    wire = wandering_line(start, axis, sheet.uniform(15, 70), 0.25, sheet.rng, 16)
    sheet.line(sheet.metal, [wire], sheet.uniform(0.8, 1.6), sheet.uniform(0.6, 1.5))


def clips(sheet: Sheet) -> None:
    """Surgical clips."""
    centre = sheet.at(sheet.uniform(-60, 40), sheet.uniform(-70, 60))
    lines = []
    for _ in range(int(sheet.rng.integers(1, 9))):
        turn = sheet.uniform(0, np.pi)
        half = sheet.uniform(1.2, 3.0) * np.array([np.cos(turn), np.sin(turn)])
        place = centre + sheet.rng.normal(0, 30, 2)
        lines.append(np.array([place - half, place + half]))
    sheet.line(sheet.metal, lines, 0.8, sheet.uniform(0.5, 1.5))


def ruler(sheet: Sheet) -> None:
    """A ruler on the table."""
    x = sheet.uniform(-150, 150)
    top = sheet.uniform(-200, -100)
    ticks = []
    for mark in range(int(sheet.uniform(150, 400))):
        length = 8 if mark % 10 == 0 else (5 if mark % 5 == 0 else 2.5)
        ticks.append(np.array([[x, top + mark], [x + length, top + mark]]))
    sheet.line(sheet.metal, ticks, 0.4, sheet.uniform(0.3, 1.0))


_MARKERS = {-1: ("R", "R", "R", "RE"), 1: ("L", "L", "L", "LI")}
"""Lead letters of the patient's right and left side."""


def side_marker(sheet: Sheet) -> None:
    """A lead letter on the cassette, mostly at the edge and nearly always on the right side."""
    size = sheet.px(sheet.uniform(9, 18))
    scale = size / 22
    across = sheet.uniform(0.03, 0.85)
    if sheet.rng.random() < 0.6:
        across = across * 0.2 if across < 0.44 else 1 - 0.3 * (1 - across)
    x, y = int(across * sheet.shape[1]), int(sheet.uniform(0.06, 0.97) * sheet.shape[0])
    left = (np.array([x, y]) - sheet.frame.origin_px) @ np.array(sheet.frame.left)
    side = 1 if left > 0 else -1
    letter = str(sheet.rng.choice(_MARKERS[side if sheet.rng.random() < 0.97 else -side]))
    letter = "B12" if sheet.rng.random() < 0.1 else letter
    face = int(sheet.rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX]))
    canvas = np.zeros(sheet.shape, np.uint8)
    cv2.putText(canvas, letter, (x, y), face, scale, 255, max(1, round(size / 8)), cv2.LINE_AA)
    if sheet.rng.random() < 0.25:
        box = np.array([[-0.3, -1.4], [1.5, -1.4], [1.5, 0.4], [-0.3, 0.4]]) * size + [x, y]
        cv2.polylines(
            canvas, [fixed_point(box)], True, 255, max(1, round(size / 12)), cv2.LINE_AA, 4
        )
    sheet.metal += canvas * np.float32(sheet.uniform(0.3, 2.0) / 255)
