"""Implants, what fixes a fracture, and what surgery does to the bone round them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hoseg.simulate.body.materials import Material
from hoseg.simulate.body.meshes import Mesh, Points, tube, unit_sphere
from hoseg.simulate.body.skeleton import Bone, HipJoint

HEAD_RADII_MM = (11.0, 13.0, 14.0, 16.0, 18.0, 20.0)


@dataclass(frozen=True, eq=False)
class ImplantPart:
    """One piece of an implant."""

    name: str
    mesh: Mesh
    material: Material


def implant(
    kind: str, hip: HipJoint, femur: Bone, rng: np.random.Generator
) -> tuple[float | None, list[ImplantPart]]:
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


def cut_head(bone: Bone, hip: HipJoint, level: float) -> Bone:
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
    hip: HipJoint, rng: np.random.Generator, *, with_cup: bool = True
) -> tuple[float, list[ImplantPart]]:
    """A hip replacement: (level of the neck cut in head radii, parts)."""
    level = float(rng.uniform(1.2, 1.75))
    head_metal = Material.CERAMIC if rng.random() < 0.3 else Material.COBALT_CHROME
    parts = _stem(hip, level, rng)
    if with_cup:
        radius = float(rng.choice(HEAD_RADII_MM, p=[0.06, 0.04, 0.25, 0.4, 0.2, 0.05]))
    else:
        radius = hip.radius * float(rng.uniform(0.95, 1.02))
    ball = unit_sphere(24)
    parts.append(ImplantPart("head", ball.moved(ball.vertices * radius + hip.head), head_metal))
    if with_cup:
        parts += _socket(hip, radius, rng)
    return level, parts


def _stem(hip: HipJoint, level: float, rng: np.random.Generator) -> list[ImplantPart]:
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

    parts = [ImplantPart("stem", flattened(0.0, 1.0), metal)]
    if rng.random() < 0.35:
        mantle = flattened(float(rng.uniform(1.5, 4)), float(rng.uniform(1.04, 1.1)))
        parts.append(ImplantPart("cement", mantle, Material.CEMENT))
    neck = rng.uniform(5.0, 7.5)
    parts.append(ImplantPart("neck", rod(junction, hip.head, neck * 1.25, neck), metal))
    if rng.random() < 0.25:
        base = junction + axis * up_neck
        parts.append(
            ImplantPart("collar", rod(base, base + 2.5 * axis, rng.uniform(11, 15)), metal)
        )
    return parts


def _socket(hip: HipJoint, head_mm: float, rng: np.random.Generator) -> list[ImplantPart]:
    """Cup, liner and screws, opened 30 to 55 degrees to the horizontal."""
    inclination = np.radians(rng.normal(43, 7))
    version = np.radians(rng.normal(16, 7))
    opening = np.array([hip.outward * np.sin(inclination), -np.sin(version), -np.cos(inclination)])
    outer = max(hip.socket_radius * float(rng.uniform(0.98, 1.15)), head_mm + 5)
    wall = float(rng.uniform(2.5, 5))
    cemented = rng.random() < 0.2
    parts = []
    if cemented:
        liner = cup(hip.head, opening, outer, outer - head_mm)
        parts.append(ImplantPart("liner", liner, Material.POLYETHYLENE))
        parts.append(ImplantPart("cement", cup(hip.head, opening, outer + 3, 3), Material.CEMENT))
    else:
        shell = Material.TITANIUM if rng.random() < 0.7 else Material.COBALT_CHROME
        parts.append(ImplantPart("cup", cup(hip.head, opening, outer, wall), shell))
        inner = outer - wall
        if inner - head_mm > 1.5:
            liner = cup(hip.head, opening, inner, inner - head_mm - 0.3)
            parts.append(ImplantPart("liner", liner, Material.POLYETHYLENE))
        for _ in range(int(rng.integers(0, 4))):
            up = np.array([-hip.outward * rng.uniform(0.1, 0.7), rng.normal(0, 0.3), 1.0])
            up /= np.linalg.norm(up)
            stop = hip.head + up * (outer + rng.uniform(15, 40))
            parts.append(
                ImplantPart("screw", screw(hip.head + up * (outer - 3), stop, 2.8, 4), shell)
            )
    return parts


def resurfacing(hip: HipJoint, rng: np.random.Generator) -> list[ImplantPart]:
    """A cap on the native head, with a short stem, and a thin cup."""
    metal = Material.COBALT_CHROME
    cap = cup(hip.head, -hip.neck, hip.radius + 1.5, 3.0)
    stem = rod(hip.head, hip.head - hip.neck * 2.1 * hip.radius, 3.5, 2.0)
    parts = [ImplantPart("head", cap, metal), ImplantPart("stem", stem, metal)]
    opening = np.array([hip.outward * 0.7, -0.25, -0.68])
    outer = hip.socket_radius + float(rng.uniform(1, 4))
    parts.append(ImplantPart("cup", cup(hip.head, opening, outer, 3.5), metal))
    return parts


def nail(hip: HipJoint, femur: Bone, rng: np.random.Generator) -> list[ImplantPart]:
    """An intramedullary nail with one or two screws into the head."""
    metal = Material.TITANIUM if rng.random() < 0.7 else Material.STEEL
    point, down = canal_axis(hip)
    top = point + down * ((hip.trochanter - point) @ down - rng.uniform(0, 6))
    length = float(rng.choice([170, 200, 320]))
    radius = float(rng.uniform(5.0, 6.5))
    parts = [ImplantPart("nail", rod(top, top + down * length, radius * 1.3, radius), metal)]
    tip = hip.head + hip.neck * rng.uniform(0.2, 0.7) * hip.radius
    base = lateral_cortex(hip, femur, rng.uniform(1.2, 1.7) * hip.radius)
    for k in range(int(rng.integers(1, 3))):
        lower = down * 11.0 * k
        parts.append(
            ImplantPart("screw", screw(base + lower, tip + 0.9 * lower, 4.8 - 1.5 * k), metal)
        )
    if rng.random() < 0.7:
        where = top + down * (length - 25)
        across = 22.0 * sideways(hip)
        parts.append(ImplantPart("screw", rod(where - across, where + across, 2.4), metal))
    return parts


def plate(hip: HipJoint, femur: Bone, rng: np.random.Generator) -> list[ImplantPart]:
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
        ImplantPart("plate", body.moved(thin), metal),
        ImplantPart("screw", screw(base, tip, 5.5), metal),
        ImplantPart("barrel", rod(base + out, base + (tip - base) * 0.45, 6.5), metal),
    ]
    for k in range(holes):
        where = lateral_cortex(hip, femur, first + 30 + 17.0 * k) + 3 * out
        parts.append(
            ImplantPart("screw", screw(where, where - out * rng.uniform(30, 38), 2.2, 4.0), metal)
        )
    for _ in range(int(rng.integers(0, 3)) if rng.random() < 0.3 else 0):
        parts.append(cerclage(hip, rng))
    return parts


def _neck_screws(
    hip: HipJoint, line: tuple[Points, Points], metal: Material, rng: np.random.Generator
) -> list[ImplantPart]:
    """Two to four parallel cannulated screws across the neck."""
    base, tip = line
    depth = np.cross(hip.neck, [0, 0, 1.0])
    depth = depth / np.linalg.norm(depth)
    up = np.cross(depth, hip.neck)
    parts = []
    for _ in range(int(rng.integers(2, 5))):
        aside = 0.45 * hip.radius * (rng.uniform(-1, 1) * depth + rng.uniform(-0.8, 0.8) * up)
        parts.append(ImplantPart("screw", screw(base + aside, tip + 0.8 * aside, 3.4, 4.5), metal))
    return parts


def cerclage(hip: HipJoint, rng: np.random.Generator) -> ImplantPart:
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


def loop_of_wire(centre: Points, across: Points, depth: Points, share: float) -> ImplantPart:
    """A wire along an ellipse; ``across`` and ``depth`` are its half axes (mm).

    share: of the ellipse that the wire follows; the rest is where it is open or broken
    """

    def loop(t: Points) -> Points:
        angle = 2 * np.pi * share * t[:, None]
        return np.asarray(centre + across * np.cos(angle) + depth * np.sin(angle))

    return ImplantPart("wire", tube(loop, lambda t: np.full(len(t), 0.7), 70, 8), Material.STEEL)


def clip(place: Points, rng: np.random.Generator) -> ImplantPart:
    """A surgical clip."""
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    length = float(rng.uniform(4, 9))
    return ImplantPart("clip", rod(place, place + direction * length, 0.7), Material.TITANIUM)


def ball(place: Points, rng: np.random.Generator) -> ImplantPart:
    """A calibration ball of 25 mm."""
    sphere = unit_sphere(30)
    return ImplantPart("ball", sphere.moved(sphere.vertices * 12.5 + place), Material.STEEL)


def canal_axis(hip: HipJoint) -> tuple[Points, Points]:
    """(point, direction) of the line in the middle of the shaft, from the trochanter's level."""
    return hip.canal + hip.shaft * ((hip.trochanter - hip.canal) @ hip.shaft), hip.shaft


def sideways(hip: HipJoint) -> Points:
    """Unit vector outwards, across the shaft, in the plane of shaft and neck."""
    side = -hip.neck + hip.shaft * (hip.neck @ hip.shaft)
    return np.asarray(side / np.linalg.norm(side))


def lateral_cortex(hip: HipJoint, femur: Bone, down_mm: float) -> Points:
    """Point of the lateral surface of the shaft, ``down_mm`` below the tip of the trochanter."""
    point, down = canal_axis(hip)
    out = sideways(hip)
    centre = point + down * down_mm
    offsets = femur.outer.vertices - centre
    level = offsets @ down
    across = np.linalg.norm(offsets - np.outer(level, down), axis=1)
    ring = (np.abs(level) < 4) & (across < 1.4 * hip.radius)
    reach = float((offsets[ring] @ out).max()) if ring.any() else 0.7 * hip.radius
    return np.asarray(centre + reach * out)


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
    fine = np.concatenate([profile[:1], np.linspace(profile[1], profile[2], 12), profile[3:]])
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
