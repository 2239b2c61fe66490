"""What a reader should know about a finding before trusting it."""

from __future__ import annotations

from collections.abc import Callable

from hoseg.grade.finding import HipFinding
from hoseg.grade.summary import likely_classes
from hoseg.grade.verdicts import grade_name
from hoseg.radiograph import Note, Side, SpacingSource

SMALL_HEAD_MM = 16.0
"""Adult heads have radii of 20-29 mm; below this the bones are a child's or the scale is wrong."""
NEAR_MM = 10.0
MUCH_LIKELIER = 0.2
"""A class is much likelier than another when its probability is this much higher."""

_ASSUMED = (SpacingSource.ASSUMED_MAGNIFICATION.value, SpacingSource.UNTYPED.value)


def find_caveats(finding: HipFinding) -> tuple[Note, ...]:
    """All caveats that apply, most important first."""
    notes = []
    for code, applies in _CHECKS:
        text = applies(finding)
        if text:
            notes.append(Note(code, text))
    return tuple(notes)


def _bridge(finding: HipFinding) -> str:
    if finding.pattern != "bridge":
        return ""
    return (
        "one view cannot tell a bridge from superimposition; most hips read as bridged in one "
        "series still moved: consider a lateral view or CT"
    )


def _overlap(finding: HipFinding) -> str:
    over = {
        bone
        for component in finding.components
        for bone, share in (
            ("pelvis", component.overlap_pelvis),
            ("femur", component.overlap_femur),
        )
        if component.graded and bone in component.attached_to and share > 0.02
    }
    if not over:
        return ""
    bones = " and ".join(sorted(over, reverse=True))
    return f"an ossification lies over the {bones}: contact there may be superimposition"


def _superimposed(finding: HipFinding) -> str:
    found = {bone for component in finding.components for bone in component.superimposed_on}
    if not found:
        return ""
    bones = " and ".join(sorted(found, reverse=True))
    text = (
        f"ossification touches the {bones} on the film and was read as superimposed: "
        "that contact does not count"
    )
    if finding.every_contact is None or finding.every_contact == finding.brooker:
        return text
    return f"{text}; if it did, the class would be {grade_name('brooker', finding.every_contact)}"


def _two_classes(finding: HipFinding) -> str:
    names = [grade_name("brooker", grade) for grade in likely_classes(finding)]
    if len(names) < 2:
        return ""
    how_many = "both" if len(names) == 2 else "all"
    return f"{', '.join(names[:-1])} and {names[-1]} are {how_many} likely"


def _other_class(finding: HipFinding) -> str:
    """A calibrated model finds another class much likelier than the one the rules give."""
    verdict = finding.verdict("brooker")
    if finding.chances_from != "model" or verdict is None or verdict.grade is None:
        return ""
    chances = dict(verdict.probabilities)
    likeliest = max(chances, key=chances.__getitem__)
    if chances[likeliest] - chances[verdict.grade] < MUCH_LIKELIER:
        return ""
    read, turned_out = (grade_name("brooker", grade) for grade in (verdict.grade, likeliest))
    why = "superimposed bone" if int(likeliest) < int(verdict.grade) else "faint bone"
    return (
        f"the rules give {read}, but of simulated hips that looked like this more were "
        f"{turned_out} ({chances[likeliest]:.0%} against {chances[verdict.grade]:.0%}): "
        f"{why} reads as it does here"
    )


def _large_island(finding: HipFinding) -> str:
    for component in finding.components:
        near = (component.distance_to_pelvis_mm, component.distance_to_femur_mm)
        free = component.graded and not component.attached_to
        if free and all(d is not None and d < NEAR_MM for d in near):
            return (
                f"a free island lies within {NEAR_MM:.0f} mm of both bones: Brooker counts it as "
                "I whatever its size, Della Valle by its length"
            )
    return ""


def _not_graded(finding: HipFinding) -> str:
    codes = [component.excluded for component in finding.components if not component.graded]
    if not codes:
        return ""
    parts = [f"{codes.count(code)} {code.replace('_', ' ')}" for code in sorted(set(codes))]
    return f"reported but not graded: {', '.join(parts)}"


def _side(finding: HipFinding) -> str:
    if finding.side is Side.UNKNOWN:
        return "the side is not known"
    if finding.side_source == "assumed":
        return "the side assumes the usual display, patient's left on the viewer's right"
    return ""


def _scale(finding: HipFinding) -> str:
    if finding.spacing_source == "none":
        return "no calibration: pixels only, no rule in millimetres can fire"
    if finding.spacing_source in _ASSUMED:
        return "millimetres rest on an assumed magnification"
    return ""


def _small_head(finding: HipFinding) -> str:
    radius = finding.landmarks.head_radius_mm
    if radius is None or radius >= SMALL_HEAD_MM or finding.landmarks.head_source != "femur":
        return ""
    return (
        f"the head's radius is {radius:.0f} mm: a growing hip, or a wrong scale; the rules are "
        "for adults"
    )


def _landmarks(finding: HipFinding) -> str:
    if finding.abstained is not None or finding.landmarks.trochanter_tip_px is not None:
        return ""
    return "the tip of the greater trochanter was not found: its classes are left out"


def _view(finding: HipFinding) -> str:
    if "view_not_ap" in finding.provisional:
        return f"Brooker is defined on the AP view; this is {finding.view.value}"
    return ""


_CHECKS: tuple[tuple[str, Callable[[HipFinding], str]], ...] = (
    ("bridge_or_superimposition", _bridge),
    ("contact_by_overlap", _overlap),
    ("superimposed", _superimposed),
    ("two_classes_likely", _two_classes),
    ("other_class_likelier", _other_class),
    ("view_not_ap", _view),
    ("large_island", _large_island),
    ("scale", _scale),
    ("small_head", _small_head),
    ("side", _side),
    ("trochanter_not_found", _landmarks),
    ("not_graded", _not_graded),
)
