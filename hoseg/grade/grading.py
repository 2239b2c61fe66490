"""Masks in, findings out: the order of the steps, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError
from hoseg.grade.abstain import nothing_to_grade
from hoseg.grade.attachment import Doubting, doubts_alike
from hoseg.grade.bones import Bones, Layer, check_masks, layers, prepare
from hoseg.grade.contacts import NEAR_MM, Contacts, find_contacts
from hoseg.grade.exposure import Exposed
from hoseg.grade.film import Probabilities
from hoseg.grade.finding import HipFinding
from hoseg.grade.frame import Frame, find_frame
from hoseg.grade.hips import find_hips, sides
from hoseg.grade.measure import Measured, find_places, measure, measure_touching
from hoseg.grade.ossification import Ossification, Placement, find_ossifications
from hoseg.grade.settings import GradeSettings
from hoseg.grade.surroundings import Surroundings, nearest_mm, surroundings
from hoseg.grade.uncertainty import LEVELS, Draws, Spread, draw, thresholds
from hoseg.grade.write import Context, HipCase, write_finding, write_nothing
from hoseg.radiograph import Orientation, Side, Spacing, Structure, View

FAR_RADII = 5.0
"""An ossification that touches nothing is not about the hip beyond so many head radii from both the
head's centre and the tip of the greater trochanter: the soft tissue lateral of the trochanter is
about the hip, as far from the head as it is."""
INSIDE_RADII = 1.6
"""Nor so many radii medial of the head's centre: there is the inside of the pelvis."""


def grade(
    masks: NDArray[np.uint8],
    spacing: Spacing | None,
    *,
    side: Side = Side.UNKNOWN,
    orientation: Orientation = Orientation(),
    view: View = View.UNKNOWN,
    image: NDArray[np.generic] | None = None,
    field: NDArray[np.bool_] | Exposed | None = None,
    probabilities: Probabilities | None = None,
    attachment: Doubting | None = None,
    rng: np.random.Generator | None = None,
    draws: int = 200,
    settings: GradeSettings = GradeSettings(),
    structures: dict[Structure, Layer] | None = None,
) -> tuple[HipFinding, ...]:
    """Grade every hip of one image.

    Parameters
    ----------
    masks
        (H, W) uint8, OR of the bits of ``Structure``.
    spacing
        Millimetres at the plane of the hip, or None: then no millimetre rule fires.
    side
        The side stated for the image.
    orientation
        Patient directions of the image.
    view
        Brooker is defined on the AP view; on another the class is provisional.
    image
        (H, W) grey levels, bright = dense; gives the maturity.
    field
        Exposed field: (H, W) bool, or on a grid of its own; None = the whole image.
    probabilities
        The network's, for the uncertainty of the mask.
    attachment
        Tells which contacts are superimposition and do not count; without it every contact counts.
    rng
        Source of randomness; by default a fresh one with a fixed seed, so that the same masks
        give the same finding.
    draws
        Monte Carlo draws.
    settings
        The project's choices.
    structures
        ``layers(masks)`` when they are at hand already.

    Returns
    -------
    One finding a hip, by column; one abstained finding when there is no hip.

    Raises
    ------
    SettingError
        Masks, image, field or probabilities of the wrong type or size.
    """
    check_masks(masks)
    exposed = Exposed(field) if isinstance(field, np.ndarray) else field
    _check_companions(masks, image, exposed, probabilities, draws)
    masks = np.ascontiguousarray(masks)
    structures = layers(masks) if structures is None else structures
    bones = prepare(masks, None if spacing is None else spacing.mm, exposed, structures)
    context = Context(bones, spacing, view, image, settings)
    missing = nothing_to_grade(bones)
    if missing is not None:
        return (write_nothing(context, missing, side),)
    hips = find_hips(bones)
    frames = [find_frame(bones, hip, orientation) for hip in hips]
    ossified = structures[Structure.OSSIFICATION]
    found, specks = find_ossifications(ossified.mask, bones, settings, Placement(ossified.corner))
    levels = _levels(ossified, found, bones, probabilities, settings)
    rng = rng if rng is not None else np.random.default_rng(0)
    findings = []
    for index, named in enumerate(sides(hips, side, orientation)):
        around = surroundings(bones, hips[index], frames[index], settings)
        own = [_own(items, frames, index) for items in levels]
        found_there = _find_contacts(own, around, attachment, named[0])
        sorted_out = [_sort_out(found, found.as_read(), around) for found in found_there]
        middle = len(levels) // 2
        kept, excluded = sorted_out[middle]
        contacts = kept.as_read()
        case = HipCase(
            hip=hips[index],
            around=around,
            shown=_sort_out(found_there[middle], found_there[middle], around)[0],
            contacts=contacts,
            measured=measure(contacts, around, settings.attach_mm),
            draws=_draw([pair[0] for pair in sorted_out], around, spacing, rng, draws),
            excluded=excluded,
            specks=tuple(s for s in specks if _nearest(s.centroid_px * bones.mm, frames) == index),
            side=named,
        )
        findings.append(write_finding(context, case))
    return tuple(findings)


def _levels(
    ossified: Layer,
    found: list[Ossification],
    bones: Bones,
    probabilities: Probabilities | None,
    settings: GradeSettings,
) -> list[list[Ossification]]:
    """The ossifications at equally likely thresholds of the network; the middle is the mask."""
    if probabilities is None:
        return [found]
    values, grid = probabilities.values[3], probabilities.grid
    placement = Placement(grid.origin_px, grid.step_px)
    area_px = float(np.count_nonzero(ossified.mask))
    limits = thresholds(_threshold_in_use(area_px, probabilities), settings.logit_sd)
    column, row, width, height = cv2.boundingRect((values > limits[0] * 255).view(np.uint8))
    values = values[row : row + height, column : column + width]
    placement = placement.moved(row, column)
    levels = []
    for index, limit in enumerate(limits):
        if index == LEVELS // 2:
            levels.append(found)
            continue
        mask = (values > limit * 255).view(np.uint8)
        levels.append(find_ossifications(mask, bones, settings, placement)[0])
    return levels


def _threshold_in_use(area_px: float, probabilities: Probabilities) -> float:
    """The threshold at which the probabilities cover the area of the mask.

    Models calibrate their threshold; the mask tells which one was used. With an empty mask it is
    0.5, or above everything the network gave.
    """
    values, grid = probabilities.values[3], probabilities.grid
    area = area_px / float(np.prod(grid.step_px))
    if area < 1:
        return max(0.5, float(values.max()) / 255)
    counts = cv2.calcHist([values], [0], None, [256], [0, 256]).ravel()
    above = np.cumsum(counts[::-1].astype(float))[::-1]  # >= each value
    return float(np.clip(np.abs(above - area).argmin() - 0.5, 5, 250)) / 255


def _nearest(point_mm: NDArray[np.float64], frames: list[Frame]) -> int:
    return int(np.argmin([np.hypot(*(point_mm - frame.centre)) for frame in frames]))


def _own(items: list[Ossification], frames: list[Frame], index: int) -> list[Ossification]:
    """The ossifications that are nearer to this hip's head than to the other's."""
    return [item for item in items if _nearest(item.middle_mm, frames) == index]


def _find_contacts(
    levels: list[list[Ossification]],
    around: Surroundings,
    attachment: Doubting | None,
    side: Side,
) -> list[Contacts]:
    """Contacts at each threshold; how doubtful they are is looked at once, at the middle one."""
    middle = len(levels) // 2
    contacts = [
        find_contacts(items, around, np.inf if i == middle else NEAR_MM)
        for i, items in enumerate(levels)
    ]
    if attachment is None:
        return contacts
    known = replace(contacts[middle], doubts=attachment.doubts(contacts[middle], side))
    return [
        known if i == middle else replace(found, doubts=doubts_alike(found, known))
        for i, found in enumerate(contacts)
    ]


def _sort_out(
    contacts: Contacts, counted: Contacts, around: Surroundings
) -> tuple[Contacts, tuple[tuple[Ossification, str], ...]]:
    """Leave out what touches nothing and is not about the hip, saying why.

    counted: the same ossifications with the contacts that count
    """
    frame, tolerance = around.frame, around.settings.attach_mm
    attached = counted.touching(tolerance).attached
    kept, excluded = [], []
    for i, (item, touching) in enumerate(zip(contacts.items, attached, strict=True)):
        why = "" if touching else _beside_the_point(item, frame)
        if why:
            excluded.append((item, why))
        else:
            kept.append(i)
    return (contacts.only(kept) if excluded else contacts), tuple(excluded)


def _beside_the_point(item: Ossification, frame: Frame) -> str:
    """Why an ossification that touches nothing is not about the hip; empty when it is."""
    places = [frame.centre, *([] if frame.trochanter is None else [frame.trochanter])]
    if min(nearest_mm(place, item.outline_mm) for place in places) > FAR_RADII * frame.unit:
        return "far_from_hip"
    u, v = (float(x.mean()) for x in frame.local(item.pixels_mm))
    if u < -INSIDE_RADII * frame.unit and v < 1.5 * frame.unit:
        return "inside_pelvis"
    return ""


def _draw(
    levels: list[Contacts],
    around: Surroundings,
    spacing: Spacing | None,
    rng: np.random.Generator,
    count: int,
) -> Draws | None:
    """Monte Carlo over one hip; measurements with the same contacts are made once."""
    if count == 0:
        return None
    if not any(contacts.items for contacts in levels):
        levels = levels[:1]  # nothing to draw about
    memory: dict[tuple[object, ...], Measured] = {}
    places = [find_places(contacts, around) for contacts in levels]

    def at(
        level: int, tolerances_mm: NDArray[np.float64], apart: NDArray[np.bool_]
    ) -> list[Measured]:
        found = []
        for touching in levels[level].touching_without(tolerances_mm, apart):
            key = (level, *touching.key)
            if key not in memory:
                memory[key] = measure_touching(levels[level].items, touching, places[level])
            found.append(memory[key])
        return found

    settings = around.settings
    spread = Spread(
        relative_sd=0.0 if spacing is None else spacing.relative_sd,
        measuring_sd_mm=settings.measuring_sd_mm,
        attach_mm=settings.attach_mm,
        calibrated=spacing is not None,
    )
    return draw(at, levels, spread, rng, count)


def _check_companions(
    masks: NDArray[np.uint8],
    image: NDArray[np.generic] | None,
    exposed: Exposed | None,
    probabilities: Probabilities | None,
    draws: int,
) -> None:
    """Refuse an image, field or probabilities that do not belong to the masks."""
    if image is not None and image.shape != masks.shape:
        raise SettingError("image shape", image.shape, f"the masks' shape {masks.shape}")
    if exposed is not None:
        shape = masks.shape if exposed.grid is None else exposed.grid.shape
        if exposed.inside.shape != shape:
            raise SettingError("field shape", exposed.inside.shape, f"{shape}, as its grid says")
    if probabilities is not None:
        values, grid = probabilities.values, probabilities.grid
        if values.dtype != np.uint8 or values.shape != (len(Structure), *grid.shape):
            allowed = f"uint8 of shape {(len(Structure), *grid.shape)}, as its grid says"
            raise SettingError("probabilities", (str(values.dtype), values.shape), allowed)
    if draws < 0:
        raise SettingError("draws", draws, "0 or more")
