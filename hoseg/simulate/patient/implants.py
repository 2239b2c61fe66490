"""Implants, and what surgery does to the bone round them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hoseg.simulate.body.anatomy import Bone, Hip
from hoseg.simulate.body.materials import Material
from hoseg.simulate.body.meshes import Mesh, Points, tube, unit_sphere
from hoseg.simulate.body.shapes import cup, rod, screw
from hoseg.simulate.patient.fixation import nail, plate
from hoseg.simulate.patient.parts import Part, canal_axis

HEAD_RADII_MM = (11.0, 13.0, 14.0, 16.0, 18.0, 20.0)


def implant(
    kind: str, hip: Hip, femur: Bone, rng: np.random.Generator
) -> tuple[float | None, list[Part]]:
    """What a kind of operation leaves in a hip.

    kind: one of ``settings.IMPLANTS``

    Returns
    -------
    (level of the neck cut in head radii from the centre of the head, or None; parts)
    """
    if kind in ("total", "hemi"):
        return total_hip(hip, rng, with_cup=kind == "total")
    if kind == "resurfacing":
        return None, resurfacing(hip, rng)
    if kind == "nail":
        return None, nail(hip, femur, rng)
    if kind == "plate":
        return None, plate(hip, femur, rng)
    return None, []


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


def total_hip(
    hip: Hip, rng: np.random.Generator, *, with_cup: bool = True
) -> tuple[float, list[Part]]:
    """A hip replacement: (level of the neck cut in head radii, parts)."""
    level = float(rng.uniform(1.2, 1.75))
    head_metal = Material.CERAMIC if rng.random() < 0.3 else Material.COBALT_CHROME
    parts = _stem(hip, level, rng)
    if with_cup:
        radius = float(rng.choice(HEAD_RADII_MM, p=[0.06, 0.04, 0.25, 0.4, 0.2, 0.05]))
    else:
        radius = hip.radius * float(rng.uniform(0.95, 1.02))
    ball = unit_sphere(24)
    parts.append(Part("head", ball.moved(ball.vertices * radius + hip.head), head_metal))
    if with_cup:
        parts += _socket(hip, radius, rng)
    return level, parts


def _stem(hip: Hip, level: float, rng: np.random.Generator) -> list[Part]:
    """Stem in the canal, neck towards the head at 125 to 138 degrees; collar and cement at times.

    level: of the neck cut, in head radii from the centre of the head
    """
    metal = Material.TITANIUM if rng.random() < 0.6 else Material.COBALT_CHROME
    point, down = canal_axis(hip)
    foot = point + down * ((hip.head - point) @ down)
    medial = hip.head - foot
    offset = float(np.linalg.norm(medial))
    medial = medial / max(offset, 1e-6)
    rise = offset / np.tan(np.radians(180 - rng.uniform(125, 138)))
    junction = foot + down * rise  # where the axis of the neck meets that of the stem
    length = float(rng.uniform(85, 170))
    broad, slim = float(rng.uniform(11, 15)), float(rng.uniform(4.5, 6.5))
    depth = float(rng.uniform(0.55, 0.9))
    axis = (hip.head - junction) / np.linalg.norm(hip.head - junction)
    # The body reaches up to the cut: along the neck (curved calcar) or up the shoulder.
    up_neck = max(float((hip.head - junction) @ axis) - level * hip.radius, 4.0)
    curved = float(rng.uniform(0.3, 1.0))
    shoulder = junction + curved * up_neck * axis - (1 - curved) * down * rng.uniform(10, 22)
    corner = junction + down * rng.uniform(8, 30)
    tip = junction + down * length
    flare = float(rng.uniform(1.2, 3.0))

    def spine(t: Points) -> Points:
        s = t[:, None]
        return (1 - s) ** 2 * shoulder + 2 * s * (1 - s) * corner + s**2 * tip

    def flattened(extra_mm: float, more: float) -> Mesh:
        def radius(t: Points) -> Points:
            body = slim + (broad - slim) * (1 - t) ** flare + extra_mm
            return body * np.sqrt(np.clip(np.minimum(14 * t + 0.3, 20 * (1 - t)), 0, 1))

        def longer(t: Points) -> Points:
            return spine(t * more)

        mesh = tube(longer, radius, 34, 26)
        across = np.cross(down, medial)
        middle = spine(np.linspace(0, more, 36))
        level = (mesh.vertices - shoulder) @ down
        near = np.interp(level, (middle - shoulder) @ down, middle @ across)
        return mesh.moved(
            mesh.vertices + np.outer((near - mesh.vertices @ across) * (1 - depth), across)
        )

    parts = [Part("stem", flattened(0.0, 1.0), metal)]
    if rng.random() < 0.35:
        mantle = flattened(float(rng.uniform(1.5, 4)), float(rng.uniform(1.04, 1.1)))
        parts.append(Part("cement", mantle, Material.CEMENT))
    neck = rng.uniform(5.0, 7.5)
    parts.append(Part("neck", rod(junction, hip.head, neck * 1.25, neck), metal))
    if rng.random() < 0.25:
        base = junction + axis * up_neck
        parts.append(Part("collar", rod(base, base + 2.5 * axis, rng.uniform(11, 15)), metal))
    return parts


def _socket(hip: Hip, head_mm: float, rng: np.random.Generator) -> list[Part]:
    """Cup, liner and screws, opened 30 to 55 degrees to the horizontal."""
    inclination = np.radians(rng.normal(43, 7))
    version = np.radians(rng.normal(16, 7))
    opening = np.array([hip.outward * np.sin(inclination), -np.sin(version), -np.cos(inclination)])
    outer = max(hip.socket_radius * float(rng.uniform(0.98, 1.15)), head_mm + 5)
    wall = float(rng.uniform(2.5, 5))
    cemented = rng.random() < 0.2
    parts = []
    if cemented:
        cup_wall = outer - head_mm
        parts.append(Part("liner", cup(hip.head, opening, outer, cup_wall), Material.POLYETHYLENE))
        parts.append(Part("cement", cup(hip.head, opening, outer + 3, 3), Material.CEMENT))
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


def resurfacing(hip: Hip, rng: np.random.Generator) -> list[Part]:
    """A cap on the native head, with a short stem, and a thin cup."""
    metal = Material.COBALT_CHROME
    cap = cup(hip.head, -hip.neck, hip.radius + 1.5, 3.0)
    stem = rod(hip.head, hip.head - hip.neck * 2.1 * hip.radius, 3.5, 2.0)
    parts = [Part("head", cap, metal), Part("stem", stem, metal)]
    opening = np.array([hip.outward * 0.7, -0.25, -0.68])
    outer = hip.socket_radius + float(rng.uniform(1, 4))
    parts.append(Part("cup", cup(hip.head, opening, outer, 3.5), metal))
    return parts
