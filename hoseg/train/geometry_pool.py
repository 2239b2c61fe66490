"""A pool of simulated geometries on disk: built once, rendered to new films again and again.

Building a geometry costs about ten times as much as rendering a film of it. The pool is a cache:
geometry ``g`` depends on the seed and the settings alone, whoever builds it and whenever.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

from hoseg.errors import OutputError
from hoseg.simulate.patient.layers import Layers, read_layers, write_layers
from hoseg.simulate.stream import StreamSettings, geometry_layers


class GeometryPool:
    """Layers by number, from disk where they have been built before.

    folder: where the files are; each seed, simulator and scene has its own folder below
    """

    def __init__(self, folder: Path, seed: int, settings: StreamSettings) -> None:
        self.seed, self.settings = seed, settings
        anatomy = settings.anatomy.fingerprint()
        text = json.dumps(
            [seed, repr(settings.scene), settings.spacing_mm, anatomy, simulator_version()]
        )
        self.folder = folder / hashlib.sha256(text.encode()).hexdigest()[:16]

    def layers(self, number: int) -> Layers:
        """Geometry ``number``; built and kept when it is not there yet."""
        name = f"{number:06d}"
        header = self.folder / f"{name}.json"
        if not header.exists():
            self._build(number, name)
        return read_layers(header)

    def _build(self, number: int, name: str) -> None:
        """Build in a folder of this process and move the files, the header last."""
        private = self.folder / f"part-{os.getpid()}"
        try:
            private.mkdir(parents=True, exist_ok=True)
            write_layers(private, name, geometry_layers(self.seed, number, self.settings))
            for path in sorted(private.iterdir(), key=lambda p: p.suffix == ".json"):
                path.replace(self.folder / path.name)
            private.rmdir()
        except OSError as error:
            raise OutputError(
                f"{self.folder}: cannot keep simulated geometries ({error.strerror}). "
                "Free some space, or choose another folder."
            ) from error


@cache
def simulator_version() -> str:
    """Hash of the sources of the simulator: a changed simulator gets a new pool."""
    digest = hashlib.sha256()
    for name, content in _sources():
        digest.update(name.encode() + content)
    return digest.hexdigest()[:16]


def _sources() -> Iterator[tuple[str, bytes]]:
    """Files that shape a geometry: the body, and what became of it before the film."""
    for package in ("hoseg.simulate.body", "hoseg.simulate.patient"):
        folder = files(package)
        for entry in sorted(folder.iterdir(), key=lambda e: e.name):
            if entry.name.endswith(".py"):
                yield f"{package}.{entry.name}", entry.read_bytes()
    yield "llp26.npz", (files("hoseg.simulate.body") / "data" / "llp26.npz").read_bytes()
