"""Side, view and orientation from attributes; what is missing is said, not guessed silently."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from hoseg.dicom.values import codes_of, items_of, text_of, texts_of, whole_of
from hoseg.radiograph import Attributes, Note, Orientation, Side, View

_SIDES = {"L": Side.LEFT, "R": Side.RIGHT}

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
_AP_WORDS = re.compile(r"\ba\.?p\.?\b|antero.?posterior|\bfront|\ba-p\b")
_OTHER_WORDS = re.compile(
    r"\blat(eral)?\b|oblique|axial|inlet|outlet|\bdunn\b|\bpa\b|postero.?anterior"
)
_PELVIS_WORDS = re.compile(r"pelvi|becken|bassin|bekken|both hips|bilateral hip|hips\b")
_HIP_WORDS = re.compile(r"\bhip|h[uü]fte|hanche|cadera|\banca\b|heup|coxa")
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
        patient_age=_age(dataset),
        transfer_syntax_uid=str(meta.get("TransferSyntaxUID", "")),
        photometric=text_of(dataset, "PhotometricInterpretation"),
        frame=frame,
        species=_species(dataset),
        image_type=text_of(dataset, "ImageType").upper(),
        intensity_sign=whole_of(dataset, "PixelIntensityRelationshipSign") or 0,
    )


def find_side(dataset: Dataset, attributes: Attributes) -> tuple[Side, tuple[Note, ...]]:
    """Return the patient's side from laterality attributes, else from words, else unknown."""
    letters = [text_of(dataset, "ImageLaterality"), text_of(dataset, "Laterality")]
    for group in items_of(dataset, "SharedFunctionalGroupsSequence"):
        for anatomy in items_of(group, "FrameAnatomySequence"):
            letters.insert(0, text_of(anatomy, "FrameLaterality"))
    for letter in letters:
        if letter.upper() in _SIDES:
            return _SIDES[letter.upper()], ()
        if letter.upper() == "B":
            return Side.UNKNOWN, (Note("side_both", "The attributes say both sides."),)
    text = attributes.description.lower()
    sides = [side for side, words in _SIDE_WORDS if words.search(text)]
    if len(sides) == 1:
        sentence = f"The side ({sides[0]}) comes from a description, not from an attribute."
        return sides[0], (Note("side_from_description", sentence),)
    return Side.UNKNOWN, (Note("side_missing", "No attribute states the side."),)


def find_view(
    dataset: Dataset, attributes: Attributes, side: Side
) -> tuple[View, tuple[Note, ...]]:
    """Return the projection from view code and position, else from words, else unknown."""
    codes = codes_of(dataset, "ViewCodeSequence")
    for item in items_of(dataset, "ViewCodeSequence"):
        codes += codes_of(item, "ViewModifierCodeSequence")
    coded = " ".join(meaning for _, meaning in codes)
    position = text_of(dataset, "ViewPosition").upper()
    words = f"{attributes.body_part} {attributes.description}".lower().replace("_", " ")
    special = _special_view(coded) or _special_view(position.lower())
    if special is not None:
        return special, ()
    if (weak := _special_view(words)) is not None:
        return weak, (_weak_view(weak),)
    ap_code = any(c in _AP_CODES for c, _ in codes)
    ap_coded = _AP_WORDS.search(coded) is not None and not _OTHER_WORDS.search(coded)
    if position == "AP" or ap_code or ap_coded:
        return _ap_view(words, side), ()
    if position or codes:
        return View.OTHER, (Note("view_other", f"View {position or coded!r} is not an AP view."),)
    if _AP_WORDS.search(words) and not _OTHER_WORDS.search(words):
        view = _ap_view(words, side)
        return view, (_weak_view(view),)
    if _OTHER_WORDS.search(words):
        return View.OTHER, (_weak_view(View.OTHER),)
    return View.UNKNOWN, (Note("view_missing", "No attribute states the projection."),)


def find_orientation(dataset: Dataset) -> tuple[Orientation, tuple[Note, ...]]:
    """Read Patient Orientation (0020,0020): directions of the rows and of the columns.

    Raises nothing: what cannot be read is assumed to be a standard AP film, and said.
    """
    stated = tuple(part.upper()[:1] for part in texts_of(dataset, "PatientOrientation"))
    if len(stated) == 2 and stated[0] in _SIDES and stated[1] in ("F", "H"):
        return Orientation(_SIDES[stated[0]], stated[1] == "F", "attribute"), ()
    if len(stated) == 2 and all(stated):
        text = f"Patient Orientation {stated} is not a frontal film with the head up or down."
        return Orientation(), (Note("orientation_unusual", text),)
    text = "Patient Orientation is missing; assumed: patient's left on the right, head up."
    return Orientation(), (Note("orientation_assumed", text),)


def _special_view(text: str) -> View | None:
    return next((view for view, words in _VIEW_WORDS if words.search(text)), None)


def _ap_view(words: str, side: Side) -> View:
    """Tell one hip from the whole pelvis by the words, else by whether one side is stated."""
    if _PELVIS_WORDS.search(words):
        return View.AP_PELVIS
    if _HIP_WORDS.search(words):
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


def _age(dataset: Dataset) -> str:
    """Return the age (DICOM AS, "034Y"), from the birth date when it is not stated."""
    stated = text_of(dataset, "PatientAge").upper()
    if stated:
        return stated
    birth, study = text_of(dataset, "PatientBirthDate"), text_of(dataset, "StudyDate")
    if not (re.fullmatch(r"\d{8}", birth) and re.fullmatch(r"\d{8}", study)):
        return ""
    years = int(study[:4]) - int(birth[:4]) - (study[4:] < birth[4:])
    return f"{years:03d}Y" if 0 <= years <= 130 else ""
