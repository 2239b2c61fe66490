"""Hips made of ellipses and capsules, with class, gap, attachment and sites known by construction.

Nothing here uses ``hoseg.grade``: the truth comes from the shapes, sampled every 0.05 mm.

A phantom is unambiguous (``Truth.clear``) when nothing in it lies on a line that the rules draw:
a gap not within 0.5 mm of 10 mm; contacts that overlap by 1 mm or more; a free distance that
exceeds the 1.5 mm of the contact rule by 0.75 mm or 1.25 pixels; ossifications of at least
25 mm^2 and 3 pixels across, whole on the film; no island within 0.5 mm or a pixel of 10 mm long.
Those are the conditions under which the class must be right. Every other phantom is graded too
and counted openly as ambiguous, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from .shapes import Capsule, Ellipse, Pose, disc, paint

PELVIS, FEMUR, IMPLANT, OSSIFICATION = 1, 2, 4, 8
CONTACT_MM, ZONE = 1.5, 1.2
KINDS = ("none", "islands", "spur_pelvis", "spur_femur", "opposing", "bridge", "two_piece_bridge")
IMPLANTS = ("none", "none", "none", "stem_and_cup", "stem_and_head", "nail")


@dataclass(frozen=True)
class Lesion:
    shape: Ellipse | Capsule
    on: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Anatomy:
    """A left hip on a standard film: lateral +x, distal +y, head's centre at the origin."""

    pelvis: tuple
    holes: tuple
    femur: tuple
    implant: tuple
    radius: float
    unit: float
    centre: tuple[float, float]
    tip: tuple[float, float]
    axis: tuple[tuple[float, float], tuple[float, float]]

    def moved(self, pose):
        move = lambda shapes: tuple(shape.moved(pose) for shape in shapes)  # noqa: E731
        return Anatomy(
            move(self.pelvis),
            move(self.holes),
            move(self.femur),
            move(self.implant),
            self.radius,
            self.unit,
            tuple(pose.point(self.centre)),
            tuple(pose.point(self.tip)),
            tuple(tuple(pose.point(end)) for end in self.axis),
        )


@dataclass(frozen=True)
class Truth:
    """What a perfect reader would say of one hip."""

    side: str
    brooker: int
    della_valle: str
    gap_mm: float
    kind: str
    implant: str
    lesions: tuple[Lesion, ...]
    sites: tuple[frozenset, ...]
    maybe_sites: tuple[frozenset, ...]
    anatomy: Anatomy
    clear: bool
    why_unclear: str = ""


@dataclass(frozen=True)
class Phantom:
    masks: np.ndarray
    spacing_mm: tuple[float, float]
    columns_to: str
    hips: tuple[Truth, ...]


def make_anatomy(rng, implant):
    """Bones of random size: a head of 21-27 mm radius and the rest in proportion."""
    radius = rng.uniform(21, 27)
    k = radius / 24
    neck_angle = np.radians(rng.uniform(38, 50))
    foot = np.array([48, 48 * np.tan(neck_angle)]) * k
    shaft_lean = rng.uniform(-4, 8) * k
    axis = ((foot[0] - 4 * k, foot[1]), (foot[0] - 4 * k - shaft_lean, 260.0))
    top = (foot[0] + 4 * k, foot[1] - 26 * k)
    greater = Capsule(top, (foot[0], foot[1] + 8 * k), 13 * k)
    lesser = Ellipse((foot[0] - 22 * k, foot[1] + 20 * k), (9 * k, 12 * k), 0.2)
    shaft = Capsule(*axis, 15 * k)
    neck = Capsule((0, 0), tuple(foot), rng.uniform(0.62, 0.7) * radius)
    femur = (disc(0, 0, radius), neck, greater, lesser, shaft)
    metal: tuple = ()
    zone_radius = radius
    stem = Capsule((foot[0] - 3 * k, foot[1] - 5 * k), (axis[1][0] + 1, 150.0), 6.5 * k)
    if implant in ("stem_and_cup", "stem_and_head"):
        zone_radius = rng.uniform(24, 29) if implant == "stem_and_cup" else rng.uniform(14, 20)
        cut = Capsule((foot[0] * 0.62, foot[1] * 0.75), tuple(foot), 0.5 * radius)
        femur = (cut, greater, lesser, shaft)
        metal = (disc(0, 0, zone_radius), Capsule((0, 0), (foot[0], foot[1]), 6.5), stem)
    elif implant == "nail":
        metal = (stem, Capsule((2, 2), (foot[0], foot[1] + 6), 5.0))
    r = radius
    pelvis = (
        Ellipse((-0.18 * r, -0.1 * r), (1.02 * r, 1.1 * r)),  # acetabulum, over the head
        Capsule((-0.3 * r, -0.9 * r), (-0.55 * r, -2.6 * r), 0.75 * r),
        Ellipse((-0.9 * r, -3.8 * r), (2.0 * r, 1.5 * r), rng.uniform(-0.2, 0.2)),
        Ellipse((-1.75 * r, 1.75 * r), (1.0 * r, 1.3 * r), 0.3),
        Capsule((-1.6 * r, 0.5 * r), (-3.3 * r, 1.2 * r), 0.38 * r),
    )
    holes = (Ellipse((-1.85 * r, 1.6 * r), (0.45 * r, 0.7 * r), 0.3),)
    # The tip: the highest point of the greater trochanter seen along the shaft.
    down = np.subtract(axis[1], axis[0]) / np.hypot(*np.subtract(axis[1], axis[0]))
    tip = tuple(np.asarray(top) - 13 * k * down)
    return Anatomy(pelvis, holes, femur, metal, zone_radius, radius, (0.0, 0.0), tip, axis)


def _posed(anatomy, rng):
    """Tilt the pelvis and swing the femur about the head's centre."""
    tilt, swing = Pose(rng.uniform(-0.12, 0.12)), Pose(rng.uniform(-0.12, 0.12))
    return replace(
        anatomy,
        pelvis=tuple(shape.moved(tilt) for shape in anatomy.pelvis),
        holes=tuple(shape.moved(tilt) for shape in anatomy.holes),
        femur=tuple(shape.moved(swing) for shape in anatomy.femur),
        implant=tuple(shape.moved(swing) for shape in anatomy.implant),
        tip=tuple(swing.point(anatomy.tip)),
        axis=tuple(tuple(swing.point(end)) for end in anatomy.axis),
    )


def surface(shapes, holes=()):
    """Points on the outside of a union of shapes less its holes."""
    parts = []
    for shape in shapes:
        points = shape.boundary()
        for other in (*shapes, *holes):
            if other is not shape:
                points = points[~other.contains(points)]
        parts.append(points)
    for hole in holes:
        points = hole.boundary()
        parts.append(points[np.any([shape.contains(points) for shape in shapes], axis=0)])
    return np.concatenate(parts) if parts else np.empty((0, 2))


def true_gap(anatomy, lesions):
    """Shortest distance between opposing surfaces with an end on ossification; inf without one."""
    pelvic = [item.shape for item in lesions if "pelvis" in item.on]
    femoral = [item.shape for item in lesions if "femur" in item.on]
    if any({"pelvis", "femur"} <= item.on for item in lesions):
        return 0.0

    def ends(points):
        free = np.hypot(*(points - anatomy.centre).T) > ZONE * anatomy.radius
        for metal in anatomy.implant:
            free &= ~metal.contains(points)
        return points[free]

    pelvis = ends(surface(anatomy.pelvis, anatomy.holes))
    femur = ends(surface(anatomy.femur))
    on_pelvis = ends(np.concatenate([s.boundary() for s in pelvic])) if pelvic else np.empty((0, 2))
    on_femur = (
        ends(np.concatenate([s.boundary() for s in femoral])) if femoral else np.empty((0, 2))
    )
    distances = [np.inf]
    for a, b in ((on_pelvis, femur), (on_pelvis, on_femur), (on_femur, pelvis)):
        if len(a) and len(b):
            distances.append(cKDTree(b).query(a)[0].min())
    return float(min(distances))


def distance(shape, shapes, holes=()):
    """Distance of a shape from a union; 0 for an overlap."""
    points = shape.boundary(0.2)
    inside = np.any([other.contains(points) for other in shapes], axis=0)
    for hole in holes:
        inside &= ~hole.contains(points)
    if inside.any():
        return 0.0
    return float(cKDTree(surface(shapes, holes)).query(points)[0].min())


def femur_contact(shape, anatomy):
    """Distance from the femur off the head's own surface."""
    points = surface(anatomy.femur)
    clear = anatomy.radius + CONTACT_MM
    points = points[np.hypot(*(points - anatomy.centre).T) > clear]
    mine = shape.boundary(0.2)
    off_head = mine[np.hypot(*(mine - anatomy.centre).T) > clear]
    if len(off_head) and np.any([bone.contains(off_head) for bone in anatomy.femur]):
        return 0.0
    return float(cKDTree(points).query(mine)[0].min())


# --- ossification -------------------------------------------------------------------------------


def _edge(shapes, holes, region, rng):
    """A random surface point inside a box (x0, x1, y0, y1)."""
    points = surface(shapes, holes)
    x0, x1, y0, y1 = region
    keep = (points[:, 0] > x0) & (points[:, 0] < x1) & (points[:, 1] > y0) & (points[:, 1] < y1)
    points = points[keep]
    return None if not len(points) else points[rng.integers(len(points))]


def _ends_of_spur(anatomy, rng, place):
    """A point on the pelvis and one on the femur that face each other."""
    r, tip = abs(anatomy.radius) if not anatomy.implant else 24.0, anatomy.tip
    if place == "medial":
        pelvic = _edge(anatomy.pelvis, (), (-1.3 * r, 0.2 * r, 1.3 * r, 2.6 * r), rng)
        femoral = _edge(anatomy.femur, (), (0.2 * r, 1.5 * r, 2.2 * r, 3.6 * r), rng)
    else:
        pelvic = _edge(anatomy.pelvis, (), (-0.3 * r, 2.0 * r, -3.2 * r, -1.4 * r), rng)
        box = (tip[0] - 10, tip[0] + 14, tip[1] - 3, tip[1] + 14)
        femoral = _edge(anatomy.femur, (), box, rng)
    return pelvic, femoral


def _unit(vector):
    return vector / np.hypot(*vector)


def _spur(base, target, length, radius):
    """A capsule from inside a bone towards a target, its tip ``length`` beyond the base."""
    along = _unit(target - base)
    start = base - along * (radius + 1.0)
    end = base + along * max(length - radius, 0.5)
    return Capsule(tuple(start), tuple(end), radius)


def _lesions(kind, anatomy, rng):
    place = rng.choice(["lateral", "lateral", "medial"])
    radius = rng.uniform(2.2, 5.0)
    if kind == "none":
        return []
    if kind == "islands":
        return _islands(anatomy, rng, rng.integers(1, 4))
    pelvic, femoral = _ends_of_spur(anatomy, rng, place)
    if pelvic is None or femoral is None:
        return None
    far = float(np.hypot(*(femoral - pelvic)))
    wanted = rng.choice([rng.uniform(3, 9.4), rng.uniform(8.5, 11.5), rng.uniform(10.6, 30)])
    reach = far - wanted
    if kind == "bridge":
        along = _unit(femoral - pelvic)
        deep = radius + 1.5
        ends = pelvic - along * deep, femoral + along * deep
        return [Lesion(Capsule(*map(tuple, ends), radius), frozenset({"pelvis", "femur"}))]
    if kind == "two_piece_bridge":
        split = rng.uniform(0.35, 0.65) * far
        upper = _spur(pelvic, femoral, split + 2.0, radius)
        lower = _spur(femoral, pelvic, far - split + 2.0, radius)
        both = frozenset({"pelvis", "femur"})
        return [Lesion(upper, both), Lesion(lower, both)]
    if reach < 5:
        return None
    if kind == "spur_pelvis":
        lesions = [Lesion(_spur(pelvic, femoral, reach, radius), frozenset({"pelvis"}))]
    elif kind == "spur_femur":
        lesions = [Lesion(_spur(femoral, pelvic, reach, radius), frozenset({"femur"}))]
    else:
        share = rng.uniform(0.3, 0.7)
        lesions = [
            Lesion(_spur(pelvic, femoral, share * reach, radius), frozenset({"pelvis"})),
            Lesion(_spur(femoral, pelvic, (1 - share) * reach, radius), frozenset({"femur"})),
        ]
    if rng.random() < 0.25:
        lesions += _islands(anatomy, rng, 1)
    return lesions


def _islands(anatomy, rng, count):
    """Free ellipses about the hip, wherever there is room."""
    result = []
    for _ in range(200):
        if len(result) == count:
            break
        r = 24.0
        centre = rng.uniform((-0.2 * r, -3.0 * r), (4.0 * r, 3.2 * r))
        axes = rng.uniform(3.0, 14.0), rng.uniform(2.8, 5.0)
        shape = Ellipse(tuple(centre), (max(axes), min(axes)), rng.uniform(0, np.pi))
        bones = distance(shape, (*anatomy.pelvis, *anatomy.femur, *anatomy.implant))
        others = min((distance(shape, (o.shape,)) for o in result), default=99.0)
        if min(bones, others) > 3.2:
            result.append(Lesion(shape))
    return result


# --- truth --------------------------------------------------------------------------------------


def site_shares(anatomy, shape, rng):
    """Share of a shape in each site, by sampling; the definitions of the grading documentation."""
    box = shape.boundary(0.5)
    xy = rng.uniform(box.min(axis=0), box.max(axis=0), (6000, 2))
    xy = xy[shape.contains(xy)]
    a, b = (np.asarray(end) for end in anatomy.axis)
    down = _unit(b - a)
    centre = np.asarray(anatomy.centre)
    across = (a - centre) - ((a - centre) @ down) * down
    offset = float(np.hypot(*across))
    lateral = across / offset
    u, v = (xy - centre) @ lateral, (xy - centre) @ down
    tip = np.asarray(anatomy.tip) - centre
    # The yardstick that the documentation defines: the native head's radius; where an implant
    # replaced the head, that radius cannot be seen on the film and an adult's mean takes its place.
    r = anatomy.unit if anatomy.radius == anatomy.unit else 24.0
    tip_u, tip_v = tip @ lateral, tip @ down
    edge = (tip_u + r) / 2
    names = np.full(len(u), "central", dtype=object)
    names[(v <= tip_v) & (u >= edge)] = "lateral"
    names[(v < -r) & (u < edge)] = "supra_acetabular"
    below_neck = v > np.maximum((tip_v + r) * u / offset, 0.3 * r)
    names[below_neck & (u <= offset)] = "medial"
    names[(v > tip_v) & (u > offset)] = "trochanteric"
    return {name: float((names == name).mean()) for name in set(names)}


def _truth(anatomy, lesions, kind, implant, side, spacing, rng):
    gap = true_gap(anatomy, lesions)
    attached = [item for item in lesions if item.on]
    free = [item for item in lesions if not item.on]
    if any({"pelvis", "femur"} <= item.on for item in lesions):
        brooker = 4
    elif attached:
        brooker = 3 if gap < 10 else 2
    else:
        brooker = 1 if lesions else 0
    longest = max((item.shape.length for item in free), default=0.0)
    della = "C" if brooker >= 3 else "B" if brooker == 2 or longest > 10 else "A"
    sites, maybe = [], []
    for item in lesions:
        shares = site_shares(anatomy, item.shape, rng)
        sites.append(frozenset(n for n, s in shares.items() if s >= 0.25 + 0.07))
        maybe.append(frozenset(n for n, s in shares.items() if s >= 0.25 - 0.07))
    why = _unclear(anatomy, lesions, gap, max(spacing))
    return Truth(
        side,
        brooker,
        della,
        gap,
        kind,
        implant,
        tuple(lesions),
        tuple(sites),
        tuple(maybe),
        anatomy,
        not why,
        why,
    )


def _unclear(anatomy, lesions, gap, pixel):
    """Why a perfect reader of the mask could differ; empty when not."""
    if abs(gap - 10) <= 0.5:
        return "gap within 0.5 mm of 10"
    margin = CONTACT_MM + max(0.75, 1.25 * pixel)
    if 0 < gap < margin:
        return "gap near the contact rule"
    for i, item in enumerate(lesions):
        if item.shape.area < 25 or 2 * _thickness(item.shape) < 3 * pixel:
            return "small"
        if not item.on and abs(_length(item.shape) - 10) <= max(0.5, pixel):
            return "island about 10 mm long"
        contact = {
            "pelvis": distance(item.shape, anatomy.pelvis, anatomy.holes),
            "femur": femur_contact(item.shape, anatomy),
        }
        joined = any(
            other is not item and other.on & item.on and distance(item.shape, (other.shape,)) == 0
            for other in lesions
        )
        for bone, gap_to_bone in contact.items():
            if bone in item.on and gap_to_bone > 0 and not joined:
                return "built apart"
            if bone not in item.on and gap_to_bone < margin:
                return f"near the {bone}"
        for other in lesions[:i]:
            apart = distance(item.shape, (other.shape,))
            if item.on != other.on and apart < margin:
                return "near each other"
            if not item.on and apart < margin:
                return "near each other"
    return ""


def _cut(lesions, size, spacing_mm):
    """Whether an ossification reaches beyond the film: what is left of it has no known truth."""
    film = np.multiply(size, spacing_mm)[::-1]
    points = [item.shape.boundary(0.5) for item in lesions]
    return any(((p < 0) | (p > film)).any() for p in points)


def _length(shape):
    if isinstance(shape, Capsule):
        return float(np.hypot(*(np.subtract(shape.end, shape.start)))) + 2 * shape.radius
    return 2 * max(shape.axes)


def _thickness(shape):
    return shape.radius if isinstance(shape, Capsule) else min(shape.axes)


def make_phantom(seed):
    """One film: a hip or two, any kind, pose, spacing and side. Same seed, same film."""
    rng = np.random.default_rng(seed)
    spacing = float(np.exp(rng.uniform(np.log(0.1), np.log(1.0))))
    ratio = rng.choice([1.0, 1.0, 1.0, rng.uniform(0.8, 1.25)])
    spacing_mm = (spacing, float(np.clip(spacing * ratio, 0.1, 1.0)))
    two = rng.random() < 0.2 and spacing > 0.2
    mirrored_film = bool(rng.random() < 0.5)
    turn = float(rng.uniform(-20, 20)) * np.pi / 180
    hips = []
    for index in range(2 if two else 1):
        on_right_of_film = bool(rng.random() < 0.5) if not two else index == 1
        while True:
            kind, implant = rng.choice(KINDS), rng.choice(IMPLANTS)
            anatomy = _posed(make_anatomy(rng, implant), rng)
            lesions = _lesions(kind, anatomy, rng)
            if lesions is not None and (kind == "none") == (not lesions):
                break
        shift = (90.0, 0.0) if two and on_right_of_film else (-90.0, 0.0) if two else (0.0, 0.0)
        # Mirror first (a hip on the left of the film), then shift, then turn the whole film.
        place = Pose(mirrored=not on_right_of_film, shift=shift)
        film = Pose(angle=turn)
        anatomy = anatomy.moved(place).moved(film)
        lesions = [replace(x, shape=x.shape.moved(place).moved(film)) for x in lesions]
        left = on_right_of_film != mirrored_film  # patient's left is on the viewer's right
        hips.append((anatomy, lesions, kind, implant, "left" if left else "right"))
    half = (130.0, 200.0) if two else (120.0, 110.0)
    offset = np.array([half[1], half[0]]) + rng.uniform(-5, 5, 2)
    size = tuple(int(2 * h / s) for h, s in zip(half, spacing_mm, strict=True))
    masks = np.zeros(size, np.uint8)
    move = Pose(shift=tuple(offset))
    truths = []
    for anatomy, lesions, kind, implant, side in hips:
        anatomy = anatomy.moved(move)
        lesions = [replace(x, shape=x.shape.moved(move)) for x in lesions]
        _paint_hip(masks, anatomy, lesions, spacing_mm)
        truth = _truth(anatomy, lesions, kind, implant, side, spacing_mm, rng)
        if truth.clear and _cut(lesions, masks.shape, spacing_mm):
            truth = replace(truth, clear=False, why_unclear="cut by the film")
        truths.append(truth)
    truths.sort(key=lambda truth: truth.anatomy.centre[0])
    return Phantom(masks, spacing_mm, "right" if mirrored_film else "left", tuple(truths))


def _paint_hip(masks, anatomy, lesions, spacing_mm):
    own = np.zeros_like(masks)
    for shape in anatomy.pelvis:
        paint(own, shape, spacing_mm, PELVIS)
    cut = np.zeros_like(masks)
    for hole in anatomy.holes:
        paint(cut, hole, spacing_mm, PELVIS)
    own &= ~cut
    masks |= own
    for shape in anatomy.femur:
        paint(masks, shape, spacing_mm, FEMUR)
    for shape in anatomy.implant:
        paint(masks, shape, spacing_mm, IMPLANT)
    for item in lesions:
        paint(masks, item.shape, spacing_mm, OSSIFICATION)
