"""Exact ray lengths through closed surfaces, by rasterising their triangles in perspective.

A ray from the source enters a closed surface as often as it leaves it. The length inside is the
sum over the triangles it meets of the distance to the triangle, positive where the ray leaves
and negative where it enters: no voxels, any resolution, exact for the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numba
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError

_SUBPIXEL = 4096  # vertices are snapped to this fraction of a pixel: edge tests are then exact


@dataclass(frozen=True)
class Camera:
    """An X-ray source and a flat detector.

    Patient axes: +x left, +y posterior, +z up (mm). The central ray runs along +y (AP).

    source_mm: (x, y, z) of the focal spot
    detector_y_mm: y of the detector plane
    corner_mm: (x, z) on the detector of the centre of pixel (0, 0)
    pixel_mm: distance between pixel centres on the detector
    shape: (rows, columns)
    """

    source_mm: tuple[float, float, float]
    detector_y_mm: float
    corner_mm: tuple[float, float]
    pixel_mm: float
    shape: tuple[int, int]

    @property
    def source_detector_mm(self) -> float:
        """Distance from the source to the detector plane."""
        return self.detector_y_mm - self.source_mm[1]

    def magnification(self, y_mm: float) -> float:
        """How much larger something at depth ``y_mm`` appears on the detector."""
        return self.source_detector_mm / (y_mm - self.source_mm[1])

    def window(self, top: float, left: float, step: float, shape: tuple[int, int]) -> Camera:
        """The same beam on other pixels: a crop, at another pixel size.

        top, left: centre of the new pixel (0, 0), in old pixels
        step: new pixel size in old pixels
        """
        x = self.corner_mm[0] + left * self.pixel_mm
        z = self.corner_mm[1] - top * self.pixel_mm
        return replace(self, corner_mm=(x, z), pixel_mm=self.pixel_mm * step, shape=shape)

    def to_pixels(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 3) points in mm to (N, 2) pixels (row, column)."""
        points = np.asarray(points_mm, np.float64)
        scale = self.source_detector_mm / (points[:, 1] - self.source_mm[1])
        x = self.source_mm[0] + (points[:, 0] - self.source_mm[0]) * scale
        z = self.source_mm[2] + (points[:, 2] - self.source_mm[2]) * scale
        rows = (self.corner_mm[1] - z) / self.pixel_mm
        columns = (x - self.corner_mm[0]) / self.pixel_mm
        return np.stack((rows, columns), axis=1)


def check_closed(faces: NDArray[np.integer], name: str) -> None:
    """Refuse a surface that is not closed and consistently oriented.

    faces: (F, 3) vertex indices

    Raises
    ------
    SettingError: names the mesh and how many edges lack their opposite
    """
    edges = np.concatenate((faces[:, (0, 1)], faces[:, (1, 2)], faces[:, (2, 0)])).astype(np.int64)
    size = int(faces.max(initial=0)) + 1
    forward = np.sort(edges[:, 0] * size + edges[:, 1])
    backward = np.sort(edges[:, 1] * size + edges[:, 0])
    if len(faces) == 0 or not np.array_equal(forward, backward):
        missing = len(np.setxor1d(forward, backward))
        raise SettingError(
            f"mesh {name}", f"{missing} open edges", "a closed, consistently oriented surface"
        )


def ray_lengths(
    camera: Camera,
    vertices_mm: NDArray[np.floating],
    faces: NDArray[np.integer],
    out: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Length of each pixel's ray inside a closed surface.

    Parameters
    ----------
    camera: source and pixels
    vertices_mm: (N, 3), between the source and the detector
    faces: (F, 3), outward by the right-hand rule
    out: (H, W) float64 to add to, or None

    Returns
    -------
    (H, W) float64 (mm), along the oblique ray

    Raises
    ------
    SettingError: a vertex lies at or behind the source
    """
    vertices = np.ascontiguousarray(vertices_mm, np.float64)
    lengths = np.zeros(camera.shape) if out is None else out
    if not len(vertices):
        return lengths
    depth = vertices[:, 1] - camera.source_mm[1]
    if depth.min() <= 1:
        raise SettingError("vertices", f"y = {vertices[:, 1].min():.1f} mm", "beyond the source")
    pixels = camera.to_pixels(vertices)
    fixed = np.round(pixels * _SUBPIXEL).astype(np.int64)
    source = np.asarray(camera.source_mm)
    corner = np.array([camera.corner_mm[0] - source[0], camera.corner_mm[1] - source[2]])
    _rasterise(
        lengths, fixed, vertices - source, np.ascontiguousarray(faces, np.int32),
        corner, camera.pixel_mm, camera.source_detector_mm,
    )  # fmt: skip
    return lengths


def ray_lengths_boxed(
    camera: Camera, vertices_mm: NDArray[np.floating], faces: NDArray[np.integer]
) -> tuple[tuple[slice, slice], NDArray[np.float64]]:
    """``ray_lengths`` on the pixels the surface can touch: (rows and columns, (h, w) lengths)."""
    pixels = camera.to_pixels(np.asarray(vertices_mm, np.float64))
    size = np.array(camera.shape)
    low = np.clip(np.floor(pixels.min(axis=0)), 0, size).astype(int)
    high = np.maximum(np.clip(np.ceil(pixels.max(axis=0)) + 1, 0, size).astype(int), low)
    box = (slice(low[0], high[0]), slice(low[1], high[1]))
    part = camera.window(float(low[0]), float(low[1]), 1.0, (high[0] - low[0], high[1] - low[1]))
    return box, ray_lengths(part, vertices_mm, faces)


@numba.njit(cache=True, nogil=True)
def _rasterise(lengths, fixed, vertices, faces, corner, pixel_mm, distance_mm):  # type: ignore[no-untyped-def]
    rows, columns = lengths.shape
    one = np.int64(_SUBPIXEL)
    for face in range(faces.shape[0]):
        i, j, k = faces[face, 0], faces[face, 1], faces[face, 2]
        r0, c0 = fixed[i, 0], fixed[i, 1]
        r1, c1 = fixed[j, 0], fixed[j, 1]
        r2, c2 = fixed[k, 0], fixed[k, 1]
        area = (c1 - c0) * (r2 - r0) - (r1 - r0) * (c2 - c0)
        if area == 0:
            continue
        ax, ay, az = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        ux, uy, uz = vertices[j, 0] - ax, vertices[j, 1] - ay, vertices[j, 2] - az
        vx, vy, vz = vertices[k, 0] - ax, vertices[k, 1] - ay, vertices[k, 2] - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        offset = nx * ax + ny * ay + nz * az
        # A triangle seen edge-on has no well-defined plane depth: stay between its corners.
        near = min(vertices[i, 1], vertices[j, 1], vertices[k, 1])
        deep = max(vertices[i, 1], vertices[j, 1], vertices[k, 1])
        sign = 1.0 if area > 0 else -1.0
        if area < 0:  # make the winding positive for the edge tests
            r1, r2 = r2, r1
            c1, c2 = c2, c1
        top = max(0, -(-min(r0, r1, r2) // one))
        bottom = min(rows - 1, max(r0, r1, r2) // one)
        left = max(0, -(-min(c0, c1, c2) // one))
        right = min(columns - 1, max(c0, c1, c2) // one)
        if top > bottom or left > right:
            continue
        # A pixel on an edge belongs to exactly one of the two triangles that share it.
        b01 = 0 if (r1 - r0 > 0 or (r1 == r0 and c1 - c0 < 0)) else 1
        b12 = 0 if (r2 - r1 > 0 or (r2 == r1 and c2 - c1 < 0)) else 1
        b20 = 0 if (r0 - r2 > 0 or (r0 == r2 and c0 - c2 < 0)) else 1
        for row in range(top, bottom + 1):
            pr = row * one
            e01 = (c1 - c0) * (pr - r0) - (r1 - r0) * (left * one - c0)
            e12 = (c2 - c1) * (pr - r1) - (r2 - r1) * (left * one - c1)
            e20 = (c0 - c2) * (pr - r2) - (r0 - r2) * (left * one - c2)
            dz = corner[1] - row * pixel_mm
            for column in range(left, right + 1):
                if e01 >= b01 and e12 >= b12 and e20 >= b20:
                    dx = corner[0] + column * pixel_mm
                    along = nx * dx + ny * distance_mm + nz * dz
                    if along != 0.0:
                        depth = min(max(offset / along * distance_mm, near), deep)
                        slant = np.sqrt(dx * dx + distance_mm**2 + dz * dz) / distance_mm
                        lengths[row, column] += sign * depth * slant
                e01 -= (r1 - r0) * one
                e12 -= (r2 - r1) * one
                e20 -= (r0 - r2) * one
