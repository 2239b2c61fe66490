"""Hip radiographs with exact truth.

A ``Scene`` (anatomy, ossification, implants, camera) is projected once to ``Layers`` and
rendered as often as wanted to a ``SimulatedFilm``. ``crops`` is an endless stream for training;
``hoseg.simulate.folder`` writes films to disk, as ``hoseg simulate`` does.
"""

from hoseg.simulate.cache import LayerCache, build_layer_cache, cached_crop
from hoseg.simulate.film.confounders import ConfounderRates
from hoseg.simulate.film.film import RenderSettings, SimulatedFilm, render
from hoseg.simulate.patient.layers import Layers
from hoseg.simulate.patient.scene import Scene, project, sample_scene
from hoseg.simulate.patient.settings import BALANCED, NATURAL, SceneSettings
from hoseg.simulate.stream import StreamSettings, crop, crops, geometry_layers, shard

__all__ = [
    "BALANCED",
    "NATURAL",
    "ConfounderRates",
    "LayerCache",
    "Layers",
    "RenderSettings",
    "Scene",
    "SceneSettings",
    "SimulatedFilm",
    "StreamSettings",
    "build_layer_cache",
    "cached_crop",
    "crop",
    "crops",
    "geometry_layers",
    "project",
    "render",
    "sample_scene",
    "shard",
]
