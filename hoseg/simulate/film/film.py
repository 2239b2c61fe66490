"""One simulated film: geometry once (``Layers``), intensities as often as wanted (``render``)."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.radiograph import Structure
from hoseg.simulate.body.materials import Material
from hoseg.simulate.film.collimation import (
    Collimation,
    blades,
    field_mask,
    sample_collimation,
    shutter,
)
from hoseg.simulate.film.confounders import (
    ConfounderRates,
    Confounders,
    draw_confounders,
    sample_kinds,
)
from hoseg.simulate.film.drawing import fractal_noise, oriented_noise
from hoseg.simulate.film.labels import burnt_out, hidden_metal, small_metal, visible_ossification
from hoseg.simulate.film.physics import Exposure, Signal, expose, sample_exposure, transmit
from hoseg.simulate.film.processing import Processing, process, sample_processing
from hoseg.simulate.film.soft_tissue import Body, Tissue, sample_body, soft_tissue
from hoseg.simulate.patient.layers import Layers

_MINERAL = (Material.CORTICAL, Material.TRABECULAR, Material.OSSIFICATION)
_METALS = (Material.TITANIUM, Material.COBALT_CHROME, Material.STEEL)

METAL_SEEN_MM = 0.3
"""Path in metal from which on a pixel counts as metal for the window of a film."""


@dataclass(frozen=True)
class RenderSettings:
    """What may vary between two films of the same geometry.

    confounders: how often each kind is drawn
    fluoroscopy: share of films that look like fluoroscopy (small dose, round field, raw curve)
    text: share of films with burned-in text
    soft_tissue: False leaves a plain water body (for ablations)
    randomise: False uses one exposure and one recipe for all (for ablations)
    """

    confounders: ConfounderRates = field(default_factory=ConfounderRates)
    fluoroscopy: float = 0.15
    text: float = 0.25
    soft_tissue: bool = True
    randomise: bool = True


@dataclass(frozen=True)
class Recipe:
    """How one film was made, for ``truth.json``."""

    exposure: Exposure
    processing: Processing
    collimation: Collimation
    confounders: tuple[str, ...]
    fluoroscopy: bool
    adiposity: float


@dataclass(frozen=True, eq=False)
class SimulatedFilm:
    """Pixels and exact truth on one grid.

    pixels: (H, W) uint16 in [0, 2**bits - 1]
    masks: (H, W) uint8, bits of ``Structure``; ossification only where it is visible, and no bone
        where the film is burnt out
    ignore: (H, W) uint8, the same bits where no label is given: outside the field all of them,
        ossification where it exists but cannot be seen, implant where overexposure swallows its
        outline, and where there are clips, sutures and other small metal or cement that no reader
        would call an implant for certain
    ossification: (H, W) bool, all ossification by geometry, inside the field
    sacrum: (H, W) bool, sacrum and spine (not a structure of its own, useful to a network)
    field: (H, W) bool, exposed
    spacing_mm: pixel spacing at the plane of the hip
    """

    pixels: NDArray[np.uint16]
    masks: NDArray[np.uint8]
    ignore: NDArray[np.uint8]
    ossification: NDArray[np.bool_]
    sacrum: NDArray[np.bool_]
    field: NDArray[np.bool_]
    spacing_mm: float
    recipe: Recipe


def render(
    layers: Layers, rng: np.random.Generator, settings: RenderSettings | None = None
) -> SimulatedFilm:
    """Give a geometry a body, confounders, an exposure and a vendor's processing."""
    settings = settings or RenderSettings()
    spacing_mm = layers.frame.spacing_mm
    body = sample_body(rng)
    kinds = sample_kinds(settings.confounders, rng)
    recipe = _recipe(settings, kinds, body.adiposity, rng)
    tissue = _tissue(layers, body, rng, plain=not settings.soft_tissue)
    cavity_mm = _bladder_mm(layers)
    _displace(tissue.fat_mm, cavity_mm, tissue.body_mm)
    extra = draw_confounders(layers.frame, layers.shape, kinds, rng, cavity_mm)
    materials, lengths = _lengths(layers, tissue, extra, rng)
    exposed = field_mask(recipe.collimation, layers.shape)
    if layers.known is not None and not layers.known.all():
        exposed &= layers.known
    signal = _signal(tissue.body_mm, (materials, lengths), exposed, recipe, spacing_mm, rng)
    clean = process(
        signal.total, exposed, recipe.processing, spacing_mm, _metal(materials, lengths)
    )
    pixels = shutter(clean, exposed, recipe.collimation, recipe.processing.bits)
    if rng.random() < settings.text:
        pixels = burn_text(pixels, recipe.processing.bits, rng)
    ossification = ((layers.masks & Structure.OSSIFICATION) > 0) & exposed
    visible = visible_ossification(ossification, signal, spacing_mm)
    masks, ignore = _labels(layers, visible, clean, exposed, recipe.processing, extra.loose)
    return SimulatedFilm(
        pixels, masks, ignore, ossification, layers.sacrum & exposed, exposed, spacing_mm, recipe
    )


def _tissue(layers: Layers, body: Body, rng: np.random.Generator, *, plain: bool) -> Tissue:
    """Soft tissue of a build; ``plain`` is a slab of water as thick as the body."""
    if not plain:
        return soft_tissue(layers.frame, layers.shape, body, rng)
    zero = np.zeros(layers.shape, np.float32)
    return Tissue(np.full(layers.shape, body.thickness_mm, np.float32), zero, zero)


def _signal(
    body_mm: NDArray[np.float32],
    inside: tuple[tuple[Material, ...], NDArray[np.float32]],
    exposed: NDArray[np.bool_],
    recipe: Recipe,
    spacing_mm: float,
    rng: np.random.Generator,
) -> Signal:
    """What the detector measures.

    body_mm, exposed: (H, W) thickness of the body, and the exposed field
    inside: materials and their path lengths (M, H, W)
    """
    materials, lengths = inside
    solid = np.zeros(body_mm.shape, np.float32)
    for row, material in zip(lengths, materials, strict=True):
        if material in _MINERAL:
            solid += row
    body_mm = np.maximum(body_mm, solid + np.float32(4) * (solid > 0))  # bone has skin over it
    exposure = recipe.exposure
    primary, without = (
        blades(plane, exposed, recipe.collimation, spacing_mm)
        for plane in transmit(body_mm, materials, lengths, exposure.kvp, exposure.filtration_mm_al)
    )
    return expose(primary, without, exposure, spacing_mm, rng)


def _labels(
    layers: Layers,
    visible: NDArray[np.bool_],
    clean: NDArray[np.uint16],
    exposed: NDArray[np.bool_],
    processing: Processing,
    loose: NDArray[np.bool_],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Masks and what is left open of a film, as ``SimulatedFilm`` says.

    visible, exposed, loose: (H, W) ossification that stands out, exposed field, loose metal
    clean: (H, W) the film before anything is burned into it
    """
    spacing_mm, bits = layers.frame.spacing_mm, processing.bits
    ossified = ((layers.masks & Structure.OSSIFICATION) > 0) & exposed
    implant = ((layers.masks & Structure.IMPLANT) > 0) & exposed
    blank = burnt_out(clean, exposed, bits, spacing_mm, dark_bone=processing.dark_bone)
    unclear = small_metal(implant, spacing_mm)
    unclear |= hidden_metal(implant, clean, exposed, bits, spacing_mm)
    visible = visible & ~blank
    masks = np.where(exposed, layers.masks & ~np.uint8(Structure.OSSIFICATION), 0).astype(np.uint8)
    masks[blank] &= np.uint8(Structure.IMPLANT)
    masks |= visible.astype(np.uint8) * np.uint8(Structure.OSSIFICATION)
    masks &= ~(unclear.astype(np.uint8) * np.uint8(Structure.IMPLANT))
    ignore = np.where(exposed, 0, 255).astype(np.uint8)
    ignore |= (ossified & ~visible).astype(np.uint8) * np.uint8(Structure.OSSIFICATION)
    ignore |= (unclear | (loose & ~implant)).astype(np.uint8) * np.uint8(Structure.IMPLANT)
    return masks, ignore


def _recipe(
    settings: RenderSettings, kinds: tuple[str, ...], adiposity: float, rng: np.random.Generator
) -> Recipe:
    fluoroscopy = bool(rng.random() < settings.fluoroscopy)
    if not settings.randomise:
        return Recipe(Exposure(), Processing(), Collimation(), kinds, False, adiposity)
    exposure, processing = sample_exposure(rng), sample_processing(rng)
    collimation = sample_collimation(rng, fluoroscopy=fluoroscopy)
    if fluoroscopy:
        exposure = Exposure(
            kvp=exposure.kvp,
            filtration_mm_al=exposure.filtration_mm_al,
            photons=float(np.exp(rng.uniform(np.log(1e3), np.log(3e4)))),
            scatter_ratio=exposure.scatter_ratio * 1.5,
            scatter_blur_mm=exposure.scatter_blur_mm,
            heel=0.5 * exposure.heel,
            blur_mm=float(rng.uniform(0.3, 1.0)),
        )
        processing = Processing(
            compression=float(rng.uniform(0.45, 1.0)),
            detail=(float(rng.uniform(0.8, 2.0)), 1.0, 1.0),
            window=(float(rng.uniform(0.5, 30.0)), float(rng.uniform(98.5, 99.95))),
            curve=str(rng.choice(["linear", "gamma", "sigmoid"])),
            strength=float(rng.uniform(0, 1)),
            bits=8,
            dark_bone=bool(rng.random() < 0.5),
        )
    return Recipe(exposure, processing, collimation, kinds, fluoroscopy, adiposity)


def _lengths(
    layers: Layers, tissue: Tissue, extra: Confounders, rng: np.random.Generator
) -> tuple[tuple[Material, ...], NDArray[np.float32]]:
    """Materials and path lengths of this film: bone density and texture, tissue, confounders."""
    added = {
        Material.FAT: tissue.fat_mm,
        Material.AIR: tissue.gas_mm,
        Material.CORTICAL: extra.calcium_mm,
        Material.STEEL: extra.metal_mm,
        Material.CEMENT: extra.cement_mm,
    }
    added = {material: layer for material, layer in added.items() if layer.any()}
    materials, lengths = layers.stack(tuple(added))
    density = np.float32(rng.uniform(0.75, 1.2))
    grown = np.float32(rng.uniform(0.8, 1.4))
    for row, material in zip(lengths, materials, strict=True):
        if material is Material.CORTICAL:
            row *= density
        elif material is Material.TRABECULAR:
            row *= density * _trabeculae(layers, rng)
        elif material is Material.OSSIFICATION:
            row *= grown * _mineral(layers, rng)
        if material in added:
            row += added[material]
    return materials, lengths


def _metal(materials: tuple[Material, ...], lengths: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where (H, W) a ray passes through metal."""
    metal = np.zeros(lengths.shape[1:], bool)
    for row, material in zip(lengths, materials, strict=True):
        if material in _METALS:
            metal |= row > METAL_SEEN_MM
    return metal


def _bladder_mm(layers: Layers) -> NDArray[np.float32]:
    """Length (H, W) of each ray in urine."""
    if Material.URINE not in layers.materials:
        return np.zeros(layers.shape, np.float32)
    urine = layers.lengths_mm[layers.materials.index(Material.URINE)]
    return urine.astype(np.float32, copy=False)


def _displace(
    fat_mm: NDArray[np.float32], cavity_mm: NDArray[np.float32], body_mm: NDArray[np.float32]
) -> None:
    """Take the fat away where a cavity has displaced it (all (H, W), mm)."""
    rows, columns = (np.flatnonzero(cavity_mm.any(axis=axis)) for axis in (1, 0))
    if len(rows):
        box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        share = cavity_mm[box] / np.maximum(body_mm[box], 1)
        fat_mm[box] *= 1 - np.minimum(share, 1)


def _mineral(layers: Layers, rng: np.random.Generator) -> NDArray[np.float32]:
    """Factor on ossification: unevenly mineralised."""
    noise = fractal_noise(layers.shape, rng.uniform(2, 6) / layers.frame.spacing_mm, rng, 2)
    return np.clip(1 + np.float32(rng.uniform(0.05, 0.35)) * noise, 0.2, 2)


def _trabeculae(layers: Layers, rng: np.random.Generator) -> NDArray[np.float32]:
    """Factor on trabecular bone: patches, and struts along two crossing directions."""
    spacing = layers.frame.spacing_mm
    patches = fractal_noise(layers.shape, rng.uniform(8, 30) / spacing, rng, 2)
    factor = 1 + np.float32(rng.uniform(0.0, 0.1)) * patches
    down = float(np.arctan2(-layers.frame.feet[0], layers.frame.feet[1]))
    strength = rng.uniform(0.01, 0.1)
    for turn in (rng.uniform(-0.7, -0.1), rng.uniform(0.1, 0.9)):
        grain = (rng.uniform(3, 9) / spacing, rng.uniform(0.8, 1.6) / spacing)
        factor += np.float32(strength) * oriented_noise(layers.shape, grain, down + turn, rng)
    return np.maximum(factor, np.float32(0.2))


_WORDS = ("AP", "PELVIS", "HIP", "STANDING", "SUPINE", "PORTABLE", "L", "R", "LEFT", "RIGHT", "XR")


def burn_text(
    pixels: NDArray[np.uint16], bits: int, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Text burned into the pixels near an edge, in full white or black."""
    height, width = pixels.shape
    canvas = np.zeros(pixels.shape, np.uint8)
    face, scale = cv2.FONT_HERSHEY_SIMPLEX, height / 384 * rng.uniform(0.35, 1.1)
    thickness = max(1, round(1.4 * scale))
    for _ in range(int(rng.integers(1, 4))):
        word = str(rng.choice(_WORDS))
        if rng.random() < 0.35:
            word = f"{rng.integers(0, 24):02d}:{rng.integers(0, 60):02d}"
        along = int(rng.uniform(0.02, 0.8) * width)
        near = rng.uniform(0.04, 0.14)
        down = int((near if rng.random() < 0.5 else 1 - near + 0.03) * height)
        (wide, high), below = cv2.getTextSize(word, face, scale, thickness)
        if not canvas[max(0, down - high) : down + below, along : along + wide].any():
            cv2.putText(canvas, word, (along, down), face, scale, 255, thickness, cv2.LINE_AA)
    ink = 0 if rng.random() < 0.2 else 2**bits - 1
    share = canvas.astype(np.float32) / np.float32(255)
    return np.asarray(pixels * (1 - share) + ink * share + np.float32(0.5), np.uint16)
