"""Side, view and orientation from attributes; what is missing is said, not guessed silently."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset
from pydicom.uid import UID

from hoseg.dicom.values import codes_of, items_of, text_of, texts_of, whole_of
from hoseg.imaging.quality import age_years
from hoseg.radiograph import Attributes, Note, Orientation, Side, View

_SIDES = {"L": Side.LEFT, "R": Side.RIGHT}
_SIDE_VALUES = {
    "L": Side.LEFT,
    "LEFT": Side.LEFT,
    "R": Side.RIGHT,
    "RIGHT": Side.RIGHT,
    "B": Side.UNKNOWN,
    "BOTH": Side.UNKNOWN,
    "BILATERAL": Side.UNKNOWN,
}

# Words in free text are weak evidence; a result that rests on them says so.
_SIDE_WORDS = (
    (Side.LEFT, re.compile(r"\b(left|lt|links|gauche|izquierd[ao]|sinistr[ao])\b")),
    (Side.RIGHT, re.compile(r"\b(right|rt|rechts|droite?|derech[ao]|destr[ao])\b")),
)
_VIEW_WORDS = (
    (View.FROG_LEG, re.compile(r"frog|lauenstein|l[oö]wenstein")),
    (View.CROSS_TABLE, re.compile(r"cross.?table|x.?table|axio.?lateral|danelius|horizontal beam")),
    (View.JUDET, re.compile(r"judet|iliac oblique|obturator oblique|\bala\b|obturator.?aufnahme")),
)
_AP_WORDS = re.compile(
    r"\ba\.?[\s/-]?p\.?(?!\w)|antero?(ior)?.?posterior|\bfront|\bface\b|ventro.?dorsal|\bant.{1,3}post\b"
)
_OTHER_WORDS = re.compile(
    r"\blat(eral)?\b|\bobl(ique)?\b|oblique|axial|inlet|outlet|\bdunn\b|\bp\.?[/-]?a\b"
    r"|postero.?anterior|\bprofil|seitlich"
)
_PELVIS_WORDS = re.compile(r"pelvi|becken|bassin|bekken|both hips|bilateral hip|hips\b")
_HIP_WORDS = re.compile(r"\bhip|h[uü]fte|hanche|cadera|\banca\b|heup|coxa")
_AGES_AGREE_YEARS = 1.5  # whole years are cut off, and dates are shifted by some programs
_AP_CODES = {"399348003", "R-10206"}  # antero-posterior


def describe(dataset: Dataset, frame: int = 0) -> Attributes:
    """Collect identity and acquisition facts."""
    descriptions = [
        text_of(dataset, keyword)
        for keyword in (
            "StudyDescription",
            "SeriesDescription",
            "ProtocolName",
            "RequestedProcedureDescription",
            "PerformedProcedureStepDescription",
            "AcquisitionDeviceProcessingDescription",
            "ViewName",
        )
    ]
    regions = [meaning for _, meaning in codes_of(dataset, "AnatomicRegionSequence")]
    meta = getattr(dataset, "file_meta", {})
    return Attributes(
        patient_id=text_of(dataset, "PatientID"),
        study_uid=text_of(dataset, "StudyInstanceUID"),
        series_uid=text_of(dataset, "SeriesInstanceUID"),
        sop_uid=text_of(dataset, "SOPInstanceUID"),
        sop_class_uid=text_of(dataset, "SOPClassUID"),
        modality=text_of(dataset, "Modality").upper(),
        body_part=text_of(dataset, "BodyPartExamined") or ", ".join(regions),
        description=" | ".join(dict.fromkeys(text for text in descriptions if text)),
        study_date=text_of(dataset, "StudyDate"),
        patient_age=find_age(dataset)[0],
        patient_sex=_sex(dataset),
        transfer_syntax_uid=str(meta.get("TransferSyntaxUID", "")),
        photometric=text_of(dataset, "PhotometricInterpretation"),
        frame=frame,
        species=_species(dataset),
        image_type=text_of(dataset, "ImageType").upper(),
        intensity_sign=whole_of(dataset, "PixelIntensityRelationshipSign") or 0,
    )


def find_side(dataset: Dataset, attributes: Attributes) -> tuple[Side, tuple[Note, ...]]:
    """Return the patient's side from laterality attributes, else from words, else unknown.

    Where two attributes, or an attribute and the description, name different sides, the first
    in the order frame, image, series, description holds, and a note ``side_contradicts`` says so.
    """
    stated = _stated_sides(dataset)
    text = attributes.description.lower()
    worded = [side for side, words in _SIDE_WORDS if words.search(text)]
    if len(worded) == 1:
        stated.append(("the description", worded[0]))
    if not stated:
        return Side.UNKNOWN, (Note("side_missing", "No attribute states the side."),)
    where, side = stated[0]
    notes: tuple[Note, ...] = ()
    if side is Side.UNKNOWN:
        return side, (Note("side_both", "Both hips, as the attributes say."),)
    if where == "the description":
        sentence = f"The side ({side}) comes from a description, not from an attribute."
        return side, (Note("side_from_description", sentence),)
    others = [place for place, other in stated[1:] if other is side.opposite]
    if others:
        text = f"{where} says {side}, {' and '.join(others)} {side.opposite}; {side} is taken."
        notes = (Note("side_contradicts", text[0].upper() + text[1:]),)
    return side, notes


def _stated_sides(dataset: Dataset) -> list[tuple[str, Side]]:
    """What the attributes say of the side: (name, side), the closest to the picture first."""
    stated = [
        (f"{name} ({anatomy_text})", anatomy_text)
        for group in items_of(dataset, "SharedFunctionalGroupsSequence")
        for anatomy in items_of(group, "FrameAnatomySequence")
        for name, anatomy_text in [("Frame Laterality", text_of(anatomy, "FrameLaterality"))]
    ]
    for name in ("ImageLaterality", "Laterality"):
        letter = text_of(dataset, name)
        stated.append((f"{name} ({letter})", letter))
    sides = [(name, _SIDE_VALUES.get(letter.strip().upper())) for name, letter in stated]
    return [(name, side) for name, side in sides if side is not None]


def find_view(
    dataset: Dataset, attributes: Attributes, side: Side
) -> tuple[View, tuple[Note, ...]]:
    """Return the projection from view code and position, else from words, else unknown."""
    codes = codes_of(dataset, "ViewCodeSequence")
    for item in items_of(dataset, "ViewCodeSequence"):
        codes += codes_of(item, "ViewModifierCodeSequence")
    coded = " ".join(meaning for _, meaning in codes)
    position = text_of(dataset, "ViewPosition").lower().replace("_", " ")
    words = f"{attributes.body_part} {attributes.description}".lower().replace("_", " ")
    special = _special_view(coded) or _special_view(position)
    if special is not None:
        return special, ()
    if (weak := _special_view(words)) is not None:
        return weak, (_weak_view(weak),)
    if any(c in _AP_CODES for c, _ in codes) or _says_ap(coded) or _says_ap(position):
        return _ap_view(words, side, position), ()
    if position or codes:
        return View.OTHER, (
            Note("view_other", f"View {(position or coded).upper()!r} is not an AP view."),
        )
    if _says_ap(words):
        view = _ap_view(words, side)
        return view, (_weak_view(view),)
    if _OTHER_WORDS.search(words):
        return View.OTHER, (_weak_view(View.OTHER),)
    return View.UNKNOWN, (Note("view_missing", "No attribute states the projection."),)


def find_orientation(
    dataset: Dataset, presentation: Orientation | None = None
) -> tuple[Orientation, tuple[Note, ...]]:
    """Read Patient Orientation (0020,0020): directions of the rows and of the columns.

    Any turn and flip of a frontal film is taken as it is stated (PS3.3 C.7.6.1.1.1: the direction
    of the first row towards its end, then of the first column).

    presentation: how the film lies where a Presentation State turns it and nothing else is stated

    Raises nothing: what cannot be read is assumed to be a standard AP film, and said.
    """
    stated = tuple(part.upper()[:1] for part in texts_of(dataset, "PatientOrientation"))
    if len(stated) == 2 and stated[0] in _SIDES and stated[1] in ("F", "H"):
        return Orientation(_SIDES[stated[0]], stated[1] == "F", "attribute"), ()
    if len(stated) == 2 and stated[1] in _SIDES and stated[0] in ("F", "H"):
        side, to_feet = _SIDES[stated[1]], stated[0] == "F"
        return Orientation(side, to_feet, "attribute", transposed=True), ()
    if len(stated) == 2 and all(stated):
        text = f"Patient Orientation {stated} is not that of a frontal film."
        columns = _SIDES.get(stated[0], Side.UNKNOWN)
        return Orientation(columns, True, "attribute"), (Note("orientation_unusual", text),)
    if presentation is not None:
        text = "Patient Orientation is missing; a Presentation State says how to turn the film."
        return presentation, (Note("orientation_from_presentation", text),)
    text = "Patient Orientation is missing; assumed: patient's left on the right, head up."
    return Orientation(), (Note("orientation_assumed", text),)


def _special_view(text: str) -> View | None:
    return next((view for view, words in _VIEW_WORDS if words.search(text)), None)


def _says_ap(text: str) -> bool:
    return bool(_AP_WORDS.search(text)) and not _OTHER_WORDS.search(text)


def _ap_view(words: str, side: Side, position: str = "") -> View:
    """Tell one hip from the whole pelvis by the words, else by whether one side is stated."""
    if _PELVIS_WORDS.search(f"{words} {position}"):
        return View.AP_PELVIS
    if _HIP_WORDS.search(f"{words} {position}"):
        return View.AP_HIP
    if words.strip(" |"):
        return View.OTHER  # an AP view of something else
    return View.AP_PELVIS if side is Side.UNKNOWN else View.AP_HIP


def _weak_view(view: View) -> Note:
    text = f"The view ({view}) comes from a description, not from an attribute."
    return Note("view_from_description", text)


def _species(dataset: Dataset) -> str:
    codes = codes_of(dataset, "PatientSpeciesCodeSequence")
    return text_of(dataset, "PatientSpeciesDescription") or " ".join(m for _, m in codes)


def _sex(dataset: Dataset) -> str:
    """M, F or O; empty for any other value."""
    stated = text_of(dataset, "PatientSex").strip().upper()
    return stated if stated in ("M", "F", "O") else ""


def find_age(dataset: Dataset) -> tuple[str, tuple[Note, ...]]:
    """Return the age at the study (DICOM AS, "034Y"), "" where unknown, and what contradicts.

    An age without unit is in years. The birth date serves where no age is stated or it is 0, a
    default that nobody filled in; a newborn's age is 0 by its birth date too.
    """
    stated = re.fullmatch(r"(\d{1,3}) *([DWMY]?)", text_of(dataset, "PatientAge").upper())
    years = _years_between(dataset)
    by_dates = "" if years is None else f"{years:03d}Y"
    if stated is None:
        return by_dates, ()
    age = f"{int(stated[1]):03d}{stated[2] or 'Y'}"
    if years is None or abs((age_years(age) or 0) - years) <= _AGES_AGREE_YEARS:
        return age, ()
    taken = age if int(stated[1]) else by_dates
    text = f"Patient Age is {age}, by the dates it is {by_dates}; {taken} is taken."
    return taken, (Note("age_contradicts", text),)


def _years_between(dataset: Dataset) -> int | None:
    """Whole years from birth to study, None where a date is missing or impossible."""
    dates = [text_of(dataset, keyword) for keyword in ("PatientBirthDate", "StudyDate")]
    birth, study = (re.sub(r"[.\-/]", "", date) for date in dates)
    if not (re.fullmatch(r"\d{8}", birth) and re.fullmatch(r"\d{8}", study)):
        return None
    years = int(study[:4]) - int(birth[:4]) - (study[4:] < birth[4:])
    return years if 0 <= years <= 130 else None


def check_uids(dataset: Dataset) -> tuple[Note, ...]:
    """Say which UIDs break the rules of PS3.5 9.1: what refers to them breaks them too."""
    stated = {
        keyword: text_of(dataset, keyword)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    }
    wrong = [k for k, text in stated.items() if text and not UID(text).is_valid]
    if not wrong:
        return ()
    verb = "is no valid UID" if len(wrong) == 1 else "are no valid UIDs"
    return (Note("uid_invalid", f"{', '.join(wrong)}: {verb}; other systems may refuse it."),)
