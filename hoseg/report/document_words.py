"""What the one-page report says, as words: measurements, calibration, comparison."""

from __future__ import annotations

from collections.abc import Sequence

from hoseg.grade.finding import Component, HipFinding
from hoseg.radiograph import Side, View
from hoseg.report.schema import ResultFile, SourceImage

CLASS_NAMES = ("0", "I", "II", "III", "IV")
VIEWS = {
    View.AP_PELVIS: "AP pelvis",
    View.AP_HIP: "AP hip",
    View.FROG_LEG: "Frog-leg lateral",
    View.CROSS_TABLE: "Cross-table lateral",
    View.JUDET: "Judet",
    View.OTHER: "Other view",
    View.UNKNOWN: "Not stated",
}
_CALIBRATIONS = {
    "fiducial": "calibrated with an object in the film",
    "implant_head": "from the known diameter of the implant head",
    "user": "given by the user",
    "user_override": "given by the user IN PLACE of what the file carries",
    "geometry": "corrected by the device for an assumed depth",
    "magnification": "detector spacing over the stated magnification",
    "assumed_magnification": "detector spacing over an ASSUMED magnification of 1.20",
    "untyped": "spacing of unknown meaning over an ASSUMED magnification of 1.20",
}
_SYSTEMS = {
    "della_valle": "Della Valle",
    "schmidt_hackenbroch": "Schmidt-Hackenbroch",
    "filled_fraction": "filled fraction",
}
_AGES = {"Y": "years", "M": "months", "W": "weeks", "D": "days"}


def words(code: str | None) -> str:
    """A code as words: ``mature_discrete`` -> ``mature discrete``."""
    return (code or "").replace("_", " ").replace("supra acetabular", "supra-acetabular")


def sentence(text: str) -> str:
    """Begin with a capital, end with a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def date(value: str) -> str:
    """DICOM DA as 2019-06-11; what is no date stays as it is."""
    ok = len(value) == 8 and value.isdigit()
    return f"{value[:4]}-{value[4:6]}-{value[6:8]}" if ok else value


def age(value: str) -> str:
    """DICOM AS in words: ``071Y`` -> ``71 years``."""
    number, unit = value[:-1], _AGES.get(value[-1:])
    return f"{int(number)} {unit}" if unit and number.isdecimal() else value


def name(side: Side) -> str:
    """Heading of a hip."""
    return "Hip, side not known" if side is Side.UNKNOWN else f"{side.value.capitalize()} hip"


def sides(image: SourceImage, hips: Sequence[HipFinding]) -> str:
    """Sides that the film shows, and whether anything states them."""
    shown = [hip.side.value for hip in hips] or [image.side.value]
    text = " and ".join(dict.fromkeys(shown))
    if image.orientation_source == "assumed" and image.side is Side.UNKNOWN:
        return f"{text} (ASSUMED: nothing states how the film lies)"
    return text


def quality(result: ResultFile) -> str:
    """Whether the film was good enough, in one sentence."""
    if result.status == "graded":
        return "Sufficient to grade."
    return sentence(f"{result.status}: {result.sentence or words(result.reason)}")


def calibration(image: SourceImage) -> str:
    """Where the millimetres come from, and how sure they are."""
    if image.spacing is None:
        return "none: nothing is measured in millimetres"
    spacing = image.spacing
    source = _CALIBRATIONS.get(spacing.source, words(spacing.source))
    return f"{spacing.row_mm:.3f} mm a pixel ± {1.96 * spacing.relative_sd:.0%}, {source}"


def rests_on(hip: HipFinding) -> str:
    """The measurement that decides the Brooker class, and how near another class is."""
    nearest = hip.counterfactuals.get("brooker")
    return nearest or hip.summary.partition(": ")[2] or hip.summary


def gap(hip: HipFinding) -> str:
    """Gap in millimetres with its 95 % interval."""
    if hip.gap_mm is None:
        return "none to measure"
    text = f"{hip.gap_mm:.1f} mm" if hip.gap_mm > 0 else "closed (0 mm)"
    if hip.gap_interval_mm is None or max(hip.gap_interval_mm) == 0:
        return text
    low, high = hip.gap_interval_mm
    return f"{text} (95 % interval {low:.1f}–{high:.1f})"


def piece(piece: Component) -> str:
    """Site, size and attachment of one piece of ossification."""
    size = (
        f"{piece.length_mm:.0f} mm long, {piece.area_mm2:.0f} mm²"
        if piece.length_mm is not None and piece.area_mm2 is not None
        else "size not calibrated"
    )
    where = ", ".join(words(site) for site in piece.sites) or "site not known"
    touches = " and ".join(piece.attached_to)
    return f"{where}: {size}; " + (f"attached to {touches}" if touches else "free in soft tissue")


def other_systems(hip: HipFinding) -> str:
    """Classes of the systems beside Brooker."""
    return "; ".join(
        f"{_SYSTEMS.get(system, words(system))} {words(str(value))}"
        for system, value in hip.classes.items()
        if system != "brooker" and value is not None
    )


def comparison(hip: HipFinding, prior: tuple[str, HipFinding] | None) -> str:
    """The same hip on the latest earlier film: class, gap, and their change.

    prior: date and finding
    """
    if prior is None:
        return "no earlier film in this run"
    when, old = prior
    was = "no class" if old.brooker is None else f"Brooker {CLASS_NAMES[old.brooker]}"
    text = f"{when}: {was}, gap {gap(old)}"
    if hip.gap_mm is not None and old.gap_mm is not None:
        text += f"; change of the gap {hip.gap_mm - old.gap_mm:+.1f} mm".replace(
            "-", "\N{MINUS SIGN}"
        )
        if _overlap(hip.gap_interval_mm, old.gap_interval_mm):
            text += ", within the intervals"
    return text


def _overlap(a: tuple[float, float] | None, b: tuple[float, float] | None) -> bool:
    return a is not None and b is not None and a[0] <= b[1] and b[0] <= a[1]
