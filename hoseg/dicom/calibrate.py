"""Millimetres at the plane of the hip: which attribute, how far to trust it.

The order is fixed (DICOM PS3.3 10.7.1.3; literature on magnification in the grading notes):

0. What the user puts in place of all below (``--override-spacing-mm``), with a note.
1. Pixel Spacing, calibration type FIDUCIAL: an object of known size at the depth of the bone.
2. Pixel Spacing, calibration type GEOMETRY: already corrected to an assumed depth.
3. Imager Pixel Spacing divided by the stated magnification, or by SID / SOD.
4. (an implant head of known diameter: given by the user, handled by the grading stage)
5. Imager Pixel Spacing alone: magnification 1.20 +/- 0.05 is assumed.
6. Pixel Spacing without a type: nobody knows what it means; handled like 5 and flagged.
7. What the user states for files that carry none (``--spacing-mm``).
8. Nothing: pixels only.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from hoseg.dicom.values import has_comma, number_of, numbers_of, text_of, value_of
from hoseg.radiograph import Note, Spacing, SpacingSource

ASSUMED_MAGNIFICATION = 1.20
ASSUMED_MAGNIFICATION_SD = 0.05

# Relative standard deviations. Fiducial: calibration balls err by 2.55 % on average (all absolute
# errors), which is 3.2 % as an SD. Stated geometry: magnification varies by 3.6 % between patients
# at one set-up. User: a measured value, good to about one percent.
_SD = {
    SpacingSource.FIDUCIAL: 0.032,
    SpacingSource.GEOMETRY: 0.036,
    SpacingSource.MAGNIFICATION: 0.036,
    SpacingSource.ASSUMED_MAGNIFICATION: ASSUMED_MAGNIFICATION_SD / ASSUMED_MAGNIFICATION,
    SpacingSource.UNTYPED: ASSUMED_MAGNIFICATION_SD / ASSUMED_MAGNIFICATION,
    SpacingSource.USER: 0.01,
    SpacingSource.USER_OVERRIDE: 0.01,
}

# No hip lies on the detector: a smaller stated value is a default nobody filled in.
_MAGNIFICATION_RANGE = (1.02, 2.0)
_SPACING_RANGE_MM = (0.01, 5.0)
_MOST_OBLONG = 10.0  # sides of a pixel; a larger ratio is no pixel's
_LENGTHS = (
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "EstimatedRadiographicMagnificationFactor",
    "DistanceSourceToDetector",
    "DistanceSourceToPatient",
)
_ROUNDING = 0.01
_SUSPECT_MM = 1.0  # exactly 1.0 is what converters write when they know nothing

Pair = tuple[float, float]


def calibrate(
    dataset: Dataset, user_mm: Pair | None = None, *, override: bool = False
) -> tuple[Spacing | None, tuple[Note, ...]]:
    """Return the spacing at the plane of the hip and what should be known about it.

    Parameters
    ----------
    dataset: attributes of one image
    user_mm: (row, column) spacing at the hip that the user states (mm), for files that carry none
    override: it stands in place of what a file carries, too

    Returns
    -------
    spacing: None when nothing usable is stated
    notes: ``spacing_invalid``, ``spacing_untyped``, ``magnification_assumed``, ...
    """
    spacing, notes = _stated(dataset)
    if user_mm is None:
        return spacing, notes
    if spacing is None:
        notes = tuple(note for note in notes if note.code != "spacing_missing")
        return _spacing(user_mm, 1.0, SpacingSource.USER), notes
    if not override:
        return spacing, notes
    text = (
        f"The file says {spacing.row_mm:.4g} x {spacing.column_mm:.4g} mm at the hip "
        f"({spacing.source.replace('_', ' ')}); the user put {user_mm[0]:.4g} x "
        f"{user_mm[1]:.4g} mm in their place."
    )
    overridden = _spacing(user_mm, 1.0, SpacingSource.USER_OVERRIDE)
    return overridden, (Note("spacing_overridden", text),)


def _stated(dataset: Dataset) -> tuple[Spacing | None, tuple[Note, ...]]:
    """Spacing that a file carries."""
    notes: list[Note] = _commas(dataset)
    pixel_mm = _pair(dataset, "PixelSpacing", notes)
    imager_mm = _pair(dataset, "ImagerPixelSpacing", notes) or _pair(
        dataset, "NominalScannedPixelSpacing", notes
    )
    kind = text_of(dataset, "PixelSpacingCalibrationType").upper()
    if pixel_mm and kind in ("FIDUCIAL", "GEOMETRY"):
        # Equal values: "corrected" by a factor of one, that is, not at all.
        if imager_mm != pixel_mm:
            return _spacing(pixel_mm, 1.0, SpacingSource(kind.lower())), tuple(notes)
        text = f"Pixel Spacing says {kind} but equals Imager Pixel Spacing; taken as uncorrected."
        notes.append(Note("calibration_contradicts", text))
    if imager_mm and pixel_mm and abs(pixel_mm[0] / imager_mm[0] - 1) > _ROUNDING:
        text = (
            f"Pixel Spacing ({pixel_mm[0]:g} mm) differs from Imager Pixel Spacing "
            f"({imager_mm[0]:g} mm) and does not say why; Imager Pixel Spacing is used."
        )
        notes.append(Note("spacing_contradicts", text))
    if imager_mm:
        magnification = _magnification(dataset, notes)
        if magnification is not None:
            spacing = _spacing(imager_mm, magnification, SpacingSource.MAGNIFICATION)
            return spacing, tuple(notes)
        notes.append(_assumed("Imager Pixel Spacing"))
        spacing = _spacing(imager_mm, ASSUMED_MAGNIFICATION, SpacingSource.ASSUMED_MAGNIFICATION)
        return spacing, tuple(notes)
    if pixel_mm:
        text = "Pixel Spacing has no calibration type: detector or patient plane is not stated."
        notes.append(Note("spacing_untyped", text))
        magnification = _magnification(dataset, notes)
        if magnification is None:
            notes.append(_assumed("Pixel Spacing"))
        if pixel_mm == (_SUSPECT_MM, _SUSPECT_MM):
            text = "Pixel Spacing is exactly 1.0 mm, a value that converters make up."
            notes.append(Note("spacing_suspect", text))
        factor = magnification or ASSUMED_MAGNIFICATION
        return _spacing(pixel_mm, factor, SpacingSource.UNTYPED), tuple(notes)
    notes.append(Note("spacing_missing", "No millimetres in the file; lengths are pixels only."))
    return None, tuple(notes)


def read_aspect(dataset: Dataset) -> float:
    """Return row spacing over column spacing by Pixel Aspect Ratio (0028,0034), 1.0 if unusable.

    For films without millimetres only: a spacing says the same and more.
    """
    ratio = numbers_of(dataset, "PixelAspectRatio")
    if len(ratio) != 2 or min(ratio) <= 0:
        return 1.0
    aspect = ratio[0] / ratio[1]
    return aspect if 1 / _MOST_OBLONG <= aspect <= _MOST_OBLONG else 1.0


def _commas(dataset: Dataset) -> list[Note]:
    commas = [keyword for keyword in _LENGTHS if has_comma(dataset, keyword)]
    if not commas:
        return []
    text = f"{', '.join(commas)}: written with a decimal comma, read as a point."
    return [Note("decimal_comma", text)]


def _spacing(pair_mm: Pair, magnification: float, source: SpacingSource) -> Spacing:
    return Spacing(pair_mm[0] / magnification, pair_mm[1] / magnification, _SD[source], source)


def _assumed(name: str) -> Note:
    text = (
        f"{name} is divided by an assumed magnification of {ASSUMED_MAGNIFICATION:.2f} "
        f"(+/- {ASSUMED_MAGNIFICATION_SD:.2f})."
    )
    return Note("magnification_assumed", text)


def _pair(dataset: Dataset, keyword: str, notes: list[Note]) -> Pair | None:
    """Read (row, column) in mm; a value that cannot be true is noted and ignored."""
    values = numbers_of(dataset, keyword)
    low, high = _SPACING_RANGE_MM
    if len(values) == 2 and all(low <= v <= high for v in values):
        return (values[0], values[1])
    stated = value_of(dataset, keyword)
    if stated is not None:
        text = f"{keyword} = {text_of(dataset, keyword)[:64]!r} is not two numbers in {low}-{high}"
        notes.append(Note("spacing_invalid", f"{text} mm; ignored."))
    return None


def _magnification(dataset: Dataset, notes: list[Note]) -> float | None:
    """Return the stated magnification, or source-detector over source-patient distance."""
    stated = number_of(dataset, "EstimatedRadiographicMagnificationFactor")
    if stated is None:
        detector_mm = number_of(dataset, "DistanceSourceToDetector")
        patient_mm = number_of(dataset, "DistanceSourceToPatient")
        if not detector_mm or not patient_mm or patient_mm <= 0:
            return None
        stated = detector_mm / patient_mm
    low, high = _MAGNIFICATION_RANGE
    if low <= stated <= high:
        return stated
    text = f"The stated magnification {stated:.3f} is outside {low}-{high}; ignored."
    notes.append(Note("magnification_invalid", text))
    return None
