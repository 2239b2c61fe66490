"""What a geometry leaves for the film: path lengths, masks and the frame of the body.

On disk a geometry is three files: path lengths (float16, memory-mapped on reading), masks, and a
JSON header that is written last: a geometry without a header does not exist.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import InputError
from hoseg.files import write_whole
from hoseg.simulate.body.frame import BodyFrame
from hoseg.simulate.body.materials import Material


@dataclass(frozen=True, eq=False)
class Layers:
    """One projected geometry, ready to be rendered any number of times.

    materials: what the geometry holds; all others have no length anywhere
    lengths_mm: (len(materials), H, W) float16 or float32 path lengths
    masks: (H, W) uint8, bits of ``Structure`` from the ray lengths
    sacrum: (H, W) bool, sacrum and spine
    frame: where the body lies, and the pixel spacing at the plane of the hip
    known: (H, W) bool, False beyond the film that a crop was cut from; None = all of it
    """

    materials: tuple[Material, ...]
    lengths_mm: NDArray[np.floating]
    masks: NDArray[np.uint8]
    sacrum: NDArray[np.bool_]
    frame: BodyFrame
    known: NDArray[np.bool_] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return (int(self.masks.shape[0]), int(self.masks.shape[1]))

    def stack(
        self, more: tuple[Material, ...] = ()
    ) -> tuple[tuple[Material, ...], NDArray[np.float32]]:
        """Materials that occur, with those in ``more``, and a float32 copy of their lengths."""
        there = [row.any() for row in self.lengths_mm]
        own = {m: k for k, m in enumerate(self.materials) if there[k]}
        materials = tuple(sorted({*own, *more}))
        full = np.zeros((len(materials), *self.shape), np.float32)
        for row, material in zip(full, materials, strict=True):
            if material in own:
                row[:] = self.lengths_mm[own[material]]
        return materials, full

    def crop(
        self,
        centre_px: tuple[float, float],
        spacing_mm: float,
        shape: tuple[int, int],
        angle: float = 0.0,
    ) -> Layers:
        """Another window on the same geometry, resampled to another spacing and turned.

        Parameters
        ----------
        centre_px: (x, y) of the centre of the window, in pixels of these layers
        spacing_mm: of the window
        shape: (rows, columns) of the window
        angle: rotation of the window (radians)
        """
        scale = spacing_mm / self.frame.spacing_mm
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        turn = np.array([[cos, -sin], [sin, cos]])
        middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
        shift = np.asarray(centre_px, float) - turn @ middle
        corners = np.array([[0, 0], [shape[1], 0], [0, shape[0]], [shape[1], shape[0]]]) @ turn.T
        # float16 is slow to convert: only the part that the window touches is.
        low = np.clip(np.floor((corners + shift).min(axis=0)) - 2, 0, None).astype(int)
        high = np.ceil((corners + shift).max(axis=0)).astype(int) + 3
        part = (slice(low[1], max(high[1], low[1] + 1)), slice(low[0], max(high[0], low[0] + 1)))
        matrix = np.column_stack([turn, shift - low])

        def resample(layer: NDArray[Any], how: int) -> NDArray[Any]:
            if min(layer[part].shape) == 0:
                return np.zeros(shape, layer.dtype)
            size = (shape[1], shape[0])
            warped = cv2.warpAffine(layer[part], matrix, size, flags=how | cv2.WARP_INVERSE_MAP)
            return np.asarray(warped)

        lengths = np.zeros((len(self.materials), *shape), np.float32)
        for row, layer in zip(lengths, self.lengths_mm, strict=True):
            if layer[part].any():
                row[:] = resample(_as_float32(layer, part), cv2.INTER_LINEAR)
        inverse = np.linalg.inv(turn)
        frame = replace(
            self.frame,
            origin_px=tuple(inverse @ (np.asarray(self.frame.origin_px) - shift)),
            left=tuple(inverse @ np.asarray(self.frame.left) * scale),
            feet=tuple(inverse @ np.asarray(self.frame.feet) * scale),
            spacing_mm=spacing_mm,
        )
        masks = resample(self.masks, cv2.INTER_NEAREST).astype(np.uint8)
        sacrum = resample(self.sacrum.view(np.uint8), cv2.INTER_NEAREST) > 0
        everywhere = np.ones(self.shape, np.uint8) if self.known is None else self.known
        known = resample(everywhere.view(np.uint8), cv2.INTER_NEAREST) > 0
        return Layers(self.materials, lengths, masks, sacrum, frame, known)


def _as_float32(layer: NDArray[np.floating], part: tuple[slice, slice]) -> NDArray[np.float32]:
    """``layer`` with ``part`` converted; the rest is not looked at."""
    if layer.dtype == np.float32:
        return np.asarray(layer)
    whole = np.empty(layer.shape, np.float32)
    whole[part] = layer[part]
    return whole


def write_layers(folder: Path, name: str, layers: Layers) -> None:
    """Write one geometry. Path lengths are kept to float16: 0.05 % of their value."""
    lengths: NDArray[np.float16] = layers.lengths_mm.astype(np.float16)
    np.save(folder / f"{name}.lengths.npy", lengths)
    np.save(folder / f"{name}.masks.npy", np.stack([layers.masks, layers.sacrum.view(np.uint8)]))
    header = {
        "materials": [material.name for material in layers.materials],
        "frame": asdict(layers.frame),
    }
    write_whole(folder / f"{name}.json", json.dumps(header))


def read_layers(header: Path) -> Layers:
    """Read one geometry; its path lengths stay on disk until they are used."""
    stem = header.with_suffix("")
    try:
        facts = json.loads(header.read_text())
        lengths = np.load(stem.with_suffix(".lengths.npy"), mmap_mode="r", allow_pickle=False)
        masks, sacrum = np.load(stem.with_suffix(".masks.npy"), allow_pickle=False)
        materials = tuple(Material[name] for name in facts["materials"])
        return Layers(materials, lengths, masks, sacrum.view(bool), _frame(facts["frame"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            str(header), f"is not a whole geometry ({error}); delete it, it is built again"
        ) from error


def _frame(facts: dict[str, Any]) -> BodyFrame:
    right, left = facts["thighs"]
    return BodyFrame(
        _pair(facts["origin_px"]),
        _pair(facts["left"]),
        _pair(facts["feet"]),
        float(facts["half_distance_mm"]),
        (_pair(right), _pair(left)),
        float(facts["spacing_mm"]),
    )


def _pair(values: list[float]) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)
