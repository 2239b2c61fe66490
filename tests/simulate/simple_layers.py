"""A geometry of a few discs, for tests that need layers but no anatomy."""

import numpy as np

from hoseg.radiograph import Structure
from hoseg.simulate.body.frame import BodyFrame
from hoseg.simulate.body.materials import Material
from hoseg.simulate.patient.layers import Layers


def frame(shape=(192, 192), spacing_mm=1.0):
    centre = ((shape[1] - 1) / 2, (shape[0] - 1) / 2)
    return BodyFrame(
        centre, (1.0, 0.0), (0.0, 1.0), 85.0, ((-0.1, 0.995), (0.1, 0.995)), spacing_mm
    )


def disc(shape, centre, radius, height):
    rows, columns = np.indices(shape)
    inside = (rows - centre[1]) ** 2 + (columns - centre[0]) ** 2 <= radius**2
    return np.where(inside, height, 0).astype(np.float32)


def layers(shape=(192, 192), spacing_mm=1.0, ho_mm=5.0):
    materials = (Material.CORTICAL, Material.TRABECULAR, Material.OSSIFICATION)
    middle = (shape[1] / 2, shape[0] / 2)
    bone = disc(shape, middle, 0.15 * shape[0], 6)
    ho = disc(shape, (0.7 * shape[1], 0.45 * shape[0]), 8 / spacing_mm, ho_mm)
    masks = (bone > 0).astype(np.uint8) * np.uint8(Structure.PELVIS)
    masks |= (ho > 0).astype(np.uint8) * np.uint8(Structure.OSSIFICATION)
    return Layers(
        materials,
        np.stack([bone, 3 * bone, ho]).astype(np.float16),
        masks,
        np.zeros(shape, bool),
        frame(shape, spacing_mm),
    )
