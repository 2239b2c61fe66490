"""Muscle bellies about the hips, and the layers of fat between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoseg.simulate.body.frame import BodyFrame
from hoseg.simulate.film.drawing import add_lines, wandering_line

# Muscle bellies beside one hip: (lateral, towards feet) of the centre from the femoral head,
# angle of the long axis from "towards feet" (degrees, positive turns the foot end lateral),
# half length, half width, thickness (mm). Drawn from anatomy atlases by eye.
_BELLIES = (
    (38, -62, 28, 74, 26, 26),  # gluteus medius and minimus
    (22, 26, 62, 70, 34, 28),  # gluteus maximus
    (-22, -48, 20, 92, 17, 22),  # iliopsoas
    (-30, 46, 66, 42, 13, 16),  # obturator externus
    (-22, 112, -22, 92, 26, 26),  # adductors
    (34, 122, 4, 110, 21, 22),  # vastus lateralis
    (8, 118, -4, 118, 16, 18),  # rectus femoris
    (58, 20, 6, 70, 9, 14),  # tensor fasciae latae
)


@dataclass(frozen=True)
class Belly:
    """One muscle belly on the film: an ellipse in body mm and its thickness (mm)."""

    centre: tuple[float, float]
    turn: float
    half_length: float
    half_width: float
    thickness: float


def bellies_of(frame: BodyFrame, rng: np.random.Generator) -> list[Belly]:
    """The muscles of both hips, as this patient has them."""
    gain = rng.uniform(0.3, 1.2)
    result = []
    for sign in (-1.0, 1.0):
        for lateral, foot, angle, length, breadth, thick in _BELLIES:
            shake = rng.uniform(-1, 1, 6)
            result.append(
                Belly(
                    (
                        sign * (frame.half_distance_mm + lateral + 8 * shake[1]),
                        foot + 10 * shake[2],
                    ),
                    sign * np.deg2rad(angle + 8 * shake[0]),
                    length * (1 + 0.2 * shake[3]),
                    breadth * (1 + 0.3 * shake[4]),
                    gain * thick * (1 + 0.6 * shake[5]),
                )
            )
    return result


def displaced_fat(
    u: NDArray[np.float32], v: NDArray[np.float32], bellies: list[Belly]
) -> NDArray[np.float32]:
    """Fat displaced by muscle bellies (mm)."""
    taken = np.zeros_like(u)
    for belly in bellies:
        du, dv = u - np.float32(belly.centre[0]), v - np.float32(belly.centre[1])
        sin, cos = np.float32(np.sin(belly.turn)), np.float32(np.cos(belly.turn))
        along = (du * sin + dv * cos) / np.float32(belly.half_length)
        beside = (du * cos - dv * sin) / np.float32(belly.half_width)
        inside = np.clip(1 - along * along - beside * beside, 0, None)
        taken += np.float32(belly.thickness) * np.sqrt(inside)
    return taken


def draw_fat_planes(
    frame: BodyFrame, fat_mm: NDArray[np.float32], bellies: list[Belly], rng: np.random.Generator
) -> None:
    """Draw parts of the muscles' outlines as thin layers of fat seen edge-on."""
    for width_mm, share in ((0.8, 0.6), (1.8, 0.4)):
        arcs = []
        for belly in bellies:
            if rng.random() > share:
                continue
            first = rng.uniform(0, 2 * np.pi)
            t = np.linspace(first, first + rng.uniform(1.0, 4.5), 24)
            along, beside = belly.half_length * np.cos(t), belly.half_width * np.sin(t)
            sin, cos = np.sin(belly.turn), np.cos(belly.turn)
            points = np.stack([along * sin + beside * cos, along * cos - beside * sin], axis=1)
            arcs.append(frame.to_px(points + belly.centre))
        add_lines(fat_mm, arcs, width_mm / frame.spacing_mm, rng.uniform(2, 10))


def streaks(
    frame: BodyFrame, shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Fat planes and fasciae as fine, slightly bent lines along the muscles (mm of fat)."""
    total = np.zeros(shape, np.float32)
    for width_mm, share in ((0.7, 0.5), (1.8, 0.35), (4.0, 0.3)):
        lines = []
        for _ in range(int(rng.integers(6, 26) * share)):
            sign = -1.0 if rng.random() < 0.5 else 1.0
            side = 0 if sign < 0 else 1
            thigh = rng.random() < 0.55
            axis = np.array(frame.thighs[side])
            if not thigh:
                turn = np.deg2rad(rng.uniform(10, 75))
                axis = np.array([sign * np.sin(turn), np.cos(turn)])
            hip = np.array([sign * frame.half_distance_mm, 0.0])
            reach = rng.uniform(20, 220) if thigh else rng.uniform(-110, 20)
            normal = np.array([axis[1], -axis[0]])
            start = hip + axis * reach + normal * rng.normal(0, 45)
            points = wandering_line(start, axis, rng.uniform(30, 150), rng.uniform(0.0, 0.05), rng)
            lines.append(frame.to_px(points))
        depth = rng.uniform(2, 9) * (1 if rng.random() < 0.7 else -1)
        add_lines(total, lines, width_mm / frame.spacing_mm, depth)
    return total
