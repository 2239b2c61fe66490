"""What identifies the patient of one file, gathered to be found wherever text is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from hoseg.deidentify.dates import date_of, tells
from hoseg.deidentify.names import Names
from hoseg.deidentify.spelling import fold, readings, runs

_NUMBERS = {
    "PatientID",
    "OtherPatientIDs",
    "AccessionNumber",
    "PatientTelephoneNumbers",
    "MedicalRecordLocator",
    "AdmissionID",
}
_PHRASES = {"PatientAddress", "InstitutionName", "InstitutionAddress", "StationName"}
_BIRTH = "PatientBirthDate"
_SHORTEST_PHRASE = 4
_SHORTEST_NUMBER = 5  # digits that are not found in other numbers by chance
_BEFORE_SHORT = r"(?:id|nr|no|pid|mrn|pat|patient|case|fall|acc|#|№|号|番号|번호)[\W_]{0,3}0*"


@dataclass
class Identifiers:
    """Names, numbers and dates of one file.

    names: of the patient and of everybody else
    numbers: IDs, as patterns
    births: dates of birth
    days: all other dates
    """

    names: Names = field(default_factory=Names)
    numbers: set[str] = field(default_factory=set)
    births: set[date] = field(default_factory=set)
    days: set[date] = field(default_factory=set)
    _pattern: re.Pattern[str] | None = None

    def found_in(self, text: str, raw: bytes | None = None) -> bool:
        """Whether a value holds any of them.

        text: as the file's character set has it
        raw: its bytes, where they are known; they may mean something else
        """
        if raw is None:
            return self._found_in(text)
        likely, possible = readings(raw, text)
        return self.names.found_in_bytes(raw) or any(map(self._found_in, [*likely, *possible]))

    def is_number(self, value: str) -> bool:
        """Whether a number is one of the IDs or dates; numbers of few digits say nothing."""
        digits = value.strip()
        return digits.isdecimal() and len(digits) >= _SHORTEST_NUMBER and self._found_in(digits)

    def _found_in(self, text: str) -> bool:
        if self._pattern is None:
            self._pattern = re.compile("|".join(sorted(self.numbers)) or r"(?!)")
        return (
            self.names.found_in(text)
            or self._pattern.search(fold(text).casefold()) is not None
            or any(tells(text, day, birth=True) for day in self.births)
            or any(tells(text, day) for day in self.days)
        )

    def _add(self, keyword: str, vr: str, value: str, raw: bytes | None) -> None:
        if vr == "PN":
            self.names.add(value, raw)
            self._add_digits(fold(value))
        elif keyword in _NUMBERS:
            self._add_number(fold(value))
        elif keyword in _PHRASES:
            phrase = _spaced(fold(value).casefold())
            if len(re.sub(r"\W", "", value)) >= _SHORTEST_PHRASE:
                self.numbers.add(rf"(?<![^\W_]){phrase}(?![^\W_])")
        elif vr in ("DA", "DT") and (day := date_of(value)) is not None:
            (self.births if keyword == _BIRTH else self.days).add(day)

    def _add_number(self, value: str) -> None:
        """An ID: as it is, with or without its separators, and the number within it."""
        plain = "".join(letter for letter in value.casefold() if letter.isalnum())
        if plain.isalpha():
            # Letters alone are somebody's name.
            self.names.add("^".join(runs(value)))
            return
        if len(plain) >= _SHORTEST_NUMBER:
            self.numbers.add(_number(plain.lstrip("0") if plain.isdecimal() else plain))
        elif len(plain) == _SHORTEST_NUMBER - 1:
            self.numbers.add(rf"(?<![^\W_]){_spaced(plain)}(?![^\W_])")
        if plain and len(plain) < _SHORTEST_NUMBER:
            self.numbers.add(rf"(?<![^\W_]){_BEFORE_SHORT}{_spaced(plain)}(?![^\W_])")
        self._add_digits(value)

    def _add_digits(self, value: str) -> None:
        """Numbers within a text that are long enough to be somebody's."""
        for digits in re.findall(r"\d+", value):
            significant = digits.lstrip("0")
            if len(significant) >= _SHORTEST_NUMBER:
                self.numbers.add(_number(significant))


def identifiers_of(dataset: Dataset) -> Identifiers:
    """Gather what identifies in a data set, at any level.

    Reads the bytes of names before they are decoded: the character set may be wrong.
    """
    found = Identifiers()
    for raw, element in _identifying(dataset):
        values = element.value if element.VM > 1 else [element.value]
        bytes_of = raw.value if isinstance(raw, RawDataElement) else None
        parts = bytes_of.split(b"\\") if bytes_of is not None else []
        for place, value in enumerate(values):
            known = bytes_of if len(values) == 1 else None
            if len(parts) == len(values) > 1:
                known = parts[place]
            found._add(element.keyword, element.VR, str(value or ""), known or None)
    return found


def _identifying(dataset: Dataset) -> Iterator[tuple[DataElement | RawDataElement, DataElement]]:
    """Elements that may identify, as they were read and decoded, sequences included."""
    for tag in list(dataset.keys()):
        raw = dataset.get_item(tag)
        vr = _vr_of(raw, tag)
        if vr == "SQ":
            for item in dataset[tag].value or []:
                yield from _identifying(item)
        elif vr in ("PN", "DA", "DT") or keyword_for_tag(tag) in _NUMBERS | _PHRASES:
            yield raw, dataset[tag]


def _vr_of(element: DataElement | RawDataElement, tag: BaseTag) -> str:
    """VR as the dictionary has it where the file does not state one."""
    if element.VR in (None, "UN") and dictionary_has_tag(tag):
        return dictionary_VR(tag)
    return str(element.VR)


def _number(plain: str) -> str:
    """Pattern of an ID: between other letters too, but not within a longer number."""
    before = r"(?<!\d)0*" if plain[0].isdecimal() else ""
    after = r"(?!\d)" if plain[-1].isdecimal() else ""
    return before + r"[\W_]?".join(map(re.escape, plain)) + after


def _spaced(text: str) -> str:
    """Pattern of a text whatever stands between its letters."""
    return r"[\W_]{0,3}".join(re.escape(letter) for letter in text if letter.isalnum())
