"""Masks in, findings out: the order of the steps, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError
from hoseg.grade.abstain import nothing_to_grade
from hoseg.grade.bones import Bones, check_masks, prepare_bones
from hoseg.grade.chances import apply_class_model
from hoseg.grade.contacts import NEAR_MM, Contacts, carry_over, find_contacts
from hoseg.grade.exposure import find_visible
from hoseg.grade.finding import HipFinding
from hoseg.grade.frame import HipFrame, find_frame
from hoseg.grade.hips import find_hips, sides
from hoseg.grade.measure import measure
from hoseg.grade.models import GradingModels
from hoseg.grade.ossification import Ossification, Placement, Speck, find_ossifications
from hoseg.grade.settings import GradeSettings
from hoseg.grade.summary import worded
from hoseg.grade.surfaces import BoneSurfaces, find_surfaces, nearest_mm
from hoseg.grade.uncertainty import LEVELS, draw_hip, thresholds
from hoseg.grade.write import Context, HipCase, write_finding, write_nothing
from hoseg.imaging.reading import Reading
from hoseg.radiograph import Geometry, Grid, Layer, Segmentation, Side, Structure, split_layers

FAR_RADII = 5.0
"""An ossification that touches nothing is not about the hip beyond so many head radii from both the
head's centre and the tip of the greater trochanter: the soft tissue lateral of the trochanter is
about the hip, as far from the head as it is."""
INSIDE_RADII = 1.6
"""Nor so many radii medial of the head's centre: there is the inside of the pelvis."""
DRAWS = 200
"""Monte Carlo draws a hip."""

Classify = Callable[[Contacts, Side], NDArray[np.float64]]
"""(n, 2) probability that contacts of a hip of a side are superimposition only."""


def grade(
    reading: Reading,
    models: GradingModels = GradingModels(),
    *,
    rng: np.random.Generator | None = None,
    draws: int = DRAWS,
    settings: GradeSettings = GradeSettings(),
) -> tuple[HipFinding, ...]:
    """Grade every hip of one film that a network has read.

    Parameters
    ----------
    reading
        The film, what the network saw of it and found there.
    models
        What the model folder holds besides masks: which contacts count, calibrated P(class).
    rng
        Source of randomness; by default a fresh one with a fixed seed, so that the same film
        gives the same finding.
    draws
        Monte Carlo draws; 0 gives no probabilities and no intervals.
    settings
        The project's choices.

    Returns
    -------
    One finding a hip, by column; one abstained finding when there is no hip.

    Raises
    ------
    SettingError
        Masks of the wrong type or with unknown bits.
    """
    film, prepared, found = reading.radiograph, reading.prepared, reading.segmentation
    check_masks(found.masks)
    visible = find_visible(prepared.field, film.shape, prepared.grid)
    spacing_mm = None if film.spacing is None else film.spacing.mm
    bones = prepare_bones(reading.layers, film.shape, spacing_mm, visible, film.aspect)
    ossified = reading.layers[Structure.OSSIFICATION]
    ossifications = _find_all(ossified, bones, settings)
    if draws:
        ossifications = _at_thresholds(ossifications, ossified, found, bones, settings)
    classify = None
    if models.contacts is not None:
        classify = partial(models.contacts.superimposition, reading=reading)
    context = Context(bones, film.geometry, reading.grey, settings)
    findings = _grade_hips(context, ossifications, classify, rng, draws)
    if models.classes is not None:
        findings = apply_class_model(findings, reading, models.classes, models.hip)
    return tuple(map(worded, findings))


def grade_masks(
    masks: NDArray[np.uint8],
    geometry: Geometry = Geometry(),
    *,
    image: NDArray[np.generic] | None = None,
    field: NDArray[np.bool_] | None = None,
    draws: int = DRAWS,
    settings: GradeSettings = GradeSettings(),
) -> tuple[HipFinding, ...]:
    """Grade every hip of masks alone, drawn by anyone; every contact on the film counts.

    Parameters
    ----------
    masks
        (H, W) uint8, OR of the bits of ``Structure``.
    geometry
        Millimetres, side, view and patient directions. Without millimetres no rule in them fires;
        Brooker is defined on the AP view, on another the class is provisional.
    image
        (H, W) grey levels, bright = dense; gives the maturity.
    field
        (H, W) bool, the exposed field; None = the whole image.
    draws, settings
        As for ``grade``.

    Returns
    -------
    As ``grade``.

    Raises
    ------
    SettingError
        Masks, image or field of the wrong type or size.
    """
    check_masks(masks)
    shape = (int(masks.shape[0]), int(masks.shape[1]))
    for name, other in (("image", image), ("field", field)):
        if other is not None and other.shape != shape:
            raise SettingError(f"{name} shape", other.shape, f"the masks' shape {shape}")
    layers = split_layers(np.ascontiguousarray(masks))
    visible = None if field is None else find_visible(field, shape)
    spacing_mm = None if geometry.spacing is None else geometry.spacing.mm
    bones = prepare_bones(layers, shape, spacing_mm, visible)
    ossifications = _find_all(layers[Structure.OSSIFICATION], bones, settings)
    context = Context(bones, geometry, image, settings)
    return tuple(map(worded, _grade_hips(context, ossifications, None, None, draws)))


@dataclass(frozen=True, eq=False)
class _Ossifications:
    """What is ossified on an image.

    levels: at equally likely thresholds of the network; the middle one is the mask
    specks: of the mask, below the size floor
    """

    levels: tuple[list[Ossification], ...]
    specks: list[Speck]

    @property
    def middle(self) -> int:
        """Index of the mask's own level."""
        return len(self.levels) // 2


def _find_all(ossified: Layer, bones: Bones, settings: GradeSettings) -> _Ossifications:
    """The ossifications of a mask."""
    found, specks = find_ossifications(ossified.mask, bones, settings, Placement(ossified.corner))
    return _Ossifications((found,), specks)


def _grade_hips(
    context: Context,
    ossifications: _Ossifications,
    classify: Classify | None,
    rng: np.random.Generator | None,
    draws: int,
) -> tuple[HipFinding, ...]:
    """Findings of the hips of one image, without words."""
    if draws < 0:
        raise SettingError("draws", draws, "0 or more")
    bones, geometry, settings = context.bones, context.geometry, context.settings
    missing = nothing_to_grade(bones)
    if missing is not None:
        return (write_nothing(context, missing, geometry.side),)
    hips = find_hips(bones)
    frames = [find_frame(bones, hip, geometry.orientation) for hip in hips]
    relative_sd = 0.0 if geometry.spacing is None else geometry.spacing.relative_sd
    rng = rng if rng is not None else np.random.default_rng(0)
    specks, middle = ossifications.specks, ossifications.middle
    findings = []
    for index, side in enumerate(sides(hips, geometry)):
        around = find_surfaces(bones, hips[index], frames[index], settings)
        own = [_own(items, frames, index) for items in ossifications.levels]
        contacts = _find_contacts(own, around, classify, side[0])
        sorted_out = [_sort_out(found, found.counted(), around) for found in contacts]
        kept, excluded = sorted_out[middle]
        counted = kept.counted()
        levels = [level for level, _ in sorted_out]
        case = HipCase(
            hip=hips[index],
            around=around,
            shown=_sort_out(contacts[middle], contacts[middle], around)[0],
            contacts=counted,
            measured=measure(counted, around, settings.attach_mm),
            draws=draw_hip(levels, around, relative_sd, rng, draws) if draws else None,
            excluded=excluded,
            specks=tuple(s for s in specks if _nearest(s.centroid_px * bones.mm, frames) == index),
            side=side,
        )
        findings.append(write_finding(context, case))
    return tuple(findings)


def _at_thresholds(
    mask: _Ossifications,
    ossified: Layer,
    found: Segmentation,
    bones: Bones,
    settings: GradeSettings,
) -> _Ossifications:
    """What is ossified at equally likely thresholds of the network about the one in use."""
    values, grid = found.probability(Structure.OSSIFICATION), found.grid
    area_px = float(np.count_nonzero(ossified.mask))
    limits = thresholds(_threshold_in_use(area_px, values, grid), settings.logit_sd)
    column, row, width, height = cv2.boundingRect((values > limits[0] * 255).view(np.uint8))
    values = values[row : row + height, column : column + width]
    placement = Placement(grid.origin_px, grid.step_px).moved(row, column)
    levels: list[list[Ossification]] = []
    for index, limit in enumerate(limits):
        if index == LEVELS // 2:
            levels += mask.levels
            continue
        above = (values > limit * 255).view(np.uint8)
        levels.append(find_ossifications(above, bones, settings, placement)[0])
    return _Ossifications(tuple(levels), mask.specks)


def _threshold_in_use(area_px: float, values: NDArray[np.uint8], grid: Grid) -> float:
    """The threshold at which the probabilities cover the area of the mask.

    Models calibrate their threshold; the mask tells which one was used. With an empty mask it is
    0.5, or above everything the network gave.
    """
    area = area_px / float(np.prod(grid.step_px))
    if area < 1:
        return max(0.5, float(values.max()) / 255)
    counts = cv2.calcHist([values], [0], None, [256], [0, 256]).ravel()
    above = np.cumsum(counts[::-1].astype(float))[::-1]  # >= each value
    return float(np.clip(np.abs(above - area).argmin() - 0.5, 5, 250)) / 255


def _nearest(point_mm: NDArray[np.float64], frames: list[HipFrame]) -> int:
    return int(np.argmin([np.hypot(*(point_mm - frame.centre)) for frame in frames]))


def _own(items: list[Ossification], frames: list[HipFrame], index: int) -> list[Ossification]:
    """The ossifications that are nearer to this hip's head than to the other's."""
    return [item for item in items if _nearest(item.middle_mm, frames) == index]


def _find_contacts(
    levels: list[list[Ossification]],
    around: BoneSurfaces,
    classify: Classify | None,
    side: Side,
) -> list[Contacts]:
    """Contacts at each threshold; superimposition is classified once, at the middle one."""
    middle = len(levels) // 2
    contacts = [
        find_contacts(items, around, np.inf if i == middle else NEAR_MM)
        for i, items in enumerate(levels)
    ]
    if classify is None:
        return contacts
    known = replace(contacts[middle], superimposition=classify(contacts[middle], side))
    return [
        known if i == middle else replace(found, superimposition=carry_over(known, found))
        for i, found in enumerate(contacts)
    ]


def _sort_out(
    contacts: Contacts, counted: Contacts, around: BoneSurfaces
) -> tuple[Contacts, tuple[tuple[Ossification, str], ...]]:
    """Leave out what touches nothing and is not about the hip, saying why.

    counted: the same ossifications with the contacts that count
    """
    frame, tolerance = around.frame, around.settings.attach_mm
    attached = counted.touching(tolerance).attached
    kept, excluded = [], []
    for i, (item, touching) in enumerate(zip(contacts.items, attached, strict=True)):
        why = "" if touching else _why_not_about_hip(item, frame)
        if why:
            excluded.append((item, why))
        else:
            kept.append(i)
    return (contacts.only(kept) if excluded else contacts), tuple(excluded)


def _why_not_about_hip(item: Ossification, frame: HipFrame) -> str:
    """Why an ossification that touches nothing is not about the hip; empty when it is."""
    places = [frame.centre, *([] if frame.trochanter is None else [frame.trochanter])]
    if min(nearest_mm(place, item.outline_mm) for place in places) > FAR_RADII * frame.unit:
        return "far_from_hip"
    u, v = (float(x.mean()) for x in frame.local(item.pixels_mm))
    if u < -INSIDE_RADII * frame.unit and v < 1.5 * frame.unit:
        return "inside_pelvis"
    return ""
