"""A finding in words: one sentence for a reader, and what to know before trusting it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hoseg.grade.chances import LIKELY
from hoseg.grade.classify import grade_name
from hoseg.grade.finding import HipFinding
from hoseg.grade.hips import CONTRADICTED
from hoseg.radiograph import Note, Side, SpacingSource
from hoseg.words import PROVISIONAL, VIEWS

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
    """Brooker classes worth naming: the class given, then every other likely one, likeliest first.

    Draws that could not be decided are no class; what is named may be less than all.
    """
    if finding.brooker is None:
        return ()
    chances = finding.brooker_probabilities
    others = [k for k, p in enumerate(chances) if p >= LIKELY and k != finding.brooker]
    return (finding.brooker, *sorted(others, key=lambda k: -chances[k]))


def whole_percents(chances: Sequence[float]) -> tuple[int, ...]:
    """Shares as whole per cent whose sum is that of the shares: the largest remainders go up."""
    exact = [100 * p for p in chances]
    whole = [int(p + 1e-9) for p in exact]
    missing = round(sum(exact)) - sum(whole)
    for k in sorted(range(len(whole)), key=lambda k: whole[k] - exact[k])[:missing]:
        whole[k] += 1
    return tuple(whole)


def class_percents(finding: HipFinding) -> tuple[int, ...]:
    """Whole per cent of classes 0 to 4 and of what was not decided, together 100; or nothing.

    Every picture, page and card takes its per cent from here, so that none differs from another.
    """
    chances = finding.brooker_probabilities
    return whole_percents((*chances, finding.brooker_undecided)) if chances else ()


def name_classes(finding: HipFinding) -> str:
    """The class given, first, and what else is likely: "III (56 %), II 37 %, others 7 %".

    Without a calibrated model no number is put on it: "III, perhaps II".
    """
    given, *others = likely_classes(finding)
    name = grade_name("brooker", given)
    if finding.class_probabilities_from != "model":
        perhaps = " or ".join(grade_name("brooker", other) for other in others)
        return f"{name}, perhaps {perhaps}" if perhaps else name
    percent = class_percents(finding)
    parts = [f"{name} ({percent[given]} %)"]
    parts += [f"{grade_name('brooker', other)} {percent[other]} %" for other in others]
    rest = 100 - percent[given] - sum(percent[other] for other in others)
    return ", ".join([*parts, f"others {rest} %"] if rest else parts)


def summarise(finding: HipFinding) -> str:
    """E.g. "III (56 %), II 37 %, others 7 %: gap 9.6 mm (8.9-10.4), II because ..."."""
    basis = describe_basis(finding)
    if finding.abstained is not None:
        floor = ""
        if finding.at_least is not None:
            floor = f"; at least {grade_name('brooker', finding.at_least)} from what is visible"
        return f"not graded: {finding.abstained_because}{floor}"
    if finding.brooker is None:
        return "not graded: the class is undecided"
    doubts = [
        f", {grade_name('brooker', other)} because {_doubt(finding, other)}"
        for other in likely_classes(finding)[1:]
    ]
    if finding.brooker_every_contact not in (None, finding.brooker):
        other = grade_name("brooker", finding.brooker_every_contact)
        basis += f"; {other} with superimposed contacts counted"
    provisional = describe_provisional(finding)
    ending = f" (provisional: {provisional})" if provisional else ""
    return f"{name_classes(finding)}: {basis}{''.join(doubts)}{ending}"


def describe_provisional(finding: HipFinding) -> str:
    """Why the class is provisional, in words; empty when it is not."""
    return "; ".join(
        VIEWS[finding.view] if code == "view_not_ap" else PROVISIONAL.get(code, code)
        for code in finding.provisional
    )


def describe_gap(finding: HipFinding) -> str:
    """The gap with its 95 % interval: "6.4 mm (5.2-7.3)"; "closed" for a bridge; else empty."""
    if finding.gap_mm is None:
        return ""
    if finding.gap_mm == 0:
        return "closed"
    interval = finding.gap_interval_mm
    spread = "" if interval is None else f" ({interval[0]:.1f}-{interval[1]:.1f})"
    return f"{finding.gap_mm:.1f} mm{spread}"


def describe_basis(finding: HipFinding) -> str:
    """What the class rests on: "gap 6.4 mm (5.2-7.3)", "2 islands, the longest 12 mm"."""
    if finding.pattern == "none":
        return "no ossification"
    if finding.pattern == "bridge":
        return "ossification joins pelvis and femur (or is superimposed)"
    if finding.gap_mm is not None:
        return f"gap {describe_gap(finding)}"
    if finding.pattern == "islands":
        lengths = [c.length_mm for c in finding.components if c.graded and c.length_mm is not None]
        size = f", the longest {max(lengths):.0f} mm" if lengths else ""
        count = sum(component.graded for component in finding.components)
        return f"{count} island{'s' if count > 1 else ''}{size}"
    return "a spur without an opposing surface"


def _doubt(finding: HipFinding, other: int) -> str:
    """Why another class than the one given is likely."""
    given = finding.brooker or 0
    interval = finding.gap_interval_mm
    crosses = interval is not None and interval[0] < NEAR_MM <= interval[1]
    if {given, other} == {2, 3} and crosses:
        return "the gap's interval reaches across 10 mm"
    if other == finding.brooker_every_contact:
        return "a contact read as superimposed may be a real one"
    if other < given:
        if other == 0:
            return "what looks like ossification may be superimposed bone"
        if other == 1:
            return "what touches bone on the film may lie free before or behind it"
        return "what is near on the film may lie apart in depth"
    return "faint bone may be missed" if given == 0 else "part of the ossification may be missed"


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
    given, *others = likely_classes(finding) or (0,)
    reasons = [f"{grade_name('brooker', k)}, because {_doubt(finding, k)}" for k in others]
    if not reasons:
        return ""
    return f"beside {grade_name('brooker', given)} likely as well: {'; '.join(reasons)}"


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
        f"({100 * chances[likeliest]:.0f} % against {100 * chances[read]:.0f} %): "
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
    if "view_not_ap" not in finding.provisional:
        return ""
    return f"Brooker is defined on the AP view; the view here: {VIEWS[finding.view]}"


def _view_unknown(finding: HipFinding) -> str:
    if "view_unknown" not in finding.provisional:
        return ""
    return "Brooker is defined on the AP view; nothing states the view of this film"


def _partly_seen(finding: HipFinding) -> str:
    seen = [code for code in finding.provisional if code in ("cropped_hip", "implant_hides_region")]
    if not seen:
        return ""
    return (
        f"{PROVISIONAL[seen[0]]}: graded all the same, since nothing that is not seen can change "
        "the worst class"
    )


_CHECKS: tuple[tuple[str, Callable[[HipFinding], str]], ...] = (
    ("bridge_or_superimposition", _bridge),
    ("contact_by_overlap", _overlap),
    ("superimposed", _superimposed),
    ("two_classes_likely", _two_classes),
    ("other_class_likelier", _other_class),
    ("view_not_ap", _view),
    ("view_unknown", _view_unknown),
    ("partly_seen", _partly_seen),
    ("large_island", _large_island),
    ("scale", _scale),
    ("small_head", _small_head),
    ("side", _side),
    ("trochanter_not_found", _landmarks),
    ("not_graded", _not_graded),
)
