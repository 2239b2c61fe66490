"""Coded concepts of the DICOM objects: SNOMED CT and DCM where they fit, else ``99HOSEG``.

There is no SNOMED concept for the Brooker classes, and its "postoperative heterotopic
ossification" is wrong for neurogenic bone: both use the private scheme. The private code for
ossification names ``52988006 Lesion`` as its equivalent, for systems that know SNOMED only.
"""

from __future__ import annotations

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom.sequence import Sequence as DicomSequence
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from hoseg.radiograph import Side, View
from hoseg.words import BROOKER, CALIBRATIONS, PROVISIONAL, VIEWS, plain

SCHEME = "99HOSEG"
SCHEME_VERSION = "1"

PATHOLOGY = Code("49755003", "SCT", "Morphologically Abnormal Structure")
ANATOMY = Code("91723000", "SCT", "Anatomical Structure")
OBJECT = Code("260787004", "SCT", "Physical object")
HIP_REGION = Code("29836001", "SCT", "Hip")
LESION = Code("52988006", "SCT", "Lesion")
LATERALITY = {
    Side.LEFT: Code("7771000", "SCT", "Left"),
    Side.RIGHT: Code("24028007", "SCT", "Right"),
}
TOTAL = codes.cid7464.Total
MAXIMUM = codes.cid7464.Maximum
DISTANCE = Code("121206", "DCM", "Distance")
AREA = Code("42798000", "SCT", "Area")
LENGTH = Code("410668003", "SCT", "Length")
MILLIMETRE = Code("mm", "UCUM", "mm")
SQUARE_MILLIMETRE = Code("mm2", "UCUM", "square millimeter")
UNITY = Code("1", "UCUM", "no units")

QUALITATIVE = Code("C0034375", "UMLS", "Qualitative Evaluations")
CONCLUSION = codes.DCM.Conclusion
COMMENT = codes.DCM.Comment

_ANSWERS = VIEWS | CALIBRATIONS | PROVISIONAL
_SYSTEMS = {"della_valle": "Della Valle", "schmidt_hackenbroch": "Schmidt-Hackenbroch"}
_CLASSES = ("0 (none)", *BROOKER[1:])


def private(value: str, meaning: str) -> CodedConcept:
    """Concept of the private scheme; values over 16 characters become Long Code Values."""
    return CodedConcept(value, SCHEME, meaning[:64], SCHEME_VERSION)


def procedure() -> CodedConcept:
    """What was reported on: CID 100 has no radiograph of the hip."""
    return private("XR-HIP", "Radiograph of the hip region (pelvis)")


def heterotopic_ossification() -> CodedConcept:
    """Ossification of any cause about the hip, with ``Lesion`` as its SNOMED equivalent."""
    concept = private("HO", "Heterotopic ossification")
    concept.EquivalentCodeSequence = DicomSequence([CodedConcept.from_code(LESION)])
    return concept


def structure_codes(structure: str) -> tuple[Code, Code | CodedConcept]:
    """(category, type) of a segment, by the name of its structure."""
    table: dict[str, tuple[Code, Code | CodedConcept]] = {
        "pelvis": (ANATOMY, Code("118645006", "SCT", "Pelvis")),
        "femur": (ANATOMY, Code("71341001", "SCT", "Femur")),
        "implant": (OBJECT, Code("53350007", "SCT", "Prosthesis")),
        "ossification": (PATHOLOGY, heterotopic_ossification()),
    }
    return table[structure]


def evaluation(system: str, value: int | str) -> tuple[CodedConcept, CodedConcept]:
    """(question, answer) for one class of one grading system, e.g. ``("brooker", 3)``."""
    name = _SYSTEMS.get(system, system.replace("_", " ").capitalize())
    shown = _CLASSES[value] if isinstance(value, int) else value
    prefix = system.upper().replace("_", "-")
    return (
        private(prefix, f"{name} class"),
        private(f"{prefix}-{str(value).upper()}", f"{name} class {shown}"),
    )


def every_contact(brooker: int) -> tuple[CodedConcept, CodedConcept]:
    """(question, answer): the class if every contact on the film counted."""
    return (
        private("BROOKER-EVERY-CONTACT", "Brooker class with superimposed contacts counted"),
        evaluation("brooker", brooker)[1],
    )


def presence(found: bool | None) -> tuple[CodedConcept, Code]:
    """(question, answer of CID 240) for whether there is ossification; None = not known."""
    answers = codes.cid240
    answer = {True: answers.Present, False: answers.Absent, None: answers.Undetermined}[found]
    return private("HO-PRESENCE", "Presence of heterotopic ossification"), answer


def projection(view: View) -> tuple[Code, Code] | None:
    """(Image View, answer of CID 4010) where the standard has a code for the view."""
    ap = view in (View.AP_PELVIS, View.AP_HIP)
    return (codes.DCM.ImageView, codes.cid4010.AnteroPosterior) if ap else None


def brooker_probability(k: int) -> CodedConcept:
    """Name of the measurement that holds P(Brooker class = k)."""
    return private(f"P-BROOKER-{k}", f"Probability of Brooker class {_CLASSES[k]}")


def fact(question: str, answer: str) -> tuple[CodedConcept, CodedConcept]:
    """(question, answer) for a fact whose values are hoseg's own codes, e.g. a reason."""
    names = {
        "abstained": "Reason for giving no class",
        "at_least": "Brooker class certain from what is visible",
        "provisional": "Reason why the class is provisional",
        "pattern": "Pattern of ossification",
        "spacing_source": "Source of the calibration in millimetres",
        "view": "Radiographic view",
        "site": "Site about the hip",
        "maturity": "Maturity of ossification",
    }
    return (
        private(question.upper().replace("_", "-"), names[question]),
        private(answer.upper().replace("_", "-")[:64], _ANSWERS.get(answer) or plain(answer)),
    )


def scheme_identification() -> CodingSchemeIdentificationItem:
    """Item of the Coding Scheme Identification Sequence (PS3.3 C.12.1.1.1)."""
    return CodingSchemeIdentificationItem(
        designator=SCHEME,
        name="hoseg codes",
        version=SCHEME_VERSION,
        responsible_organization="hoseg",
    )
