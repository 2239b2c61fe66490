"""Spongy bone on the film: struts that follow the load, marrow in the shaft."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.simulate.body.projector import Camera
from hoseg.simulate.body.skeleton import HipJoint

Map = NDArray[np.float32]

_TENSILE_CENTRE = (-0.9, -2.6)
"""Centre of the arches of the tensile group: (outward, up) from the head, in head radii."""


def femoral_spongiosa(
    hip: HipJoint, camera: Camera, strength: float, rng: np.random.Generator
) -> Map:
    """Factor (H, W) on the spongy bone of a femur; the shaft holds marrow.

    Struts: the principal compressive group runs from the calcar to the dome of the head, the
    tensile group arches from the lateral cortex into the head (Ward 1838, Singh 1970).
    """
    spacing = camera.pixel_mm / camera.magnification(float(hip.head[1]))
    heavy = hip.neck - hip.shaft
    pattern = 0.7 * struts(camera.shape, float(np.arctan2(-heavy[2], heavy[0])), spacing, rng)
    along_neck = hip.neck * (1, 0, 1)
    up = np.array([0, 0, 1.0])
    side = np.array([hip.outward, 0, 0])
    centre = hip.head + hip.radius * (_TENSILE_CENTRE[0] * side + _TENSILE_CENTRE[1] * up)
    pattern += 0.5 * arches(camera.shape, camera.to_pixels(centre[None])[0], spacing, rng)
    ends = camera.to_pixels(
        np.array([hip.head - along_neck * hip.radius, hip.lesser + hip.shaft * 2.2 * hip.radius])
    )
    along = ends[1] - ends[0]
    rows, columns = (np.arange(n, dtype=np.float32) for n in camera.shape)
    way = np.add.outer((rows - ends[0, 0]) * along[0], (columns - ends[0, 1]) * along[1])
    way = np.clip(way / np.float32(max(float(along @ along), 1e-6)), 0, 1)
    marrow = 1 - np.float32(0.88) * way * way * (3 - 2 * way)
    return np.asarray(marrow * np.clip(1 + np.float32(strength) * pattern, 0.2, 2), np.float32)


def flat_spongiosa(camera: Camera, strength: float, rng: np.random.Generator) -> Map:
    """Factor (H, W) on the spongy bone of pelvis and sacrum: two crossing sets of struts."""
    spacing = camera.pixel_mm / camera.magnification(0.0)
    angle = float(rng.uniform(0, np.pi))
    pattern = struts(camera.shape, angle, spacing, rng)
    pattern += struts(camera.shape, angle + float(rng.uniform(0.7, 1.6)), spacing, rng)
    return np.clip(1 + np.float32(0.6 * strength) * pattern, 0.2, 2)


def struts(
    shape: tuple[int, int], angle: float, spacing_mm: float, rng: np.random.Generator
) -> Map:
    """Noise (H, W) drawn out along a direction (radians from the columns, downwards)."""
    across, along = rng.uniform(0.8, 1.8) / spacing_mm, rng.uniform(3, 9) / spacing_mm
    reach = float(np.hypot(*shape))
    grid = _grid(int(reach / across) + 4, int(reach / along) + 4, rng)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos / along, sin / along], [-sin / across, cos / across]])
    middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    shift = np.array([(grid.shape[1] - 1) / 2, (grid.shape[0] - 1) / 2]) - turn @ middle
    return np.asarray(
        cv2.warpAffine(
            grid,
            np.column_stack([turn, shift]),
            (shape[1], shape[0]),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT,
        )
    )


def arches(
    shape: tuple[int, int],
    centre_px: NDArray[np.float64],
    spacing_mm: float,
    rng: np.random.Generator,
) -> Map:
    """Noise (H, W) drawn out along circles about a centre (row, column)."""
    across, along = rng.uniform(0.8, 1.8) / spacing_mm, rng.uniform(4, 10) / spacing_mm
    rows, columns = np.indices(shape, np.float32)
    radius, angle = cv2.cartToPolar(
        columns - np.float32(centre_px[1]), rows - np.float32(centre_px[0])
    )
    nearest = float(radius.min())
    mean = float(radius.mean())
    x = angle * np.float32(mean / along)
    y = (radius - np.float32(nearest)) / np.float32(across)
    grid = _grid(int(float(y.max())) + 3, int(float(x.max())) + 3, rng)
    return np.asarray(cv2.remap(grid, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))


def _grid(rows: int, columns: int, rng: np.random.Generator) -> Map:
    return rng.standard_normal((rows, columns), np.float32)
