"""The seam between geometry and film: where the body lies on a camera's pixels."""

from __future__ import annotations

import numpy as np

from hoseg.simulate.body.anatomy import Hip
from hoseg.simulate.body.frame import BodyFrame
from hoseg.simulate.body.projector import Camera


def body_frame(camera: Camera, hips: tuple[Hip, Hip]) -> BodyFrame:
    """Frame of the body on the pixels of ``camera``, from the landmarks of both hips."""
    heads = np.array([hip.head for hip in hips])
    distal = np.array([hip.head + 150 * hip.shaft for hip in hips])
    heads_px = camera.to_pixels(heads)[:, ::-1]
    distal_px = camera.to_pixels(distal)[:, ::-1]
    spacing_mm = camera.pixel_mm / camera.magnification(float(heads[:, 1].mean()))
    across = heads_px[1] - heads_px[0]
    distance_px = float(np.hypot(*across))
    left = across / max(distance_px, 1e-6)
    feet = np.array([-left[1], left[0]])
    thighs = []
    for axis in distal_px - heads_px:
        along = np.array([axis @ left, axis @ feet])
        unit = along / max(float(np.hypot(*along)), 1e-6)
        thighs.append((float(unit[0]), float(unit[1])))
    origin = heads_px.mean(axis=0)
    return BodyFrame(
        (float(origin[0]), float(origin[1])),
        (float(left[0]), float(left[1])),
        (float(feet[0]), float(feet[1])),
        0.5 * distance_px * spacing_mm,
        (thighs[0], thighs[1]),
        spacing_mm,
    )
