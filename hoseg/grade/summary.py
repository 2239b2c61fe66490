"""One sentence for a reader: the likely classes and the number they rest on."""

from __future__ import annotations

from hoseg.grade.finding import HipFinding
from hoseg.grade.verdicts import grade_name

LIKELY = 0.2
"""A class with this probability is named beside the most likely one."""


def likely_classes(finding: HipFinding) -> tuple[int, ...]:
    """Brooker classes worth naming, mildest first: the class found, and every likely one."""
    verdict = finding.verdict("brooker")
    if verdict is None or verdict.grade is None:
        return ()
    likely = {int(grade) for grade, p in verdict.probabilities if p >= LIKELY}
    return tuple(sorted(likely | {int(verdict.grade)}))


def summarise(finding: HipFinding) -> str:
    """E.g. "II or III: gap 9.6 mm (8.9-10.4)"."""
    basis = _basis(finding)
    if finding.abstained is not None:
        floor = ""
        if finding.at_least is not None:
            floor = f"; at least {grade_name('brooker', finding.at_least)} from what is visible"
        return f"not graded ({finding.abstained}): {finding.abstained_because}{floor}"
    names = " or ".join(grade_name("brooker", grade) for grade in likely_classes(finding))
    if finding.every_contact not in (None, finding.brooker):
        other = grade_name("brooker", finding.every_contact)
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
