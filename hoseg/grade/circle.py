"""Find the circle of a femoral or prosthetic head on an outline. No random sampling.

An outline is ordered, so the arc of a head is a stretch of it: circles through three points of
stretches of several lengths are the candidates, and the one that most of its own circumference
supports wins. Then an algebraic least-squares fit on its supporters (Kasa 1976; the arc of a
head exceeds half a circle, where its bias is small).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import dist, sqrt

import numpy as np
from numpy.typing import NDArray

SECTORS = 48
"""Parts of a circumference, of which the covered ones are counted: 3 mm each of an adult head."""
TOLERANCE = 0.06
"""How far a point may lie off the circle, in radii: 1.4 mm of an adult head."""
ARCS = (0.5, 0.8, 1.2)
"""Distances between the three points of a candidate, in mean radii. A short stretch lies on a head
of which little shows; the error of an outline moves the circle through a long one less."""
ELSEWHERE = 0.3
"""Candidates whose centres are nearer to each other, in radii, are one circle."""
TRIES = 20
"""Candidates that are looked at for each circle that is returned, since many are one circle."""
FEWEST_POINTS, FEWEST_TO_FIT = 12, 6
"""Fewer points are no outline of a head; three give a circle, twice as many a fit."""
STRAIGHT = 1e-12
"""On a line the determinant of the points' scatter is zero; this share of its squared trace is what
rounding leaves of that."""

MAX_POINTS, MAX_CIRCLES = 2000, 1500
"""Bounds on the work for outlines longer than any bone's: a noisy mask must not take minutes."""


@dataclass(frozen=True, eq=False)
class Circle:
    """A fitted circle.

    centre: (2,) in the units of the points
    coverage: share of the circumference that has points on it, 0-1
    """

    centre: NDArray[np.float64]
    radius: float
    coverage: float


def candidates(
    points: NDArray[np.float64], radii: tuple[float, float], count: int = 6
) -> list[Circle]:
    """The best supported circles on one closed outline, each about another place, best first.

    Parameters
    ----------
    points
        (N, 2) points in order along the outline, evenly spaced.
    radii
        Smallest and largest radius.
    count
        How many to return at most.
    """
    if len(points) < FEWEST_POINTS:
        return []
    points = points[:: len(points) // MAX_POINTS + 1]
    step = float(np.median(np.hypot(*np.diff(points, axis=0).T))) or 1.0
    found = []
    for arc in ARCS:
        jump = max(2, round(arc * 0.5 * (radii[0] + radii[1]) / step))
        if 2 * jump < len(points):
            found.append(
                _through(*(np.roll(points, -shift, 0)[::2] for shift in (0, jump, 2 * jump)))
            )
    if not found:
        return []
    centres, sizes = (np.concatenate(part) for part in zip(*found, strict=True))
    usable = (sizes >= radii[0]) & (sizes <= radii[1])
    centres, sizes = centres[usable], sizes[usable]
    if not len(sizes):
        return []
    thin = slice(None, None, len(sizes) // MAX_CIRCLES + 1)
    centres, sizes = centres[thin], sizes[thin]
    coverage = _coverage(points, centres, sizes)
    circles: list[Circle] = []
    for i in np.argsort(-coverage, kind="stable")[: TRIES * count].tolist():
        if all(dist(centres[i], circle.centre) > ELSEWHERE * circle.radius for circle in circles):
            circles.append(refine(points, centres[i], float(sizes[i]), radii))
        if len(circles) == count:
            break
    return sorted(circles, key=lambda circle: -circle.coverage)


def refine(
    points: NDArray[np.float64],
    centre: NDArray[np.float64],
    radius: float,
    radii: tuple[float, float],
) -> Circle:
    """Least-squares circle on the points near a first guess; the guess where that fails."""
    rows, columns = np.ascontiguousarray(points.T)
    for tolerance in (2 * TOLERANCE, TOLERANCE, TOLERANCE):
        square = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2
        low, high = ((1 - tolerance) * radius) ** 2, ((1 + tolerance) * radius) ** 2
        near = ((square > low) & (square < high)).nonzero()[0]
        fitted = _fit(rows[near], columns[near]) if len(near) >= FEWEST_TO_FIT else None
        if fitted is None or not radii[0] <= fitted[1] <= radii[1]:
            break
        centre, radius = fitted
    coverage = float(_coverage(points, centre[None], np.array([radius]))[0])
    return Circle(centre, radius, coverage)


def _fit(
    rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float] | None:
    """Centre and radius of the algebraic least-squares circle (Kasa 1976); None on a line.

    With q = (u, v) from the points' mean, |q - c|^2 = r^2 is linear in c: 2 q.c + (r^2 - |c|^2) =
    |q|^2. About the mean the constant falls out of the normal equations, which leaves two for c.
    """
    row, column = float(rows.sum()) / len(rows), float(columns.sum()) / len(rows)
    u, v = rows - row, columns - column
    square = u * u + v * v
    uu, uv, vv = float(u @ u), float(u @ v), float(v @ v)
    p, q = 0.5 * float(u @ square), 0.5 * float(v @ square)
    determinant = uu * vv - uv * uv
    if determinant <= STRAIGHT * (uu + vv) ** 2:
        return None
    down, across = (vv * p - uv * q) / determinant, (uu * q - uv * p) / determinant
    radius = sqrt((uu + vv) / len(rows) + down**2 + across**2)
    return np.array([row + down, column + across]), radius


def _through(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (N, 2) and radii (N,) of the circles through three points; inf where straight."""
    p, q = b - a, c - a
    area = 2 * (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0])
    area = np.where(np.abs(area) < 1e-9, np.nan, area)
    pp, qq = p[:, 0] ** 2 + p[:, 1] ** 2, q[:, 0] ** 2 + q[:, 1] ** 2
    u = (q[:, 1] * pp - p[:, 1] * qq) / area
    v = (p[:, 0] * qq - q[:, 0] * pp) / area
    radius = np.hypot(u, v)
    return a + np.stack([u, v], axis=1), np.nan_to_num(radius, nan=np.inf)


def _coverage(
    points: NDArray[np.float64], centres: NDArray[np.float64], radii: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share of sectors of each of K circles that hold a point of the outline near the circle."""
    rows, columns = (np.subtract.outer(points[:, axis], centres[:, axis]) for axis in (0, 1))
    # Near the circle by squares: |d - r| < t r where |d^2 - (1 + t^2) r^2| < 2 t r^2.
    off = rows * rows
    off += columns * columns
    off -= (1 + TOLERANCE**2) * radii**2
    near = np.flatnonzero(np.abs(off, out=off) < 2 * TOLERANCE * radii**2)
    circle = near % len(centres)
    angle = np.arctan2(rows.ravel()[near], columns.ravel()[near])
    sector = ((angle / (2 * np.pi) + 0.5) * SECTORS).astype(int) % SECTORS
    hits = np.bincount(circle * SECTORS + sector, minlength=len(centres) * SECTORS)
    return (hits.reshape(len(centres), SECTORS) > 0).mean(axis=1)
