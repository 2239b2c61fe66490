"""Which femurs are in the picture, where their heads are, and whose side they are on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from hoseg.grade.bones import Bones, inscribed_radius, sample, tree, within
from hoseg.grade.circle import Circle, candidates
from hoseg.grade.outlines import Outline
from hoseg.radiograph import Geometry, Layer, Orientation, Side

CONTRADICTED = "contradicted"
"""Source of a side where the stated one and the way the film lies do not agree."""
APART = 3.5
"""Pieces lie this many inscribed radii off the long axis of a femur when they are of another."""
HEAD_RADII = (0.55, 1.35)
"""Radius of a native head in inscribed radii of its femur."""
IMPLANT_RADII_MM = (10.0, 36.0)
"""Heads have radii of 11-29 mm, cups 20-34 mm, before magnification."""
SURE_COVERAGE = 0.55
"""A native head shows about two thirds of its circle; a rounded trochanter a third."""
WEAK_COVERAGE = 0.38
MAX_PIECES = 12
"""The largest so many pieces of a bone or an implant are searched for a head."""


@dataclass(frozen=True, eq=False)
class Hip:
    """One femur and its joint. All positions (row, column) in mm from pixel (0, 0).

    outlines: the pieces of this femur
    radius_mm: of the largest disc inside the femur, a yardstick for its size
    head: the joint's circle, None when not found
    head_source: "femur", "implant" or "none"
    medial: +1 when the pelvis lies towards larger columns, -1 towards smaller, 0 unknown
    """

    outlines: tuple[Outline, ...]
    radius_mm: float
    head: Circle | None
    head_source: str
    medial: int


def find_hips(bones: Bones) -> list[Hip]:
    """Every femur with its joint, by column."""
    metal = _Metal(bones)
    found = [_hip(bones, group, metal) for group in _femurs(bones)]
    return sorted(found, key=lambda hip: float(_centre(hip.outlines, bones)[1]))


def _femurs(bones: Bones) -> list[list[Outline]]:
    """Group pieces of femur into one or two femurs.

    Pieces of one femur lie along its long axis; the other femur lies well off it, however the
    film is turned and wherever a band cuts them.
    """
    pieces = sorted(bones.femur_outlines, key=lambda piece: -piece.area_px)
    if not pieces:
        return []
    unit_mm = inscribed_radius(bones.overview.femur) * bones.overview.step_mm
    middle = pieces[0].points_px.mean(axis=0) * bones.mm
    across = _across_femurs(pieces, bones)
    groups: list[list[Outline]] = [[], []]
    for piece in pieces:
        offset = piece.points_px.mean(axis=0) * bones.mm - middle
        groups[int(abs(offset @ across) > APART * unit_mm)].append(piece)
    return [group for group in groups if group]


def _across_femurs(pieces: list[Outline], bones: Bones) -> NDArray[np.float64]:
    """Unit vector across the shaft of the largest elongated piece; without one, along the rows.

    A band across the film can part the shaft from a piece that is no longer than wide.
    """
    for piece in _largest(pieces):
        points = piece.points_px * bones.mm
        points = points - points.mean(axis=0)
        values, vectors = np.linalg.eigh(points.T @ points)
        if values[1] > 4 * values[0]:
            return np.asarray(vectors[:, 0])
    return np.array([0.0, 1.0])


def _hip(bones: Bones, pieces: list[Outline], implants: _Metal) -> Hip:
    radius = _radius(bones, pieces)
    native = _native_head(bones, pieces, radius)
    head, source = native, "femur"
    if native is None or native.coverage < SURE_COVERAGE:
        metal = _implant_head(bones, pieces, implants)
        if metal is not None:
            head, source = metal, "implant"
    if head is None or head.coverage < WEAK_COVERAGE:
        head, source = None, "none"
    return Hip(tuple(pieces), radius, head, source, _medial(bones, pieces, head))


def _radius(bones: Bones, pieces: list[Outline]) -> float:
    """Inscribed radius of one femur (mm), on the overview."""
    step = bones.overview.step_mm
    columns = np.concatenate([piece.points_px[:, 1] for piece in pieces]) * bones.mm[1] / step
    low, high = max(0, int(columns.min())), int(columns.max()) + 2
    return inscribed_radius(np.ascontiguousarray(bones.overview.femur[:, low:high])) * step


def _native_head(bones: Bones, pieces: list[Outline], unit_mm: float) -> Circle | None:
    """The best supported circle that is full of femur and near the pelvis."""
    radii = (HEAD_RADII[0] * unit_mm, HEAD_RADII[1] * unit_mm)
    pelvis = _thin_points(bones.pelvis_outlines, bones, 1.0)
    bone = tree(pelvis) if len(pelvis) else None
    best: Circle | None = None
    for piece in _largest(pieces):
        for circle in candidates(_even_points(piece, bones, unit_mm / 14), radii):
            if best is not None and circle.coverage <= best.coverage:
                break
            near = bone is None or bone.query(circle.centre)[0] < 1.5 * circle.radius
            if near and _share(bones, bones.femur, circle, 0.95) > 0.88:
                best = circle
    return best


@dataclass(frozen=True, eq=False)
class _Metal:
    """The implants of a picture."""

    bones: Bones

    @cached_property
    def circles(self) -> list[list[Circle]]:
        """Candidates for a head on each piece of metal over a femur, found for all hips at once.

        Metal off the femur is a calibration ball, or a cup alone.
        """
        outlines = [_even_points(o, self.bones, 1.5) for o in _largest(self.bones.implant_outlines)]
        return [
            candidates(points, IMPLANT_RADII_MM)
            for points in outlines
            if (sample(self.bones.femur, points / self.bones.mm) > 0).any()
        ]


def _implant_head(bones: Bones, pieces: list[Outline], implants: _Metal) -> Circle | None:
    """The best supported circle that is full of metal, on metal that reaches this femur."""
    mine = tree(_thin_points(tuple(pieces), bones, 2.0))
    others = tuple(piece for piece in bones.femur_outlines if piece not in pieces)
    theirs = tree(_thin_points(others, bones, 2.0)) if others else None
    best: Circle | None = None
    for circles in implants.circles:
        for circle in circles:
            if best is not None and circle.coverage <= best.coverage:
                break
            own = theirs is None or mine.query(circle.centre)[0] <= theirs.query(circle.centre)[0]
            bare = _share(bones, bones.femur, circle, 0.9) < 0.9
            if own and bare and _share(bones, bones.implant, circle, 0.9) > 0.7:
                best = circle
    return best


def _largest(pieces: Sequence[Outline]) -> list[Outline]:
    """Return the pieces that can hold a head; a mask of more pieces is noise."""
    return sorted(pieces, key=lambda piece: -piece.area_px)[:MAX_PIECES]


def _share(bones: Bones, layer: Layer, circle: Circle, scale: float) -> float:
    """Share of a disc (the circle times ``scale``) that a structure fills, inside the image."""
    points_px = (_unit_disc() * circle.radius * scale + circle.centre) / bones.mm
    inside = within(points_px, bones.shape)
    return float((sample(layer, points_px[inside]) > 0).mean()) if inside.any() else 0.0


@cache
def _unit_disc() -> NDArray[np.float64]:
    """(N, 2) even points of a disc of radius 1."""
    axis = np.linspace(-1, 1, 25)
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    return np.asarray(points[(points**2).sum(axis=1) <= 1])


def _even_points(piece: Outline, bones: Bones, step_mm: float) -> NDArray[np.float64]:
    """Outline points about ``step_mm`` apart, (N, 2) in mm."""
    stride = max(1, round(step_mm / (1.15 * bones.mean_mm)))
    return piece.points_px[::stride] * bones.mm


def _thin_points(pieces: tuple[Outline, ...], bones: Bones, step_mm: float) -> NDArray[np.float64]:
    parts = [_even_points(piece, bones, step_mm) for piece in pieces]
    return np.concatenate(parts) if parts else np.empty((0, 2))


def _centre(pieces: tuple[Outline, ...] | list[Outline], bones: Bones) -> NDArray[np.float64]:
    largest = max(pieces, key=lambda piece: piece.area_px)
    return largest.points_px.mean(axis=0) * bones.mm


def _medial(bones: Bones, pieces: list[Outline], head: Circle | None) -> int:
    """Towards which columns the pelvis lies, by pelvis and by where the head sits on its femur."""
    vote = 0.0
    origin = head.centre if head is not None else _centre(pieces, bones)
    filled = np.count_nonzero(bones.overview.pelvis, axis=0)
    columns = np.flatnonzero(filled)
    if len(columns):
        step = bones.overview.step_mm
        spread = max(float(columns[-1] - columns[0]) * step, 1.0)
        middle = (float(columns @ filled[columns]) / float(filled.sum()) + 0.5) * step
        vote += 2 * float(np.clip(2 * (middle - origin[1]) / spread, -1, 1))
    if head is not None:
        offset = head.centre[1] - _centre(pieces, bones)[1]
        vote += float(np.clip(offset / head.radius, -1, 1))
    return int(np.sign(vote)) if abs(vote) > 0.1 else 0


def sides(hips: list[Hip], geometry: Geometry) -> list[tuple[Side, str]]:
    """The patient's side of each hip, with where that comes from.

    A stated side settles a picture of one hip. With two hips the orientation decides; where it is
    only assumed, a stated side that contradicts the better visible hip turns it round. Where the
    stated side and the way the film lies contradict each other, the source says so
    (``CONTRADICTED``).

    Parameters
    ----------
    hips
        By column.
    geometry
        The side stated for the image, and the patient directions.
    """
    given, orientation = geometry.side, geometry.orientation
    lying = _sides_by_orientation(hips, orientation)
    main = _clearly_main(hips)
    if given is Side.UNKNOWN or main is None:
        return lying
    agrees = lying[main][0] in (given, Side.UNKNOWN)
    if len(hips) == 1:
        return [(given, "given" if agrees else CONTRADICTED)]
    if orientation.source == "assumed":
        return [(given if i == main else given.opposite, "given") for i in range(2)]
    return lying if agrees else [(side, CONTRADICTED) for side, _ in lying]


def _sides_by_orientation(hips: list[Hip], orientation: Orientation) -> list[tuple[Side, str]]:
    """Sides by where the pelvis lies from each hip."""
    result = []
    for index, hip in enumerate(hips):
        medial = hip.medial
        if len(hips) == 2:
            medial = 1 if index == 0 else -1
        if orientation.columns is Side.UNKNOWN or medial == 0:
            result.append((Side.UNKNOWN, "unknown"))
            continue
        side = orientation.columns.opposite if medial > 0 else orientation.columns
        result.append((side, orientation.source))
    return result


def _clearly_main(hips: list[Hip]) -> int | None:
    """The one hip, or that of two which is much better visible; None when neither is."""
    if len(hips) < 2:
        return 0 if hips else None
    main = int(np.argmax([_visibility(hip) for hip in hips]))
    return main if _visibility(hips[main]) > 1.5 * _visibility(hips[1 - main]) else None


def _visibility(hip: Hip) -> float:
    area = sum(piece.area_px for piece in hip.outlines)
    return area * (1.0 if hip.head is not None else 0.3)
