"""De-identification by the basic profile of DICOM PS3.15 Annex E, with two of its options.

The table of the standard is data (``annex_e.csv``). Beyond it: private, unknown and retired
groups go, person names and times go wherever they stand, and what is left is searched for the
patient's own identifiers.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from pydicom.datadict import dictionary_has_tag, repeater_has_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, UID_dictionary

import hoseg
from hoseg.deidentify.annex_e import action_for
from hoseg.deidentify.identifiers import identifiers_of
from hoseg.deidentify.names import is_nobody
from hoseg.deidentify.pseudonyms import Pseudonyms
from hoseg.deidentify.terms import terms_of

TEMPORAL = ("DA", "DT", "TM")
DATED = ("DA", "DT")
TEXT = ("LO", "LT", "SH", "ST", "UC", "UR", "UT", "AE", "CS")
NUMERIC = ("IS", "DS")
BINARY = ("OB", "OW", "OD", "OF", "OL", "OV", "UN")
# Bytes without which the pixels cannot be shown; any others may hold anything.
_PICTURE = {
    "PixelData",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "LUTData",
    *(f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
}
_DUMMY = {
    "AE": "ANONYMOUS",
    "AS": "000D",
    "CS": "ANONYMOUS",
    "DA": "19000101",
    "DT": "19000101000000",
    "TM": "000000",
    "DS": "0",
    "IS": "0",
}
_OLDEST_AGE = 89


@dataclass(frozen=True)
class Policy:
    """Choices of a de-identification.

    keep_characteristics: age (over 89 becomes 90), sex, size, weight, ... stay (E.3.8)
    shift_dates: dates move by a number of days of the patient's own (E.3.6), else they go;
        times of day go in any case
    pixels: "mask" burned-in text, "refuse" such images, or "keep" (do not look)
    """

    keep_characteristics: bool = False
    shift_dates: bool = False
    pixels: Literal["mask", "refuse", "keep"] = "mask"


def deidentify_dataset(
    dataset: Dataset, policy: Policy, pseudonyms: Pseudonyms
) -> tuple[Dataset, dict[str, int]]:
    """Copy a dataset without what identifies the patient; pixels are not looked at.

    Parameters
    ----------
    dataset : Dataset
        As read; it is not changed.
    policy : Policy
        Options of the profile.
    pseudonyms : Pseudonyms
        Maps UIDs, the Patient ID and dates.

    Returns
    -------
    Dataset
        With a new file meta group, a blank preamble and the de-identification attributes.
    dict
        Number of elements by what was done: removed, emptied, replaced, uids, dates, scrubbed.
    """
    worker = _Worker(dataset, policy, pseudonyms)
    clean = worker.clean(dataset)
    clean.PatientID = clean.PatientName = pseudonyms.patient(worker.patient)
    _declare(clean, policy)
    _new_file_meta(clean, dataset)
    return clean, dict(sorted(worker.counts.items()))


def patient_identity(dataset: Dataset) -> str:
    """Text that stands for the patient: the ID, else name and birth date, else the study.

    What anonymisers put there ("ANONYMOUS", "000000") is nobody's: people would become one.
    """
    identity = str(dataset.get("PatientID") or "").strip()
    if not is_nobody(identity):
        return identity
    name, birth = str(dataset.get("PatientName") or ""), str(dataset.get("PatientBirthDate") or "")
    if not is_nobody(name):
        return f"{name}\0{birth}"
    return str(dataset.get("StudyInstanceUID") or identity or "unknown")


class _Worker:
    """One file: what to search for, and what was done."""

    def __init__(self, dataset: Dataset, policy: Policy, pseudonyms: Pseudonyms) -> None:
        self.policy = policy
        self.pseudonyms = pseudonyms
        self.patient = patient_identity(dataset)
        self.identifiers = identifiers_of(dataset)
        self.counts: Counter[str] = Counter()

    def clean(self, dataset: Dataset) -> Dataset:
        """Return a cleaned copy of one level, sequences included."""
        kept = Dataset()
        for tag in dataset.keys():  # noqa: SIM118  (iterating converts every raw element)
            if _is_dropped(tag.group) or not _is_known(int(tag)):
                self.counts["removed"] += 1
                continue
            raw = dataset.get_item(tag)
            written = raw.value if isinstance(raw, RawDataElement) else None
            element = self._element(dataset[tag], written)
            if element is not None:
                kept.add(element)
        return kept

    def _element(self, element: DataElement, written: bytes | None) -> DataElement | None:
        """What becomes of an element; ``written`` are its bytes where they are known."""
        action = action_for(element.tag)
        if action is None:
            return self._unlisted(element, written)
        if action.characteristic and self.policy.keep_characteristics:
            return None if self._identifies(element, written) else _capped_age(element)
        if element.VR in DATED and self.policy.shift_dates and element.tag.group != 0x0010:
            return self._shifted(element)
        return self._apply(element, action.first)

    def _apply(self, element: DataElement, code: str) -> DataElement | None:
        if code == "X":
            self.counts["removed"] += 1
            return None
        if code == "U":
            return self._sequence(element) if element.VR == "SQ" else self._mapped(element)
        if code == "D" and element.VR == "UI":
            return self._mapped(element)
        if code == "Z" or element.VR in ("SQ", "UN", "OB", "OW", "OD", "OF", "OL", "OV"):
            self.counts["emptied"] += 1
            return _with(element, Sequence() if element.VR == "SQ" else None)
        self.counts["replaced"] += 1
        return _with(element, _DUMMY.get(element.VR, "ANONYMIZED"))

    def _unlisted(self, element: DataElement, written: bytes | None) -> DataElement | None:
        """Attributes that the table leaves alone may still hold a name, a time or an identifier."""
        if element.VR == "SQ":
            return self._sequence(element)
        if element.VR == "UI":
            return self._mapped(element)
        if element.VR in DATED and self.policy.shift_dates:
            return self._shifted(element)
        if element.VR in ("PN", *TEMPORAL) or _says_where_or_when(element):
            self.counts["removed"] += 1
            return None
        if element.VR in BINARY and element.keyword not in _PICTURE:
            self.counts["removed"] += 1
            return None
        if self._identifies(element, written):
            self.counts["scrubbed"] += 1
            return _with(element, None) if element.VR in NUMERIC else None
        return element

    def _sequence(self, element: DataElement) -> DataElement:
        return _with(element, Sequence([self.clean(item) for item in element.value or []]))

    def _mapped(self, element: DataElement) -> DataElement:
        """Replace UIDs of instances; those that DICOM itself registered say nothing."""
        values = element.value if element.VM > 1 else [element.value]
        mapped = [
            str(uid) if not uid or str(uid) in UID_dictionary else self.pseudonyms.uid(str(uid))
            for uid in values
        ]
        self.counts["uids"] += sum(a != str(b) for a, b in zip(mapped, values, strict=True) if b)
        return _with(element, mapped if len(mapped) > 1 else mapped[0])

    def _shifted(self, element: DataElement) -> DataElement:
        values = element.value if element.VM > 1 else [element.value]
        moved = [self.pseudonyms.shift_date(str(v or ""), self.patient) for v in values]
        self.counts["dates"] += sum(bool(value) for value in moved)
        return _with(element, moved if len(moved) > 1 else moved[0])

    def _identifies(self, element: DataElement, written: bytes | None) -> bool:
        if element.is_empty or element.keyword == "SpecificCharacterSet":
            return False
        values = [str(value) for value in (element.value if element.VM > 1 else [element.value])]
        if element.VR in NUMERIC:
            return any(self.identifiers.is_number(value) for value in values)
        if element.VR not in TEXT or set(values) <= terms_of(element.keyword):
            return False
        return self.identifiers.found_in("\\".join(values), written)


def _says_where_or_when(element: DataElement) -> bool:
    """Addresses of other systems, and dates of life in another calendar: not in the table."""
    if element.VR == "UR":
        return element.keyword not in ("CodingSchemeURL", "URNCodeValue")
    return element.keyword in (
        "PatientBirthDateInAlternativeCalendar",
        "PatientDeathDateInAlternativeCalendar",
        "PatientAlternativeCalendar",
    )


def _is_dropped(group: int) -> bool:
    """Private groups, curves, overlays, file meta, padding."""
    return bool(group % 2) or group in (0x0002, 0xFFFC) or group & 0xFF00 in (0x5000, 0x6000)


def _is_known(tag: int) -> bool:
    return dictionary_has_tag(tag) or repeater_has_tag(tag)


def _with(element: DataElement, value: object) -> DataElement:
    return DataElement(element.tag, element.VR, value)


def _capped_age(element: DataElement) -> DataElement:
    """Ages over 89 years become 90: so few people are that old that they could be named."""
    if element.keyword != "PatientAge":
        return element
    match = re.fullmatch(r"(\d{3})([DWMY])", str(element.value or "").strip())
    if match is None:
        return _with(element, "")
    if match[2] == "Y" and int(match[1]) > _OLDEST_AGE:
        return _with(element, f"{_OLDEST_AGE + 1:03d}Y")
    return element


def _declare(dataset: Dataset, policy: Policy) -> None:
    """Say what was done (PS3.15 E.1.1, PS3.16 CID 7050)."""
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = f"hoseg {hoseg.__version__} PS3.15 Annex E basic profile"
    methods = [codes.cid7050.BasicApplicationConfidentialityProfile]
    if policy.pixels != "keep":
        methods.append(codes.cid7050.CleanPixelDataOption)
    if policy.keep_characteristics:
        methods.append(codes.cid7050.RetainPatientCharacteristicsOption)
    if policy.shift_dates:
        methods.append(codes.cid7050.RetainLongitudinalTemporalInformationModifiedDatesOption)
    items = []
    for method in methods:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator = method.value, method.scheme_designator
        item.CodeMeaning = method.meaning
        items.append(item)
    dataset.DeidentificationMethodCodeSequence = Sequence(items)
    dataset.LongitudinalTemporalInformationModified = (
        "MODIFIED" if policy.shift_dates else "REMOVED"
    )


def _new_file_meta(dataset: Dataset, original: Dataset) -> None:
    """File meta without titles and private information, and 128 zero bytes before it."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "")
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "")
    stated = getattr(original, "file_meta", FileMetaDataset()).get("TransferSyntaxUID")
    meta.TransferSyntaxUID = stated or ExplicitVRLittleEndian
    dataset.file_meta = meta
    dataset.preamble = b"\0" * 128
