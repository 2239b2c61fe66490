"""What fixes a fracture: nails, plates, screws and wires."""

from __future__ import annotations

import numpy as np

from hoseg.simulate.body.anatomy import Bone, Hip
from hoseg.simulate.body.materials import Material
from hoseg.simulate.body.meshes import Points, tube
from hoseg.simulate.body.shapes import rod, screw
from hoseg.simulate.patient.parts import Part, canal_axis, lateral_cortex, sideways


def nail(hip: Hip, femur: Bone, rng: np.random.Generator) -> list[Part]:
    """An intramedullary nail with one or two screws into the head."""
    metal = Material.TITANIUM if rng.random() < 0.7 else Material.STEEL
    point, down = canal_axis(hip)
    top = point + down * ((hip.trochanter - point) @ down - rng.uniform(0, 6))
    length = float(rng.choice([170, 200, 320]))
    radius = float(rng.uniform(5.0, 6.5))
    parts = [Part("nail", rod(top, top + down * length, radius * 1.3, radius), metal)]
    tip = hip.head + hip.neck * rng.uniform(0.2, 0.7) * hip.radius
    base = lateral_cortex(hip, femur, rng.uniform(1.2, 1.7) * hip.radius)
    for k in range(int(rng.integers(1, 3))):
        lower = down * 11.0 * k
        parts.append(Part("screw", screw(base + lower, tip + 0.9 * lower, 4.8 - 1.5 * k), metal))
    if rng.random() < 0.7:
        where = top + down * (length - 25)
        across = 22.0 * sideways(hip)
        parts.append(Part("screw", rod(where - across, where + across, 2.4), metal))
    return parts


def plate(hip: Hip, femur: Bone, rng: np.random.Generator) -> list[Part]:
    """A sliding hip screw with its side plate, or neck screws; sometimes cerclage wires."""
    metal = Material.STEEL if rng.random() < 0.6 else Material.TITANIUM
    tip = hip.head + hip.neck * rng.uniform(0.2, 0.7) * hip.radius
    base = lateral_cortex(hip, femur, rng.uniform(1.3, 1.9) * hip.radius)
    if rng.random() < 0.3:
        return _neck_screws(hip, (base, tip), metal, rng)
    _, down = canal_axis(hip)
    out = sideways(hip)
    holes = int(rng.integers(2, 7))
    levels = np.linspace(-10, 22 + 17.0 * holes, 24)
    first = 1.3 * hip.radius
    line = np.array([lateral_cortex(hip, femur, first + level) for level in levels])
    middle = line + 1.5 * out
    knots = np.linspace(0, 1, len(middle))
    body = tube(
        lambda t: np.stack([np.interp(t, knots, middle[:, k]) for k in range(3)], axis=1),
        lambda t: 7.5 * np.sqrt(np.clip(30 * np.minimum(t, 1 - t), 0, 1)), 40, 20,
    )  # fmt: skip
    level = (body.vertices - middle[0]) @ down
    on_line = np.interp(level, (middle - middle[0]) @ down, middle @ out)
    thin = body.vertices + np.outer((on_line - body.vertices @ out) * 0.62, out)
    parts = [
        Part("plate", body.moved(thin), metal),
        Part("screw", screw(base, tip, 5.5), metal),
        Part("barrel", rod(base + out, base + (tip - base) * 0.45, 6.5), metal),
    ]
    for k in range(holes):
        where = lateral_cortex(hip, femur, first + 30 + 17.0 * k) + 3 * out
        parts.append(
            Part("screw", screw(where, where - out * rng.uniform(30, 38), 2.2, 4.0), metal)
        )
    for _ in range(int(rng.integers(0, 3)) if rng.random() < 0.3 else 0):
        parts.append(cerclage(hip, rng))
    return parts


def _neck_screws(
    hip: Hip, line: tuple[Points, Points], metal: Material, rng: np.random.Generator
) -> list[Part]:
    """Two to four parallel cannulated screws across the neck."""
    base, tip = line
    depth = np.cross(hip.neck, [0, 0, 1.0])
    depth = depth / np.linalg.norm(depth)
    up = np.cross(depth, hip.neck)
    parts = []
    for _ in range(int(rng.integers(2, 5))):
        aside = 0.45 * hip.radius * (rng.uniform(-1, 1) * depth + rng.uniform(-0.8, 0.8) * up)
        parts.append(Part("screw", screw(base + aside, tip + 0.8 * aside, 3.4, 4.5), metal))
    return parts


def cerclage(hip: Hip, rng: np.random.Generator) -> Part:
    """A wire round the shaft, its twisted end left open as a gap of a few degrees."""
    point, down = canal_axis(hip)
    centre = point + down * (rng.uniform(2.8, 6.0) * hip.radius)
    radius = float(rng.uniform(15, 20))
    tilt = rng.normal(0, 0.2, 3)
    across = np.cross(down + tilt, [0, 1, 0])
    across /= np.linalg.norm(across)
    depth = np.cross(down + tilt, across)
    depth /= np.linalg.norm(depth)

    return loop_of_wire(centre, radius * across, radius * depth, 0.985)


def loop_of_wire(centre: Points, across: Points, depth: Points, share: float) -> Part:
    """A wire along an ellipse; ``across`` and ``depth`` are its half axes (mm).

    share: of the ellipse that the wire follows; the rest is where it is open or broken
    """

    def loop(t: Points) -> Points:
        angle = 2 * np.pi * share * t[:, None]
        return np.asarray(centre + across * np.cos(angle) + depth * np.sin(angle))

    return Part("wire", tube(loop, lambda t: np.full(len(t), 0.7), 70, 8), Material.STEEL)
