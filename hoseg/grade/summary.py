"""A finding in words: one sentence for a reader, and what to know before trusting it."""

from __future__ import annotations

from collections.abc import Callable

from hoseg.grade.classify import grade_name
from hoseg.grade.finding import HipFinding
from hoseg.grade.hips import CONTRADICTED
from hoseg.radiograph import Note, Side, SpacingSource

LIKELY = 0.2
"""A class with this probability is named beside the most likely one."""
SMALL_HEAD_MM = 16.0
"""Adult heads have radii of 20-29 mm; below this the bones are a child's or the scale is wrong."""
NEAR_MM = 10.0
MUCH_LIKELIER = 0.2
"""A class is much likelier than another when its probability is this much higher."""

_ASSUMED = (SpacingSource.ASSUMED_MAGNIFICATION.value, SpacingSource.UNTYPED.value)


def worded(finding: HipFinding) -> HipFinding:
    """The same finding with its caveats and its summary."""
    words = {"caveats": find_caveats(finding), "summary": summarise(finding)}
    return finding.model_copy(update=words)


def likely_classes(finding: HipFinding) -> tuple[int, ...]:
    """Brooker classes worth naming, mildest first: the class found, and every likely one."""
    if finding.brooker is None:
        return ()
    likely = {k for k, p in enumerate(finding.brooker_probabilities) if p >= LIKELY}
    return tuple(sorted(likely | {finding.brooker}))


def summarise(finding: HipFinding) -> str:
    """E.g. "II or III: gap 9.6 mm (8.9-10.4)"."""
    basis = _basis(finding)
    if finding.abstained is not None:
        floor = ""
        if finding.at_least is not None:
            floor = f"; at least {grade_name('brooker', finding.at_least)} from what is visible"
        return f"not graded ({finding.abstained}): {finding.abstained_because}{floor}"
    names = " or ".join(grade_name("brooker", grade) for grade in likely_classes(finding))
    if finding.brooker_every_contact not in (None, finding.brooker):
        other = grade_name("brooker", finding.brooker_every_contact)
        basis += f"; {other} with superimposed contacts counted"
    return f"{names}: {basis}" + (" (provisional)" if finding.provisional else "")


def _basis(finding: HipFinding) -> str:
    if finding.pattern == "none":
        return "no ossification"
    if finding.pattern == "bridge":
        return "ossification joins pelvis and femur (or is superimposed)"
    if finding.gap_mm is not None:
        interval = finding.gap_interval_mm
        spread = "" if interval is None else f" ({interval[0]:.1f}-{interval[1]:.1f})"
        return f"gap {finding.gap_mm:.1f} mm{spread}"
    if finding.pattern == "islands":
        lengths = [c.length_mm for c in finding.components if c.graded and c.length_mm is not None]
        size = f", the longest {max(lengths):.0f} mm" if lengths else ""
        count = sum(component.graded for component in finding.components)
        return f"{count} island{'s' if count > 1 else ''}{size}"
    return "a spur without an opposing surface"


def find_caveats(finding: HipFinding) -> tuple[Note, ...]:
    """All caveats that apply, most important first; none where there was no hip to look at."""
    if not finding.trace:
        return ()
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
    every = finding.brooker_every_contact
    if every in (None, finding.brooker):
        return text
    return f"{text}; if it did, the class would be {grade_name('brooker', every)}"


def _two_classes(finding: HipFinding) -> str:
    names = [grade_name("brooker", grade) for grade in likely_classes(finding)]
    if len(names) < 2:
        return ""
    how_many = "both" if len(names) == 2 else "all"
    return f"{', '.join(names[:-1])} and {names[-1]} are {how_many} likely"


def _other_class(finding: HipFinding) -> str:
    """A calibrated model finds another class much likelier than the one the rules give."""
    read, chances = finding.brooker, finding.brooker_probabilities
    if finding.class_probabilities_from != "model" or read is None:
        return ""
    likeliest = chances.index(max(chances))
    if chances[likeliest] - chances[read] < MUCH_LIKELIER:
        return ""
    why = "superimposed bone" if likeliest < read else "faint bone"
    return (
        f"the rules give {grade_name('brooker', read)}, but of simulated hips that looked like "
        f"this more were {grade_name('brooker', likeliest)} "
        f"({chances[likeliest]:.0%} against {chances[read]:.0%}): {why} reads as it does here"
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
    if finding.side_source == CONTRADICTED:
        return (
            "the side that the attributes state and the way the film lies contradict each other: "
            "the film may be mirrored, or the side wrong; check it"
        )
    if finding.side_source == "assumed":
        return "the side assumes the usual display, patient's left on the viewer's right"
    return ""


def _scale(finding: HipFinding) -> str:
    if finding.spacing_source == "none":
        return "no calibration: pixels only, no rule in millimetres can fire"
    if finding.spacing_source in _ASSUMED:
        return "millimetres rest on an assumed magnification"
    if finding.spacing_source == SpacingSource.USER_OVERRIDE.value:
        return "the user's millimetres stand in place of those that the file carries"
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
