"""What training draws from the simulator: geometries by number, and random crops of them.

Geometry ``i`` depends on ``(seed, i)`` alone: any number of workers, any order, the same one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError
from hoseg.radiograph import Structure
from hoseg.simulate.body.own_anatomy import AnatomySettings
from hoseg.simulate.film.film import RenderSettings, SimulatedFilm, render
from hoseg.simulate.patient.layers import Layers
from hoseg.simulate.patient.projection import project
from hoseg.simulate.patient.scene import sample_scene
from hoseg.simulate.patient.settings import SceneSettings


@dataclass(frozen=True)
class StreamSettings:
    """What geometries and their crops look like.

    size_px: height and width of a crop
    spacing_mm: working spacing at the plane of the hip
    zoom: range of the factor on that spacing, drawn log-uniformly
    near_ossification: share of crops centred on a piece of ossification, small ones as often
        as large ones; the rest lie anywhere about the hips
    turn: standard deviation of the rotation of a crop (radians)
    scene: frequencies of classes, sites, implants, poses
    anatomy: own meshes or label map, instead of the shape model
    render: frequencies of confounders and of kinds of processing
    """

    size_px: int = 384
    spacing_mm: float = 0.6
    zoom: tuple[float, float] = (0.75, 1.35)
    near_ossification: float = 0.5
    turn: float = 0.06
    scene: SceneSettings = field(default_factory=SceneSettings)
    anatomy: AnatomySettings = field(default_factory=AnatomySettings)
    render: RenderSettings = field(default_factory=RenderSettings)

    def __post_init__(self) -> None:
        if not 32 <= self.size_px <= 4096:
            raise SettingError("size_px", self.size_px, "a number of pixels in [32, 4096]")
        if not 0.05 <= self.spacing_mm <= 5:
            raise SettingError("spacing_mm", self.spacing_mm, "mm in [0.05, 5]")
        low, high = self.zoom
        if not 0 < low <= high:
            raise SettingError("zoom", self.zoom, "two positive factors, the smaller first")
        if not 0 <= self.near_ossification <= 1:
            raise SettingError("near_ossification", self.near_ossification, "a share in [0, 1]")


def geometry_layers(seed: int, index: int, settings: StreamSettings) -> Layers:
    """Geometry ``index`` of ``seed``: a whole film at the working spacing."""
    rng = np.random.default_rng([seed, 0, index])
    scene = sample_scene(settings.scene, rng, settings.anatomy.source())
    return project(scene, settings.spacing_mm)


def render_crop(
    layers: Layers, rng: np.random.Generator, settings: StreamSettings
) -> SimulatedFilm:
    """Cut a random window from a geometry and render it."""
    low, high = np.log(settings.zoom)
    spacing_mm = settings.spacing_mm * float(np.exp(rng.uniform(low, high)))
    size_mm = settings.size_px * spacing_mm
    shape = (settings.size_px, settings.size_px)
    centre = _centre(layers, size_mm, rng, settings.near_ossification)
    angle = float(np.clip(rng.normal(0, settings.turn), -1.5, 1.5))
    return render(layers.crop(centre, spacing_mm, shape, angle), rng, settings.render)


def _centre(
    layers: Layers, size_mm: float, rng: np.random.Generator, near_ossification: float
) -> tuple[float, float]:
    """Centre (x, y) of a window, in pixels of the layers."""
    spread = size_mm / layers.frame.spacing_mm
    pieces = _pieces(layers.masks) if rng.random() < near_ossification else ()
    if len(pieces):
        piece = pieces[int(rng.integers(len(pieces)))]
        x, y = piece + rng.uniform(-0.4, 0.4, 2) * spread
    elif rng.random() < 0.75:  # about a hip
        side = rng.choice([-1, 1]) * layers.frame.half_distance_mm
        place = np.array([[side + rng.normal(0, 0.2 * size_mm), rng.normal(0, 0.25 * size_mm)]])
        x, y = layers.frame.to_px(place)[0]
    else:
        y, x = rng.uniform(0, layers.shape)
    # Most windows stay on the film; the rest see its edge, as a network does.
    margin = spread * rng.uniform(0.2, 0.5)
    height, width = layers.shape
    return _within(float(x), margin, width), _within(float(y), margin, height)


def _within(value: float, margin: float, side: float) -> float:
    """``value`` at least ``margin`` from both ends of a side, or its middle."""
    return float(np.clip(value, min(margin, side / 2), max(side - margin, side / 2)))


def _pieces(masks: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, 2) centroids (x, y) of the connected pieces of ossification."""
    small = (masks[::2, ::2] & np.uint8(Structure.OSSIFICATION)).astype(np.uint8)
    _, _, _, centroids = cv2.connectedComponentsWithStats(small, connectivity=8)
    return 2.0 * np.asarray(centroids, np.float64)[1:]
