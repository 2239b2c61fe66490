"""The urinary bladder: a closed surface of urine behind the symphysis, in a coat of fat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoseg.simulate.body.meshes import Mesh, Points, surface_noise, unit_sphere
from hoseg.simulate.body.skeleton import SIDES, Skeleton

_BEHIND_MM = 9.0  # fat and wall between the symphysis and the bladder
_WIDEST = 0.29  # half width, as a share of the distance between the femoral heads
_BESIDE_MM = 16.0  # bone this near to the midline, in front of the heads, is the symphysis


@dataclass(frozen=True, eq=False)
class Bladder:
    """Urine and the fat round the wall.

    urine: closed surface; coat: closed surface outside it; between them lies fat
    """

    urine: Mesh
    coat: Mesh

    @property
    def volume_ml(self) -> float:
        """Filling."""
        return self.urine.volume_mm3 / 1000


def bladder(skeleton: Skeleton, filling_ml: float, rng: np.random.Generator) -> Bladder:
    """A bladder in the true pelvis: flat when empty, rising above the symphysis as it fills.

    filling_ml: volume of the urine, kept but for the surface's small waves
    """
    middle, across, behind = _axes(skeleton)
    symphysis = _symphysis(skeleton, middle, across, behind)
    heads = [hip.head for hip in skeleton.hips]
    share = np.clip(filling_ml / 400, 0, 1)
    form = np.array([1.25, 1.0, 0.6 + 0.45 * share]) * rng.uniform(0.92, 1.08, 3)
    form[0] = max(form[0], form[1])
    radii = form * np.cbrt(3000 * filling_ml / (4 * np.pi) / form.prod())
    widest = _WIDEST * float(np.linalg.norm(heads[1] - heads[0]))
    if radii[0] > widest:  # a full one has no room sideways: it rises
        radii *= np.array([1, 1, radii[0] / widest])
        radii[0] = widest
    up = np.array([0.0, 0.0, 1.0])
    centre = symphysis + behind * (_BEHIND_MM + radii[1]) + up * (radii[2] - rng.uniform(0, 14))
    centre = centre + across * rng.normal(0, 4)
    ball = unit_sphere(24)
    frame = np.stack((across, behind, up))
    # Narrower below than above, where bowel rests on it.
    taper = 1 + 0.14 * ball.vertices[:, 2:]
    points = (ball.vertices * radii * np.concatenate((taper, taper, 0 * taper + 1), axis=1)) @ frame
    points *= 1 + 0.04 * surface_noise(points, 55, rng, 8)[:, None]
    coat = rng.uniform(0.4, 3.5) * (1 + 0.3 * surface_noise(points, 40, rng, 8))
    urine = ball.moved(points + centre)
    shift = urine.normals() * np.maximum(coat, 0)[:, None]
    return Bladder(urine, ball.moved(urine.vertices + shift))


def _axes(skeleton: Skeleton) -> tuple[Points, Points, Points]:
    """Middle of the hips, and unit vectors towards the left and the back, both horizontal."""
    right, left = (hip.head for hip in skeleton.hips)
    across = (left - right) * (1, 1, 0)
    across = across / np.linalg.norm(across)
    return (left + right) / 2, across, np.array([-across[1], across[0], 0.0])


def _symphysis(skeleton: Skeleton, middle: Points, across: Points, behind: Points) -> Points:
    """Middle of the back of the symphysis."""
    bones = [skeleton.bone("pelvis", side).outer.vertices for side in SIDES]
    away = np.concatenate(bones) - middle
    inner = away[(np.abs(away @ across) < _BESIDE_MM) & (away @ behind < 0)]
    if not len(inner):  # a pelvis without pubic bones
        inner = np.array([-40.0 * behind])
    depth = inner @ behind
    level = float(np.mean((inner[:, 2].min(), inner[:, 2].max())))
    return np.asarray(middle + behind * np.quantile(depth, 0.9) + np.array([0, 0, level]))
