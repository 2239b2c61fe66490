"""Simulated ossification set into real films: real backgrounds with an exact truth.

A real film without ossification teaches a network what healthy hips look like; alone it teaches
"a real picture, so nothing". With ossification set into copies of it, what is true is learnt on
the same background. A simulated hip gives the path lengths of its ossification along the rays.
They are laid over a real hip by the centre and the radius of the femoral head and the direction of
the shaft, and become grey levels by the film's own step between soft tissue and bone about that
head. What stands out of the film's texture is truth; what does not is not asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.grade.finding import HipFinding
from hoseg.radiograph import Side
from hoseg.simulate.body.materials import Material, linear_attenuation_per_mm
from hoseg.simulate.body.projector import Camera
from hoseg.simulate.body.skeleton import HipJoint
from hoseg.simulate.patient.layers import Layers
from hoseg.simulate.patient.projection import film_camera, project_on
from hoseg.simulate.patient.scene import Scene, sample_scene
from hoseg.simulate.patient.settings import SceneSettings

ENERGY_KEV = 65.0
"""Mean energy behind a patient of a pelvis exposure at 75-80 kV."""
SHADOW_MM = 0.5
"""Pixel of a simulated shadow."""
REACH_MEDIAL, REACH = 4.6, 6.0
"""Head radii that a shadow reaches upwards and to the midline; downwards and outwards."""
BONE_RADII, SOFT_RADII = 3.0, 4.5
"""Head radii about a head within which a film's bone, its soft tissue, are looked at."""
FEWEST_PX = 200
LEAST_STEP = 0.03
"""The step from soft tissue to bone, as a share of the film's range, below which nothing is set
in: the film shows no bone there."""
STRENGTH_SD = 0.35
"""Of the logarithm of the density of an ossification against the simulated one."""
GRAIN = 0.12
"""Relative standard deviation of the texture of an ossification."""
VISIBLE_STEP, VISIBLE_TEXTURE = 0.08, 0.4
"""What is added must exceed this share of the step, and of the local texture, to count as truth."""
LEAST_MM2, MOST_CONTRAST = 30.0, 1.2
"""Less visible area than this teaches nothing; more contrast, in steps, is no ossification."""
SPECK_MM2 = 4.0

Points = NDArray[np.float64]
Pixels = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SETTINGS = SceneSettings(
    brooker={"0": 0.0, "1": 0.34, "2": 0.26, "3": 0.22, "4": 0.18},
    views={"ap_pelvis": 0.5, "ap_hip": 0.5, "frog_leg": 0.0, "judet": 0.0},
    implants={
        "none": 0.5, "total": 0.4, "hemi": 0.1, "resurfacing": 0.0, "nail": 0.0, "plate": 0.0,
    },
    osteophytes=0.0, spots=0.0, clips=0.0, balls=0.0, nonunions=0.0,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class HipPlace:
    """Where a hip lies on a picture; (row, column) throughout.

    head_px, radius_px: centre and radius of the femoral head
    shaft, lateral: (2,) unit vectors along the shaft to the knee, and away from the midline
    """

    head_px: Points
    radius_px: float
    shaft: Points
    lateral: Points

    @property
    def corners(self) -> NDArray[np.float32]:
        """(3, 2) x, y of the head's centre and of one radius along shaft and lateral."""
        head, radius = self.head_px, self.radius_px
        points = np.array([head, head + radius * self.shaft, head + radius * self.lateral])
        return np.ascontiguousarray(points[:, ::-1], np.float32)


@dataclass(frozen=True, eq=False)
class OssificationShadow:
    """The ossification of one simulated hip, in the path lengths of rays through it.

    length_mm: (h, w) mm of cortical bone that weaken a ray as much
    place: the simulated hip
    bone_mm: median of the same for its bones about the head
    brooker: class of the hip
    """

    length_mm: Pixels
    place: HipPlace
    bone_mm: float
    brooker: int


@dataclass(frozen=True, eq=False)
class Background:
    """A real film that ossification is set into.

    grey: (H, W) dense bright, any unit
    bones, field: (H, W) bool, pelvis or femur; exposed
    spacing_mm: of a pixel at the hip
    """

    grey: Pixels
    bones: Mask
    field: Mask
    spacing_mm: float


@dataclass(frozen=True, eq=False)
class SetIn:
    """A film with ossification set in.

    grey: (H, W) the film
    visible, hidden: (H, W) bool, ossification that stands out of the film; that does not
    area_mm2: visible area
    contrast: mean of what was added there, in steps from soft tissue to bone
    brooker: class of the simulated hip
    """

    grey: Pixels
    visible: Mask
    hidden: Mask
    area_mm2: float
    contrast: float
    brooker: int


def place_of(finding: HipFinding) -> HipPlace | None:
    """Where a graded hip lies on its upright film; None where head or shaft are not known."""
    marks = finding.landmarks
    if marks.head_px is None or not marks.head_radius_px or marks.shaft_axis is None:
        return None
    shaft = np.array(marks.shaft_axis, float)
    shaft /= np.hypot(*shaft)
    outward = 1.0 if finding.side is Side.LEFT else -1.0  # columns grow to the patient's left
    return HipPlace(
        np.array(marks.head_px, float), float(marks.head_radius_px), shaft, _across(shaft, outward)
    )


def simulated_shadows(seed: int) -> Iterator[OssificationShadow]:
    """Ossification of class I to IV, hip by hip, from simulated people without end."""
    rng = np.random.default_rng(seed)
    while True:
        scene = sample_scene(_SETTINGS, rng)
        camera = film_camera(scene, SHADOW_MM)
        yield from _shadows(scene, project_on(scene, camera), camera)


def set_in(
    film: Background, place: HipPlace, shadow: OssificationShadow, rng: np.random.Generator
) -> SetIn | None:
    """Add the shadow of a simulated ossification to a real hip.

    Returns
    -------
    None where the film shows no step from soft tissue to bone there, or where what was added is
    too small to be seen or too bright to be ossification.
    """
    step = _step(film, place)
    if step is None:
        return None
    affine = np.asarray(cv2.getAffineTransform(shadow.place.corners, place.corners), np.float64)
    length_mm = _laid_over(shadow.length_mm, affine, film.grey.shape)
    soft, bone = step
    added = (bone - soft) / max(shadow.bone_mm, 1.0) * length_mm
    added *= np.float32(np.exp(rng.normal(0.0, STRENGTH_SD)))
    added *= _room(film, soft) * _grain(film, rng)
    grey = np.minimum(film.grey + added, film.grey.max())
    added = grey - film.grey
    there = _laid_over((shadow.length_mm > 0.25).astype(np.float32), affine, grey.shape) > 0.5
    visible = _visible(film, added, bone - soft) & there
    area_mm2 = float(np.count_nonzero(visible)) * film.spacing_mm**2
    if area_mm2 < LEAST_MM2:
        return None
    contrast = float(added[visible].mean() / (bone - soft))
    if contrast > MOST_CONTRAST:
        return None
    return SetIn(grey, visible, there & ~visible, area_mm2, contrast, shadow.brooker)


def _shadows(scene: Scene, layers: Layers, camera: Camera) -> Iterator[OssificationShadow]:
    if Material.OSSIFICATION not in layers.materials:
        return
    grown = _equivalent_mm(layers, (Material.OSSIFICATION,))
    bone = _equivalent_mm(layers, (Material.CORTICAL, Material.TRABECULAR))
    for joint, hip in zip(scene.skeleton.hips, scene.hips, strict=True):
        if not hip.growth.brooker:
            continue
        shadow = _shadow(grown, bone, _simulated_place(joint, camera), hip.growth.brooker)
        if shadow is not None:
            yield shadow


def _shadow(
    grown: Pixels, bone: Pixels, place: HipPlace, brooker: int
) -> OssificationShadow | None:
    """The part of a film about one hip; None where that is cut off or shows no bone."""
    head, radius = place.head_px, place.radius_px
    outward = 1.0 if place.lateral[1] > 0 else -1.0
    columns = sorted(
        (head[1] - outward * REACH_MEDIAL * radius, head[1] + outward * REACH * radius)
    )
    rows = (head[0] - REACH_MEDIAL * radius, head[0] + REACH * radius)
    top, left = max(int(rows[0]), 0), max(int(columns[0]), 0)
    box = (slice(top, int(rows[1])), slice(left, int(columns[1])))
    own = HipPlace(head - (top, left), radius, place.shaft, place.lateral)
    part = bone[box]
    i, j = np.mgrid[: part.shape[0], : part.shape[1]]
    near = (np.hypot(i - own.head_px[0], j - own.head_px[1]) < BONE_RADII * radius) & (part > 0.5)
    if np.count_nonzero(near) < FEWEST_PX or not grown[box].any():
        return None
    return OssificationShadow(grown[box].copy(), own, float(np.median(part[near])), brooker)


def _simulated_place(joint: HipJoint, camera: Camera) -> HipPlace:
    head = np.asarray(joint.head, float)
    marks = camera.to_pixels(
        np.array([head, head + 100 * joint.shaft, head + np.array([joint.radius, 0, 0])])
    )
    shaft = marks[1] - marks[0]
    shaft = shaft / np.hypot(*shaft)
    return HipPlace(
        marks[0], float(np.hypot(*(marks[2] - marks[0]))), shaft, _across(shaft, joint.outward)
    )


def _across(shaft: Points, outward: float) -> Points:
    """The unit vector at a right angle to the shaft that points away from the midline."""
    across = np.array([-shaft[1], shaft[0]])
    return across if across[1] * outward > 0 else -across


def _equivalent_mm(layers: Layers, materials: tuple[Material, ...]) -> Pixels:
    """Path lengths (H, W) of materials, as mm of cortical bone in place of soft tissue."""
    weakening = linear_attenuation_per_mm(ENERGY_KEV)
    unit = weakening[Material.CORTICAL] - weakening[Material.SOFT]
    total = np.zeros(layers.shape, np.float32)
    for row, material in enumerate(layers.materials):
        if material in materials:
            share = (weakening[material] - weakening[Material.SOFT]) / unit
            total += np.float32(share) * layers.lengths_mm[row].astype(np.float32)
    return total


def _laid_over(picture: Pixels, affine: NDArray[np.float64], shape: tuple[int, ...]) -> Pixels:
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    if scale < 1:  # what gets smaller is averaged first
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.4 / scale), np.float32)
    size = (shape[1], shape[0])
    return np.asarray(cv2.warpAffine(picture, affine, size, flags=cv2.INTER_LINEAR), np.float32)


def _step(film: Background, place: HipPlace) -> tuple[float, float] | None:
    """Median grey of soft tissue and of bone about a head; None where they hardly differ."""
    i, j = np.ogrid[: film.grey.shape[0], : film.grey.shape[1]]
    away = np.hypot(i - place.head_px[0], j - place.head_px[1]) / place.radius_px
    edges = cv2.dilate(film.bones.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    bone = (away < BONE_RADII) & film.bones & film.field
    soft = (away < SOFT_RADII) & ~edges & film.field
    if min(np.count_nonzero(bone), np.count_nonzero(soft)) < FEWEST_PX:
        return None
    levels = float(np.median(film.grey[soft])), float(np.median(film.grey[bone]))
    if levels[1] - levels[0] <= LEAST_STEP * float(np.ptp(film.grey)):
        return None
    return levels


def _room(film: Background, soft: float) -> Pixels:
    """How much of an addition a film shows (H, W): less where it is nearly as bright as it gets."""
    top = float(np.percentile(film.grey[film.field], 99.7))
    room = np.clip((top - film.grey) / max(top - soft, 1e-6), 0, 1)
    return np.clip(0.35 + 0.75 * room, 0.3, 1.0).astype(np.float32)


def _grain(film: Background, rng: np.random.Generator) -> Pixels:
    noise = rng.normal(0, 1, film.grey.shape).astype(np.float32)
    noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), max(0.6, 0.6 / film.spacing_mm)), np.float32)
    return 1 + np.float32(GRAIN) * noise / max(float(noise.std()), 1e-6)


def _visible(film: Background, added: Pixels, step: float) -> Mask:
    """Where an addition stands out of the film's own texture."""
    fine, coarse = max(0.5 / film.spacing_mm, 0.6), 4 / film.spacing_mm
    contrast = cv2.GaussianBlur(added, (0, 0), fine)
    smooth = cv2.GaussianBlur(film.grey, (0, 0), fine)
    rough = smooth - cv2.GaussianBlur(film.grey, (0, 0), coarse)
    texture = np.sqrt(cv2.GaussianBlur(rough * rough, (0, 0), coarse))
    seen = (contrast > np.maximum(VISIBLE_TEXTURE * texture, VISIBLE_STEP * step)) & film.field
    closed = cv2.morphologyEx(seen.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] * film.spacing_mm**2 >= SPECK_MM2
    large[0] = False
    return np.asarray(large[labels], bool)
