"""One plain left hip with chosen ossifications, for tests that need to know every number."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from hoseg.grade import GradingModels, grade, grade_masks
from hoseg.imaging.reading import Reading
from hoseg.radiograph import (
    Geometry,
    Grid,
    Prepared,
    Radiograph,
    Segmentation,
    Spacing,
    SpacingSource,
    Structure,
)

from .phantoms import FEMUR, IMPLANT, OSSIFICATION, PELVIS, make_anatomy
from .shapes import Ellipse, Pose, paint

ANATOMY = make_anatomy(np.random.default_rng(4), "none")
TIP = ANATOMY.tip
"""Tip of the greater trochanter, (x, y) in mm from the head's centre: lateral, distal."""


@dataclass(frozen=True)
class Box:
    """An upright rectangle (x0, y0) to (x1, y1) in mm; a pixel is in when its centre is."""

    low: tuple[float, float]
    high: tuple[float, float]

    def contains(self, xy):
        return np.all((xy > self.low) & (xy < self.high), axis=-1)

    def boundary(self, step=0.05):
        (x0, y0), (x1, y1) = self.low, self.high
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])

    def moved(self, pose):
        shift = np.asarray(pose.shift)
        assert pose.angle == 0
        assert not pose.mirrored
        return Box(tuple(self.low + shift), tuple(self.high + shift))


@dataclass(frozen=True)
class Scene:
    """A hip at ``centre`` (x, y) mm in a film of ``size`` (rows, columns) mm."""

    ossification: tuple = ()
    implant: tuple = ()
    anatomy: object = ANATOMY
    centre: tuple[float, float] = (90.0, 100.0)
    size: tuple[float, float] = (210.0, 190.0)
    extra: tuple = field(default=())

    def masks(self, spacing=(0.5, 0.5), pose=Pose()):
        """Painted at a (row, column) spacing; ``pose`` turns and mirrors about the centre."""
        mask = np.zeros(
            tuple(round(s / d) for s, d in zip(self.size, spacing, strict=True)), np.uint8
        )
        place = Pose(shift=self.centre)
        hole = np.zeros_like(mask)
        for bit, shapes in (
            (PELVIS, self.anatomy.pelvis),
            (FEMUR, self.anatomy.femur),
            (IMPLANT, (*self.anatomy.implant, *self.implant)),
            (OSSIFICATION, self.ossification),
        ):
            for shape in shapes:
                paint(
                    mask,
                    shape.moved(pose).moved(place) if _turns(pose) else shape.moved(place),
                    spacing,
                    bit,
                )
        for shape in self.anatomy.holes:
            moved = shape.moved(pose).moved(place) if _turns(pose) else shape.moved(place)
            paint(hole, moved, spacing, PELVIS)
        return mask & ~hole

    def grade(self, spacing=(0.5, 0.5), pose=Pose(), draws=0, image=None, **stated):
        """The finding of its only hip; ``stated`` are its side, view and orientation."""
        masks, geometry = self.masks(spacing, pose), known(spacing, **stated)
        (finding,) = grade_masks(masks, geometry, image=image, draws=draws)
        return finding

    def classified(self, classifier, draws=0):
        """The same where a classifier says which contacts count."""
        models = GradingModels(contacts=classifier)
        (finding,) = grade(read(self.masks(), known((0.5, 0.5))), models, draws=draws)
        return finding


def _turns(pose):
    return pose.angle != 0 or pose.mirrored or pose.shift != (0.0, 0.0)


def known(spacing, relative_sd=0.0, **stated):
    """A calibrated film of any side, view and orientation."""
    return Geometry(Spacing(*spacing, relative_sd, SpacingSource.FIDUCIAL), **stated)


def read(masks, geometry=Geometry(), *, step=1.0, field=None, found=None):
    """A reading of masks whose network saw a grid ``step`` times coarser.

    Grey levels are 1 on bone, -1 elsewhere; probabilities are certain unless ``found``, (4, h, w)
    uint8, says otherwise.
    """
    shape = tuple(round(n / step) for n in masks.shape)
    small = cv2.resize(masks, shape[::-1], interpolation=cv2.INTER_NEAREST)
    if found is None:
        found = np.stack([np.where(small & bit, 255, 0) for bit in Structure]).astype(np.uint8)
    mm = (0.5, 0.5) if geometry.spacing is None else geometry.spacing.mm
    offset = (step - 1) / 2
    grid = Grid(shape, (offset, offset), (step, step), (mm[0] * step, mm[1] * step))
    levels = np.where(small & 3, 1, -1).astype(np.float32)
    film = Radiograph(
        masks, "film", geometry.spacing, geometry.side, geometry.view, geometry.orientation
    )
    prepared = Prepared(levels, np.ones(shape, bool) if field is None else field, grid, masks.shape)
    return Reading(film, prepared, Segmentation(masks, found, grid, "network"))


def opposing_boxes(gap_mm, tip=TIP):
    """A box down from the ilium and one up from the trochanter, ``gap_mm`` apart.

    The edges lie between pixel centres at a spacing of 0.5 mm.
    """
    x = round(2 * tip[0]) / 2 - 0.25
    y = round(2 * (tip[1] - 14)) / 2 - 0.25
    upper = Box((-8.25, y - gap_mm - 12), (x + 6, y - gap_mm))
    return upper, Box((x - 6, y), (x + 6, y + 22))


def island(length_mm, width_mm=6.0, at=(62.0, -30.0), angle=0.0):
    """An ellipse in the soft tissue lateral to the hip."""
    return Ellipse(at, (length_mm / 2, width_mm / 2), angle)
