"""Put one hip's measurements into a finding: classes, probabilities, abstentions, components."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoseg.grade.abstain import Abstention, abstention, check_hip
from hoseg.grade.bones import Bones
from hoseg.grade.classify import Classification, classify
from hoseg.grade.contacts import Contacts
from hoseg.grade.finding import Component, Grade, HipFinding, Landmarks, Point
from hoseg.grade.frame import find_sites
from hoseg.grade.hips import Hip
from hoseg.grade.maturity import cortex_level, maturity, relative_density
from hoseg.grade.measure import Measured, Quantities, measure
from hoseg.grade.ossification import Ossification, Speck
from hoseg.grade.rules import BROOKER, SYSTEMS, UNDECIDED, decide
from hoseg.grade.settings import GradeSettings
from hoseg.grade.surfaces import FAR_MM, BoneSurfaces
from hoseg.grade.uncertainty import Draws, hide_lengths
from hoseg.radiograph import Geometry, Side, View

DERIVABLE = tuple(system for system in SYSTEMS if not system.needs)
WORST = int(BROOKER.rules[0].grade)
"""At least the worst class is that class: what is not seen can make it no worse."""
NOT_DERIVABLE = {system.name: system.needs for system in SYSTEMS if system.needs}


@dataclass(frozen=True, eq=False)
class Context:
    """What all hips of an image share."""

    bones: Bones
    geometry: Geometry
    image: NDArray[np.generic] | None
    settings: GradeSettings

    @property
    def spacing_source(self) -> str:
        """Where millimetres come from."""
        spacing = self.geometry.spacing
        return "none" if spacing is None else spacing.source.value


@dataclass(frozen=True, eq=False)
class HipCase:
    """One hip, measured.

    shown: what touches what on the film, every contact counted
    contacts: without contacts that are superimposition, and what is not about the hip without them
    excluded: ossifications that were not graded, with a code why
    side: and where it comes from
    """

    hip: Hip
    around: BoneSurfaces
    shown: Contacts
    contacts: Contacts
    measured: Measured
    draws: Draws | None
    excluded: tuple[tuple[Ossification, str], ...]
    specks: tuple[Speck, ...]
    side: tuple[Side, str]


def write_finding(context: Context, case: HipCase) -> HipFinding:
    """The finding of one hip, without words: the probabilities may still change."""
    quantities = case.measured.quantities
    if not context.bones.calibrated:
        hidden = hide_lengths(quantities.arrays())
        quantities = Quantities(**{name: float(value[0]) for name, value in hidden.items()})
    found, probabilities = _classifications(context, case, quantities), _probabilities(case.draws)
    brooker = found[0].grade
    why = check_hip(context.bones, case.hip, case.around)
    partly: tuple[str, ...] = ()
    if why is not None and _at_least(case, brooker) == WORST:
        partly, why = (why.code,), None
    if why is not None:
        found = [replace(classification, grade=None) for classification in found]
        probabilities = {}
    elif brooker is None:
        why = abstention("no_calibration")
    gap = case.measured.gap
    calibrated = context.bones.calibrated and np.isfinite(gap.mm)
    interval = case.draws.gap_interval_mm() if case.draws is not None and calibrated else None
    return HipFinding(
        side=case.side[0],
        side_source=case.side[1],
        view=context.geometry.view,
        classes={c.system: c.grade for c in found},
        class_probabilities=probabilities,
        counterfactuals={c.system: c.counterfactual for c in found if c.counterfactual},
        trace=tuple(line for c in found for line in c.trace),
        not_derivable=NOT_DERIVABLE,
        pattern=case.measured.pattern,
        spurs_on=case.measured.spurs_on,
        extent={"none": "none", "bridge": "bridging"}.get(case.measured.pattern, "focal"),
        gap_mm=gap.mm if calibrated else None,
        gap_px=gap.mm / float(context.bones.mm[1]) if np.isfinite(gap.mm) else None,
        gap_interval_mm=interval,
        gap_points_px=gap.ends_px,
        filled_fraction=_known(quantities.filled_fraction),
        spacing_source=context.spacing_source,
        components=_components(context, case),
        landmarks=_landmarks(context.bones, case),
        brooker_every_contact=None if why is not None else _every_contact(context, case, brooker),
        abstained=None if why is None else why.code,
        abstained_because="" if why is None else why.text,
        at_least=None if why is None else _at_least(case, brooker),
        provisional=(*_provisional(context.geometry.view), *partly),
        settings=context.settings,
    )


def write_nothing(context: Context, why: Abstention, side: Side) -> HipFinding:
    """The finding of a picture without a hip."""
    return HipFinding(
        side=side,
        side_source="unknown" if side is Side.UNKNOWN else "given",
        view=context.geometry.view,
        classes=dict.fromkeys(system.name for system in DERIVABLE),
        not_derivable=NOT_DERIVABLE,
        pattern="none",
        extent="none",
        spacing_source=context.spacing_source,
        abstained=why.code,
        abstained_because=why.text,
        provisional=_provisional(context.geometry.view),
        settings=context.settings,
    )


def _classifications(
    context: Context, case: HipCase, quantities: Quantities
) -> list[Classification]:
    """The class in every system that one view can give; Brooker first."""
    tolerance = context.settings.attach_mm
    # Where ossification lies over a bone without hanging on it, a distance would tell nothing.
    contact = np.inf
    nothing_over_bone = case.contacts.items and not case.shown.superimposed.any()
    if context.bones.calibrated and nothing_over_bone and not quantities.bridges:
        nearest_mm = float(case.contacts.contact_mm.min())
        contact = case.contacts.bridge_mm if quantities.spurs else nearest_mm
        contact = contact if contact < FAR_MM else np.inf
    return [classify(system, quantities, (contact, tolerance)) for system in DERIVABLE]


def _probabilities(draws: Draws | None) -> dict[str, tuple[float, ...] | dict[str, float]]:
    """P(class) in every system, as a finding holds them."""
    if draws is None:
        return {}
    found = {system.name: dict(draws.probabilities(system)) for system in DERIVABLE}
    by_index = tuple(found.pop(BROOKER.name).values())
    others = {
        name: {str(grade): p for grade, p in chances.items()} for name, chances in found.items()
    }
    return {BROOKER.name: by_index, **others}


def _every_contact(context: Context, case: HipCase, brooker: Grade | None) -> int | None:
    """The class if every contact on the film counted; None where all do, or none can be said."""
    if brooker is None or not _superimposed(case).any():
        return None
    measured = measure(case.shown, case.around, context.settings.attach_mm)
    arrays = measured.quantities.arrays()
    index = int(decide(BROOKER, arrays if context.bones.calibrated else hide_lengths(arrays))[0])
    return None if index == UNDECIDED else int(BROOKER.rules[index].grade)


def _superimposed(case: HipCase) -> NDArray[np.bool_]:
    """(n, 2) contacts of ``case.shown`` with the pelvis, the femur that do not count."""
    touching = case.shown.contact_mm <= case.around.settings.attach_mm
    return np.asarray(touching & case.shown.superimposed)


def _at_least(case: HipCase, brooker: Grade | None) -> int | None:
    """The class that the visible part alone makes certain; None where it says nothing."""
    if case.hip.head is None:
        return 1 if case.contacts.items else None
    if brooker is None:  # a spur whose gap is not known in mm
        return int(BROOKER.rules[2].grade) if case.measured.quantities.spurs else None
    return int(brooker) or None


def _provisional(view: View) -> tuple[str, ...]:
    """Why a view makes the class provisional: Brooker is defined on the AP view."""
    if view.is_ap:
        return ()
    return ("view_unknown",) if view is View.UNKNOWN else ("view_not_ap",)


def _components(context: Context, case: HipCase) -> tuple[Component, ...]:
    bones, contacts = context.bones, case.contacts
    tolerance = context.settings.attach_mm
    cortex = np.nan
    if context.image is not None and contacts.items:
        cortex = cortex_level(context.image, bones, case.hip)
    lesions = case.measured.touching.lesions
    result = []
    for i, item in enumerate(contacts.items):
        touching = contacts.contact_mm[i] <= tolerance
        density = None
        if context.image is not None:
            density = relative_density(context.image, item, bones, cortex)
        result.append(
            _component(
                context,
                case,
                item,
                attached_to=_bones(touching),
                distance_to_pelvis_mm=_length(contacts.to_pelvis[i], bones),
                distance_to_femur_mm=_length(contacts.to_femur[i], bones),
                lesion=lesions[i],
                relative_density=density,
                maturity=maturity(density, item.length_mm),
            )
        )
    for item, code in case.excluded:
        result.append(_component(context, case, item, graded=False, excluded=code))
    return (*result, *(_speck(speck, bones) for speck in case.specks))


def _bones(which: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, some in zip(("pelvis", "femur"), which, strict=True) if some)


def _component(context: Context, case: HipCase, item: Ossification, **more: Any) -> Component:
    """A component, and ``more`` of it that is known of some only."""
    bones = context.bones
    superimposed = np.zeros(2, bool)
    if item in case.shown.items:
        superimposed = _superimposed(case)[case.shown.items.index(item)]
    centroid = item.middle_mm / bones.mm
    return Component(
        area_mm2=item.area_mm2 if bones.calibrated else None,
        length_mm=_length(item.length_mm, bones),
        sites=find_sites(item.pixels_mm, case.around.frame),
        bbox_px=item.bbox_px,
        area_px=item.area_px,
        length_px=item.length_mm / float(bones.mm[1]),
        centroid_px=(float(centroid[0]), float(centroid[1])),
        overlap_pelvis=item.shares_over[0],
        overlap_femur=item.shares_over[1],
        superimposed_on=_bones(superimposed),
        **more,
    )


def _speck(speck: Speck, bones: Bones) -> Component:
    row0, column0, row1, column1 = speck.bbox_px
    length_px = float(np.hypot((row1 - row0) * bones.mm[0] / bones.mm[1], column1 - column0))
    return Component(
        area_mm2=speck.area_px * float(bones.mm.prod()) if bones.calibrated else None,
        length_mm=_length(length_px * bones.mm[1], bones),
        bbox_px=speck.bbox_px,
        area_px=speck.area_px,
        length_px=length_px,
        centroid_px=(float(speck.centroid_px[0]), float(speck.centroid_px[1])),
        graded=False,
        excluded="below_size_floor",
    )


def _landmarks(bones: Bones, case: HipCase) -> Landmarks:
    frame, head = case.around.frame, case.hip.head
    return Landmarks(
        head_px=None if head is None else _pixel(head.centre, bones),
        head_radius_px=None if head is None else head.radius / float(bones.mm[1]),
        head_radius_mm=None if head is None else _length(head.radius, bones),
        head_source=case.hip.head_source,
        trochanter_tip_px=_pixel(frame.trochanter, bones),
        lesser_trochanter_px=_pixel(frame.lesser, bones),
        acetabular_margin_px=_pixel(frame.margin, bones),
        shaft_axis=(float(frame.distal[0]), float(frame.distal[1])),
    )


def _pixel(point_mm: NDArray[np.float64] | None, bones: Bones) -> Point | None:
    if point_mm is None:
        return None
    row, column = point_mm / bones.mm
    return float(row), float(column)


def _length(value_mm: float, bones: Bones) -> float | None:
    return float(value_mm) if bones.calibrated and value_mm < FAR_MM else None


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
