"""Findings of an upright film, on the pixels of the stored one that was turned to be read."""

from __future__ import annotations

from hoseg.grade.finding import Component, HipFinding, Landmarks
from hoseg.imaging.turn import Turn


def on_stored_pixels(finding: HipFinding, turn: Turn, column_ratio: float = 1.0) -> HipFinding:
    """The same finding with every point where it lies on the stored picture.

    column_ratio: distance between the columns of the upright film, as a multiple of that of the
        stored one; lengths in pixels are counted in columns
    """
    if turn.quarters == 0:
        return finding
    ends = finding.gap_points_px
    return finding.model_copy(
        update={
            "gap_points_px": None if ends is None else tuple(turn.point_back(end) for end in ends),
            "gap_px": None if finding.gap_px is None else finding.gap_px * column_ratio,
            "components": tuple(_component(c, turn, column_ratio) for c in finding.components),
            "landmarks": _landmarks(finding.landmarks, turn, column_ratio),
        }
    )


def _component(component: Component, turn: Turn, column_ratio: float) -> Component:
    box, middle = component.bbox_px, component.centroid_px
    changes: dict[str, object] = {"length_px": component.length_px * column_ratio}
    if box is not None:
        changes["bbox_px"] = tuple(int(edge) for edge in turn.box_back(box))
    if middle is not None:
        changes["centroid_px"] = turn.point_back(middle)
    return component.model_copy(update=changes)


def _landmarks(landmarks: Landmarks, turn: Turn, column_ratio: float) -> Landmarks:
    changes: dict[str, object] = {}
    for name in ("head_px", "trochanter_tip_px", "lesser_trochanter_px", "acetabular_margin_px"):
        point = getattr(landmarks, name)
        if point is not None:
            changes[name] = turn.point_back(point)
    if landmarks.shaft_axis is not None:
        changes["shaft_axis"] = turn.vector_back(landmarks.shaft_axis)
    if landmarks.head_radius_px is not None:
        changes["head_radius_px"] = landmarks.head_radius_px * column_ratio
    return landmarks.model_copy(update=changes)
