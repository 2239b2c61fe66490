"""Pictures that have what films have: soft tissue, bone with dense shells, borders."""

from __future__ import annotations

import cv2
import numpy as np


def pelvis_like(shape: tuple[int, int] = (600, 500), seed: int = 0) -> np.ndarray:
    """A 12-bit film, dense bright: two ring-shaped bones and two shafts in soft tissue."""
    rng = np.random.default_rng(seed)
    h, w = shape
    rows, columns = np.mgrid[0 : 1 : h * 1j, 0 : 1 : w * 1j]
    body = 1500 - 900 * (2 * columns - 1) ** 2 + 120 * np.sin(5 * rows) * np.cos(4 * columns)
    bone = np.zeros(shape, np.float32)
    thick = max(2, w // 90)
    for x in (0.3, 0.7):
        centre = (round(x * w), round(0.35 * h))
        cv2.ellipse(bone, centre, (w // 6, h // 6), 20, 0, 360, 500.0, -1)
        cv2.ellipse(bone, centre, (w // 6, h // 6), 20, 0, 360, 1100.0, thick)
        left, right = round(x * w) - w // 20, round(x * w) + w // 20
        cv2.rectangle(bone, (left, round(0.55 * h)), (right, h), 450.0, -1)
        for edge in (left, right):
            cv2.line(bone, (edge, round(0.55 * h)), (edge, h), 1100.0, thick)
    noise = cv2.GaussianBlur(rng.normal(0, 60, shape), (0, 0), 1.5)
    film = cv2.GaussianBlur(body + bone + noise, (0, 0), 0.8)
    return np.clip(film, 0, 4095).astype(np.uint16)


def rectangle(shape: tuple[int, int], size: tuple[float, float], degrees: float) -> np.ndarray:
    """A rotated rectangle in the middle, bool; size as shares of the image."""
    h, w = shape
    corners = cv2.boxPoints(((w / 2, h / 2), (size[1] * w, size[0] * h), degrees))
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, corners.round().astype(np.int32), (1,))
    return mask.astype(bool)


def circle(shape: tuple[int, int], share: float) -> np.ndarray:
    """A disc in the middle, bool; its diameter as a share of the short side."""
    h, w = shape
    rows, columns = np.ogrid[:h, :w]
    radius = share * min(h, w) / 2
    return (rows - h / 2) ** 2 + (columns - w / 2) ** 2 <= radius**2
