"""What looks like ossification, or hides it, and is not: calcium, metal, plastic, contrast.

Nothing drawn here is labelled. Places are (lateral, towards feet) in mm from a femoral head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError
from hoseg.simulate.body.frame import BodyFrame
from hoseg.simulate.film import calcifications, hardware
from hoseg.simulate.film.drawing import fractal_noise
from hoseg.simulate.film.sheet import Sheet


@dataclass(frozen=True)
class ConfounderRates:
    """Probability that a film shows each kind at least once."""

    phleboliths: float = 0.35
    avulsed_fragment: float = 0.10
    vascular: float = 0.15
    tendon: float = 0.10
    lymph_node: float = 0.08
    granuloma: float = 0.08
    cement_crumbs: float = 0.04
    drain: float = 0.06
    ecg_lead: float = 0.04
    button: float = 0.05
    zip: float = 0.03
    coin: float = 0.02
    bladder_contrast: float = 0.04
    staples: float = 0.06
    sutures: float = 0.03
    loose_wire: float = 0.04
    clips: float = 0.08
    ruler: float = 0.04
    side_marker: float = 0.45
    stone: float = 0.03

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not 0 <= value <= 1:
                raise SettingError(entry.name, value, "a probability in [0, 1]")


@dataclass(frozen=True, eq=False)
class Confounders:
    """Path lengths to add (mm), each (H, W) float32, and the kinds that were drawn.

    loose: (H, W) bool, metal and cement that surgery left in the patient: no implant, but no
        error either if it is called one
    """

    calcium_mm: NDArray[np.float32]
    metal_mm: NDArray[np.float32]
    cement_mm: NDArray[np.float32]
    loose: NDArray[np.bool_]
    kinds: tuple[str, ...]


_LOOSE = ("cement_crumbs", "clips", "loose_wire", "sutures")

_PAINTERS: dict[str, Callable[[Sheet], None]] = {
    "phleboliths": calcifications.phleboliths,
    "avulsed_fragment": calcifications.avulsed_fragment,
    "vascular": calcifications.vascular,
    "tendon": calcifications.tendon,
    "lymph_node": calcifications.lymph_node,
    "granuloma": calcifications.granuloma,
    "cement_crumbs": hardware.cement_crumbs,
    "drain": hardware.drain,
    "ecg_lead": hardware.ecg_lead,
    "button": hardware.button,
    "zip": hardware.zip_fastener,
    "coin": hardware.coin,
    "bladder_contrast": hardware.bladder_contrast,
    "staples": hardware.staples,
    "sutures": hardware.sutures,
    "loose_wire": hardware.loose_wire,
    "clips": hardware.clips,
    "ruler": hardware.ruler,
    "side_marker": hardware.side_marker,
    "stone": calcifications.stone,
}


def sample_kinds(rates: ConfounderRates, rng: np.random.Generator) -> tuple[str, ...]:
    """Which kinds this film shows."""
    names = [entry.name for entry in fields(rates)]
    shown = rng.random(len(names)) < [getattr(rates, name) for name in names]
    return tuple(name for name, wanted in zip(names, shown, strict=True) if wanted)


def draw_confounders(
    frame: BodyFrame,
    shape: tuple[int, int],
    kinds: tuple[str, ...],
    rng: np.random.Generator,
    bladder_mm: NDArray[np.float32] | None = None,
) -> Confounders:
    """Draw ``kinds`` on a film of ``shape`` pixels.

    bladder_mm: (H, W) length of each ray in the bladder, which contrast medium fills
    """
    sheet = Sheet(frame, shape, rng, bladder_mm)
    loose = np.zeros(shape, bool)
    for kind in kinds:
        if kind not in _PAINTERS:
            raise SettingError("confounder", kind, "one of " + ", ".join(sorted(_PAINTERS)))
        sheet.sign = -1.0 if rng.random() < 0.5 else 1.0
        before = sheet.metal + sheet.cement if kind in _LOOSE else None
        _PAINTERS[kind](sheet)
        if before is not None:
            loose |= sheet.metal + sheet.cement > before
    if sheet.calcium.any():
        grain = fractal_noise(shape, 3.0 / frame.spacing_mm, rng, 2)
        sheet.calcium *= np.clip(1 + 0.3 * grain, 0.3, 1.8)
    return Confounders(
        np.maximum(sheet.calcium, 0), np.maximum(sheet.metal, 0), sheet.cement, loose, tuple(kinds)
    )
