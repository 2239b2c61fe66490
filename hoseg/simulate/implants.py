"""Implants, and what surgery does to the bone round them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hoseg.simulate.anatomy import Bone, Hip
from hoseg.simulate.materials import Material
from hoseg.simulate.meshes import Mesh, Points, tube, unit_sphere

HEAD_RADII_MM = (11.0, 13.0, 14.0, 16.0, 18.0, 20.0)


@dataclass(frozen=True, eq=False)
class Part:
    """One piece of an implant."""

    name: str
    mesh: Mesh
    material: Material


def cut_head(bone: Bone, hip: Hip, level: float) -> Bone:
    """The femur after an osteotomy of the neck.

    Vertices beyond the cut are moved onto its plane: the surface stays closed, and what is
    folded flat there has no thickness along any ray.

    level: of the cut along the neck, in head radii from the centre of the head
    """
    point = hip.head - hip.neck * level * hip.radius
    normal = hip.neck - 0.25 * hip.shaft * (hip.neck @ hip.shaft)
    normal = normal / np.linalg.norm(normal)

    def flatten(mesh: Mesh) -> Mesh:
        beyond = (mesh.vertices - point) @ normal
        # Only the neck and head: the trochanter may lie beyond the plane as well.
        near = np.linalg.norm(mesh.vertices - hip.head, axis=1) < (level + 1.15) * hip.radius
        shift = np.where(near, np.maximum(beyond, 0), 0)
        return mesh.moved(mesh.vertices - shift[:, None] * normal)

    return replace(bone, outer=flatten(bone.outer), inner=flatten(bone.inner))


def revolve(profile: Points, origin: Points, axis: Points, around: int = 40) -> Mesh:
    """Surface of revolution.

    profile: (N, 2) of (distance along the axis, radius), the first and last radius 0
    """
    axis = axis / np.linalg.norm(axis)
    inner = profile[1:-1]
    shape = tube(
        lambda t: np.stack((0 * t, 0 * t, np.linspace(0, 1, len(t))), axis=1),
        lambda t: np.ones(len(t)), len(inner), around,
    )  # fmt: skip
    first = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)
    angle = np.arange(around) * (2 * np.pi / around)
    ring = first * np.cos(angle)[:, None] + second * np.sin(angle)[:, None]
    body = origin + inner[:, 0, None, None] * axis + inner[:, 1, None, None] * ring
    ends = origin + profile[[0, -1], 0, None] * axis
    vertices = np.concatenate((ends[:1], body.reshape(-1, 3), ends[1:]))
    mesh = Mesh(vertices, shape.faces)
    return mesh if mesh.volume_mm3 > 0 else Mesh(vertices, shape.faces[:, ::-1])


def rod(start: Points, stop: Points, radius_mm: float, tip_mm: float | None = None) -> Mesh:
    """A straight, round rod, tapering to ``tip_mm``."""
    length = float(np.linalg.norm(stop - start))
    tip = radius_mm if tip_mm is None else tip_mm
    profile = np.array([[0, 0], [0, radius_mm], [length, tip], [length, 0]])
    fine = np.concatenate(
        [profile[:1], np.linspace(profile[1], profile[2], 12), profile[3:]]
    )
    return revolve(fine, start, stop - start, 24)


def screw(start: Points, stop: Points, radius_mm: float, head_mm: float = 0.0) -> Mesh:
    """A threaded screw, with a head at its start."""
    length = float(np.linalg.norm(stop - start))
    count = max(int(length / 0.7), 8)
    along = np.linspace(0, length, count)
    radius = radius_mm * (1 - 0.22 * (np.arange(count) % 3 == 0))
    radius = np.where(along > length - 5, radius * (length - along + 0.5) / 5.5, radius)
    if head_mm:
        radius = np.where(along < 3.5, head_mm, radius)
    profile = np.concatenate(
        ([[0, 0]], np.stack((along, np.maximum(radius, 0.3)), axis=1), [[length, 0]])
    )
    return revolve(profile, start, stop - start, 16)


def cup(centre: Points, opening: Points, outer_mm: float, wall_mm: float) -> Mesh:
    """A hemispherical shell that opens towards ``opening``."""
    polar = np.linspace(0, np.radians(88), 20)
    outside = np.stack((-np.cos(polar), np.sin(polar)), axis=1) * outer_mm
    inside = np.stack((-np.cos(polar), np.sin(polar)), axis=1)[::-1] * (outer_mm - wall_mm)
    return revolve(np.concatenate((outside, inside)), centre, opening, 48)


def total_hip(
    hip: Hip, rng: np.random.Generator, *, with_cup: bool = True
) -> tuple[float, list[Part]]:
    """A hip replacement: (level of the neck cut in head radii, parts)."""
    outward = hip.outward
    level = float(rng.uniform(1.2, 1.75))
    metal = Material.TITANIUM if rng.random() < 0.6 else Material.COBALT_CHROME
    head_metal = Material.CERAMIC if rng.random() < 0.3 else Material.COBALT_CHROME
    side = np.array([outward, 0, 0])
    # The canal runs along the shaft, below the piriform fossa beside the trochanter.
    entry = hip.trochanter - side * rng.uniform(0.45, 0.75) * hip.radius
    entry = entry + hip.shaft * rng.uniform(0.5, 0.9) * hip.radius
    axis = _canal_axis(hip)
    length = float(rng.uniform(95, 165))
    width = float(rng.uniform(8.5, 12.5))
    along = np.linspace(0, 1, 26)
    taper = width * (1 - along * rng.uniform(0.4, 0.7)) * np.where(along < 0.02, 0.7, 1)
    taper = np.where(along > 0.95, taper * (1.02 - along) / 0.07, taper)
    profile = np.stack((along * length, np.maximum(taper, 0.4)), axis=1)
    start = axis[0] + axis[1] * max((entry - axis[0]) @ axis[1], -0.4 * hip.radius)
    closed = np.concatenate(([[0, 0]], profile, [[length, 0]]))
    parts = [Part("stem", revolve(closed, start, axis[1], 28), metal)]
    shoulder = start + axis[1] * rng.uniform(0.1, 0.6) * hip.radius
    parts.append(Part("neck", rod(shoulder, hip.head, rng.uniform(6.5, 9), 6.0), metal))
    radius = (
        float(rng.choice(HEAD_RADII_MM, p=[0.06, 0.04, 0.25, 0.4, 0.2, 0.05]))
        if with_cup
        else hip.radius * float(rng.uniform(0.95, 1.02))
    )
    ball = unit_sphere(24)
    parts.append(Part("head", ball.moved(ball.vertices * radius + hip.head), head_metal))
    if rng.random() < 0.35:
        mantle = profile * (1, 1) + (0, float(rng.uniform(1.5, 4)))
        around = np.concatenate(([[-1, 0]], mantle, [[length + 8, 0]]))
        parts.append(Part("cement", revolve(around, start, axis[1], 28), Material.CEMENT))
    if with_cup:
        parts += _socket(hip, radius, rng)
    return level, parts


def _socket(hip: Hip, head_mm: float, rng: np.random.Generator) -> list[Part]:
    """Cup, liner and screws, opened 30 to 55 degrees to the horizontal."""
    inclination = np.radians(rng.normal(43, 7))
    version = np.radians(rng.normal(16, 7))
    opening = np.array(
        [hip.outward * np.sin(inclination), -np.sin(version), -np.cos(inclination)]
    )
    outer = max(hip.socket_radius * float(rng.uniform(0.98, 1.15)), head_mm + 5)
    wall = float(rng.uniform(2.5, 5))
    cemented = rng.random() < 0.2
    parts = []
    if cemented:
        cup_wall = outer - head_mm
        parts.append(
            Part("liner", cup(hip.head, opening, outer, cup_wall), Material.POLYETHYLENE)
        )
        parts.append(
            Part("cement", cup(hip.head, opening, outer + 3, 3), Material.CEMENT)
        )
    else:
        shell = Material.TITANIUM if rng.random() < 0.7 else Material.COBALT_CHROME
        parts.append(Part("cup", cup(hip.head, opening, outer, wall), shell))
        inner = outer - wall
        if inner - head_mm > 1.5:
            parts.append(
                Part(
                    "liner",
                    cup(hip.head, opening, inner, inner - head_mm - 0.3),
                    Material.POLYETHYLENE,
                )
            )
        for _ in range(int(rng.integers(0, 4))):
            up = np.array([-hip.outward * rng.uniform(0.1, 0.7), rng.normal(0, 0.3), 1.0])
            up /= np.linalg.norm(up)
            stop = hip.head + up * (outer + rng.uniform(15, 40))
            parts.append(Part("screw", screw(hip.head + up * (outer - 3), stop, 2.8, 4), shell))
    return parts


def resurfacing(hip: Hip, rng: np.random.Generator) -> tuple[float, list[Part]]:
    """A cap on the native head, with a short stem, and a thin cup."""
    metal = Material.COBALT_CHROME
    cap = cup(hip.head, -hip.neck, hip.radius + 1.5, 3.0)
    stem = rod(hip.head, hip.head - hip.neck * 2.1 * hip.radius, 3.5, 2.0)
    parts = [Part("head", cap, metal), Part("stem", stem, metal)]
    opening = np.array([hip.outward * 0.7, -0.25, -0.68])
    outer = hip.socket_radius + float(rng.uniform(1, 4))
    parts.append(Part("cup", cup(hip.head, opening, outer, 3.5), metal))
    return -1.0, parts


def nail(hip: Hip, rng: np.random.Generator) -> list[Part]:
    """An intramedullary nail with a lag screw into the head."""
    metal = Material.TITANIUM if rng.random() < 0.7 else Material.STEEL
    axis = _canal_axis(hip)
    top = axis[0] + axis[1] * ((hip.trochanter - axis[0]) @ axis[1] - rng.uniform(0, 6))
    length = float(rng.choice([170, 200, 320]))
    radius = float(rng.uniform(5.0, 6.5))
    parts = [
        Part("nail", rod(top, top + axis[1] * length, radius * 1.3, radius), metal)
    ]
    tip = hip.head + hip.neck * rng.uniform(0.2, 0.7) * hip.radius
    base = _lateral_cortex(hip, axis, tip, rng)
    for k in range(int(rng.integers(1, 3))):
        down = axis[1] * 9.0 * k
        parts.append(Part("screw", screw(base + down, tip + 0.9 * down, 4.8 - 1.5 * k), metal))
    if rng.random() < 0.7:
        where = top + axis[1] * (length - 25)
        across = 26.0 * _sideways(hip)
        parts.append(Part("screw", rod(where - across, where + across, 2.4), metal))
    return parts


def plate(hip: Hip, rng: np.random.Generator) -> list[Part]:
    """A sliding hip screw with its side plate, sometimes with cerclage wires."""
    metal = Material.STEEL if rng.random() < 0.6 else Material.TITANIUM
    axis = _canal_axis(hip)
    tip = hip.head + hip.neck * rng.uniform(0.2, 0.7) * hip.radius
    base = _lateral_cortex(hip, axis, tip, rng)
    holes = int(rng.integers(2, 7))
    out = 3.5 * _sideways(hip)
    stop = base + axis[1] * (22 + 17.0 * holes)
    body = rod(base - axis[1] * 8 + out, stop + out, 5.0)
    thin = body.vertices - np.outer((body.vertices - base - out) @ (out / 3.5), out / 3.5) * 0.55
    parts = [
        Part("plate", body.moved(thin), metal),
        Part("screw", screw(base, tip, 5.5), metal),
        Part("barrel", rod(base + out, base + (tip - base) * 0.45, 6.5), metal),
    ]
    for k in range(holes):
        where = base + axis[1] * (22 + 17.0 * k) + out
        inwards = -_sideways(hip) * rng.uniform(30, 38)
        parts.append(Part("screw", screw(where, where + inwards, 2.2, 4.0), metal))
    for _ in range(int(rng.integers(0, 3)) if rng.random() < 0.3 else 0):
        parts.append(cerclage(hip, rng))
    return parts


def cerclage(hip: Hip, rng: np.random.Generator) -> Part:
    """A wire round the shaft, its twisted end left open as a gap of a few degrees."""
    axis = _canal_axis(hip)
    centre = axis[0] + axis[1] * (rng.uniform(2.8, 6.0) * hip.radius)
    radius = float(rng.uniform(15, 20))
    tilt = rng.normal(0, 0.2, 3)
    across = np.cross(axis[1] + tilt, [0, 1, 0])
    across /= np.linalg.norm(across)
    depth = np.cross(axis[1] + tilt, across)
    depth /= np.linalg.norm(depth)

    def loop(t: Points) -> Points:
        angle = 2 * np.pi * 0.985 * t[:, None]
        return centre + radius * (across * np.cos(angle) + depth * np.sin(angle))

    mesh = tube(loop, lambda t: np.full(len(t), 0.7), 70, 8)
    return Part("wire", mesh, Material.STEEL)


def clip(place: Points, rng: np.random.Generator) -> Part:
    """A surgical clip."""
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    length = float(rng.uniform(4, 9))
    return Part("clip", rod(place, place + direction * length, 0.7), Material.TITANIUM)


def ball(place: Points, rng: np.random.Generator) -> Part:
    """A calibration ball of 25 mm."""
    sphere = unit_sphere(30)
    return Part("ball", sphere.moved(sphere.vertices * 12.5 + place), Material.STEEL)


def _canal_axis(hip: Hip) -> tuple[Points, Points]:
    """(point, direction) of the line in the middle of the shaft, from the trochanter's level."""
    return hip.canal + hip.shaft * ((hip.trochanter - hip.canal) @ hip.shaft), hip.shaft


def _sideways(hip: Hip) -> Points:
    """Unit vector outwards, across the shaft."""
    side = np.array([hip.outward, 0, 0])
    side = side - hip.shaft * (side @ hip.shaft)
    return np.asarray(side / np.linalg.norm(side))


def _lateral_cortex(
    hip: Hip, axis: tuple[Points, Points], tip: Points, rng: np.random.Generator
) -> Points:
    """Where a screw towards the head enters the lateral cortex, at 130 to 140 degrees."""
    down = (hip.radius * rng.uniform(1.9, 2.4)) * axis[1]
    return np.asarray(axis[0] + down + _sideways(hip) * 0.72 * hip.radius)

