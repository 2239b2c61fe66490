"""Hip radiographs with exact truth, in one direction: ``body`` -> ``patient`` -> ``film``.

- ``sample_scene`` draws a ``Scene``: a person, what became of their hips, the view.
- ``project`` turns it into ``Layers``: path lengths along the rays of one film.
- ``render`` makes a ``SimulatedFilm`` of layers, as often as wanted.

``folder.write_folder`` writes films to disk, as ``hoseg simulate`` does; ``stream`` gives training
its geometries (``geometry_layers``) and crops of them (``render_crop``).
"""

from hoseg.simulate.film.confounders import ConfounderRates
from hoseg.simulate.film.film import RenderSettings, SimulatedFilm, render
from hoseg.simulate.patient.layers import Layers
from hoseg.simulate.patient.projection import project
from hoseg.simulate.patient.scene import Scene, sample_scene
from hoseg.simulate.patient.settings import BALANCED, NATURAL, SceneSettings

__all__ = [
    "BALANCED",
    "NATURAL",
    "ConfounderRates",
    "Layers",
    "RenderSettings",
    "Scene",
    "SceneSettings",
    "SimulatedFilm",
    "project",
    "render",
    "sample_scene",
]
