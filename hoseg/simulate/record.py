"""``truth.json``: everything that is known about a simulated film, as plain JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoseg.grade import HipFinding
from hoseg.radiograph import Side, Structure
from hoseg.simulate.body.projector import Camera
from hoseg.simulate.film.film import SimulatedFilm
from hoseg.simulate.patient.layers import Layers
from hoseg.simulate.patient.scene import HipScene, Scene
from hoseg.words import RESEARCH_USE

VERSION = 1


def film_record(
    scene: Scene,
    camera: Camera,
    layers: Layers,
    film: SimulatedFilm,
    findings: tuple[HipFinding, ...],
) -> dict[str, Any]:
    """The truth about one film.

    ``hips[].brooker_3d`` is the class by construction, ``brooker_2d`` what grading reads from
    the visible masks; superimposition and visibility make them differ.
    """
    return {
        "version": VERSION,
        "notice": f"Simulated image. {RESEARCH_USE}",
        "view": scene.view.value,
        "side": scene.centred.value,
        "orientation": {"columns": Side.LEFT.value, "rows_to_feet": True},
        "shape": list(film.masks.shape),
        "spacing_mm": film.spacing_mm,
        "magnification": magnification(scene, camera),
        "source_detector_mm": camera.source_detector_mm,
        "pose": _plain(asdict(scene.pose)),
        "hips": [hip_record(hip, camera, film, findings) for hip in scene.hips],
        "grading": [finding.model_dump(mode="json") for finding in findings],
        "areas_mm2": areas(film, layers),
        "bladder_ml": _plain(scene.bladder.volume_ml),
        "extras": sorted(part.name for part in scene.extras),
        "confounders": list(film.recipe.confounders),
        "rendering": _plain(asdict(film.recipe)),
    }


def magnification(scene: Scene, camera: Camera) -> float:
    """Magnification at the mean depth of the femoral heads."""
    depth = np.mean([hip.head[1] for hip in scene.skeleton.hips])
    return float(camera.magnification(float(depth)))


def finding_of(side: Side, findings: tuple[HipFinding, ...]) -> HipFinding | None:
    """The finding of one side."""
    return next((finding for finding in findings if finding.side is side), None)


def hip_record(
    hip: HipScene, camera: Camera, film: SimulatedFilm, findings: tuple[HipFinding, ...]
) -> dict[str, Any]:
    """The truth about one hip."""
    finding = finding_of(hip.hip.side, findings)
    growth = hip.growth
    ends = growth.gap_ends_mm
    return {
        "side": hip.hip.side.value,
        "on_film": on_film(hip, camera, film),
        "brooker_3d": growth.brooker,
        "brooker_2d": None if finding is None else finding.brooker,
        "gap_3d_mm": growth.gap_mm,
        "gap_2d_mm": None if finding is None else finding.gap_mm,
        "gap_ends_px": None if ends is None else _plain(camera.to_pixels(np.array(ends))),
        "site": hip.site,
        "implant": hip.implant,
        "implant_parts": [
            {"name": part.name, "material": part.material.name.lower()} for part in hip.parts
        ],
        "osteophytes": len(hip.osteophytes),
        "bone_islands": len(hip.bone_islands),
        "trochanteric_nonunion_gap_mm": None
        if hip.nonunion is None
        else _plain(hip.nonunion.gap_mm),
        "head_px": _plain(camera.to_pixels(hip.hip.head[None])[0]),
        "head_radius_mm": float(hip.hip.radius),
        "trochanter_px": _plain(camera.to_pixels(hip.hip.trochanter[None])[0]),
        "lesser_trochanter_px": _plain(camera.to_pixels(hip.hip.lesser[None])[0]),
        "components": [
            {
                "kind": piece.kind,
                "site": piece.site,
                "attached_to": list(piece.attached),
                "maturity": float(piece.maturity),
                "volume_mm3": float(piece.mesh.volume_mm3),
                "centroid_px": _plain(camera.to_pixels(piece.mesh.vertices.mean(axis=0)[None])[0]),
            }
            for piece in growth.ossifications
        ],
    }


def on_film(hip: HipScene, camera: Camera, film: SimulatedFilm) -> bool:
    """Whether the femoral head and the greater trochanter lie inside the exposed field."""
    points = np.array([hip.hip.head, hip.hip.trochanter])
    rows, columns = np.round(camera.to_pixels(points)).astype(int).T
    height, width = film.field.shape
    if rows.min() < 0 or columns.min() < 0 or rows.max() >= height or columns.max() >= width:
        return False
    return bool(film.field[rows, columns].all())


def areas(film: SimulatedFilm, layers: Layers) -> dict[str, float]:
    """Area of each structure inside the field, and of ossification off bone and unseen (mm^2)."""
    pixel = film.spacing_mm**2
    result = {
        name.lower(): float(((film.masks & bit) > 0).sum() * pixel)
        for name, bit in Structure.__members__.items()
    }
    visible = (film.masks & np.uint8(Structure.OSSIFICATION)) > 0
    bone = (layers.masks & np.uint8(Structure.PELVIS | Structure.FEMUR)) > 0
    bone |= layers.sacrum
    result["ossification_by_geometry"] = float(film.ossification.sum() * pixel)
    result["ossification_over_bone"] = float((visible & bone).sum() * pixel)
    return result


def _plain(value: Any) -> Any:
    """Numpy values and containers as JSON understands them; numbers to a micrometre."""
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (float, np.floating)):
        return round(float(value), 6)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def visible_ossification_mm2(film: SimulatedFilm) -> float:
    """Area of labelled ossification."""
    mask: NDArray[np.bool_] = (film.masks & np.uint8(Structure.OSSIFICATION)) > 0
    return float(mask.sum() * film.spacing_mm**2)
