"""Analytic shapes for phantoms: ellipses and capsules in mm, (x, y) with y down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pose:
    """Turn by ``angle`` about ``pivot``, mirror x if asked, then shift."""

    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    mirrored: bool = False
    pivot: tuple[float, float] = (0.0, 0.0)

    def point(self, p):
        c, s = np.cos(self.angle), np.sin(self.angle)
        q = (np.asarray(p, float) - self.pivot) @ np.array([[c, s], [-s, c]]) + self.pivot
        if self.mirrored:
            q = q * (-1.0, 1.0)
        return q + self.shift

    def direction(self, angle):
        turned = angle + self.angle
        return np.pi - turned if self.mirrored else turned


@dataclass(frozen=True)
class Ellipse:
    centre: tuple[float, float]
    axes: tuple[float, float]
    angle: float = 0.0

    def contains(self, xy):
        c, s = np.cos(self.angle), np.sin(self.angle)
        dx, dy = xy[..., 0] - self.centre[0], xy[..., 1] - self.centre[1]
        u, v = (c * dx + s * dy) / self.axes[0], (-s * dx + c * dy) / self.axes[1]
        return u * u + v * v <= 1.0

    def boundary(self, step=0.05):
        n = max(64, int(2 * np.pi * max(self.axes) / step))
        t = np.linspace(0, 2 * np.pi, n, endpoint=False)
        c, s = np.cos(self.angle), np.sin(self.angle)
        u, v = self.axes[0] * np.cos(t), self.axes[1] * np.sin(t)
        return np.stack([self.centre[0] + c * u - s * v, self.centre[1] + s * u + c * v], axis=1)

    def moved(self, pose):
        return Ellipse(tuple(pose.point(self.centre)), self.axes, pose.direction(self.angle))

    @property
    def length(self):
        return 2 * max(self.axes)

    @property
    def area(self):
        return np.pi * self.axes[0] * self.axes[1]


def disc(x, y, radius):
    return Ellipse((x, y), (radius, radius))


@dataclass(frozen=True)
class Capsule:
    start: tuple[float, float]
    end: tuple[float, float]
    radius: float

    def contains(self, xy):
        a, b = np.asarray(self.start), np.asarray(self.end)
        d = b - a
        t = ((xy - a) @ d) / max(d @ d, 1e-12)
        t = np.clip(t, 0, 1)[..., None]
        return ((xy - a - t * d) ** 2).sum(axis=-1) <= self.radius**2

    def boundary(self, step=0.05):
        a, b = np.asarray(self.start), np.asarray(self.end)
        length = np.hypot(*(b - a))
        along = (b - a) / max(length, 1e-12)
        across = np.array([-along[1], along[0]])
        t = np.linspace(0, 1, max(2, int(length / step)))[:, None]
        theta = np.linspace(-np.pi / 2, np.pi / 2, max(32, int(np.pi * self.radius / step)))[
            :, None
        ]
        cap = np.cos(theta) * along, np.sin(theta) * across
        return np.concatenate(
            [
                a + t * (b - a) + across * self.radius,
                a + t * (b - a) - across * self.radius,
                b + self.radius * (cap[0] + cap[1]),
                a + self.radius * (cap[1] - cap[0]),
            ]
        )

    def moved(self, pose):
        return Capsule(tuple(pose.point(self.start)), tuple(pose.point(self.end)), self.radius)

    @property
    def length(self):
        return float(np.hypot(*np.subtract(self.end, self.start))) + 2 * self.radius

    @property
    def area(self):
        return np.pi * self.radius**2 + 2 * self.radius * (self.length - 2 * self.radius)


def paint(mask, shape, spacing, bit):
    """OR a bit into the pixels whose centres lie in the shape; spacing is (row, column) in mm."""
    box = shape.boundary(1.0)
    low = np.floor(box.min(axis=0)[::-1] / spacing).astype(int) - 2
    high = np.ceil(box.max(axis=0)[::-1] / spacing).astype(int) + 3
    low = np.clip(low, 0, mask.shape)
    high = np.clip(high, 0, mask.shape)
    if (high <= low).any():
        return
    rows, columns = np.arange(low[0], high[0]), np.arange(low[1], high[1])
    xy = np.stack(np.meshgrid(columns * spacing[1], rows * spacing[0]), axis=-1)
    window = mask[low[0] : high[0], low[1] : high[1]]
    window[shape.contains(xy)] |= np.uint8(bit)
