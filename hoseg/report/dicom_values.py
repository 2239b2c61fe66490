"""Make what is copied from a source valid for a new object: mend what is plain, drop the rest.

DICOM PS3.5 6.2 says what a value of each representation looks like. Sources break it ("53Y" for an
age, "2020.01.31" for a date, "70,5 kg" for a weight); a new object may not repeat that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date

from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID

_TIME = re.compile(r"([01]\d|2[0-3])(?:([0-5]\d)(?:([0-5]\d|60)(\.\d{1,6})?)?)?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_CODE_PARTS = ("CodeMeaning", "CodingSchemeDesignator")
_LONGEST = {"SH": 16, "LO": 64, "ST": 1024}


def mend(dataset: Dataset) -> None:
    """Mend or drop, in place, every value that is not valid, in sequences too.

    Elements of another representation than the dictionary's are written as the dictionary has it.
    Private elements, and items of code or reference sequences that lack a part, are dropped.
    """
    for tag in list(dataset.keys()):
        element = dataset[tag]
        kind = "" if tag.is_private else _kind_of(element)
        if not kind or (kind == "SQ") != (element.VR == "SQ"):
            del dataset[tag]
        elif kind == "SQ":
            for item in element.value:
                mend(item)
            kept = [item for item in element.value if _whole(keyword_for_tag(tag), item)]
            if kept or not element.value:
                element.value = kept
            else:
                del dataset[tag]
        elif kind in _MENDERS:
            _mend_element(dataset, element, kind)


def valid_character_set(stated: str | Iterable[str]) -> list[str]:
    """Defined terms of a Specific Character Set, mended ("ISO IR 192"); empty when unusable."""
    terms = [stated] if isinstance(stated, str) else [str(term) for term in stated]
    mended = [re.sub(r"^ISO[ _-]IR[ _-]?", "ISO_IR ", term.strip().upper()) for term in terms]
    return mended if all(term in python_encoding for term in mended) else []


def _kind_of(element: DataElement) -> str:
    """The dictionary's representation; that of the element where there are several; else ""."""
    try:
        kind = dictionary_VR(element.tag)
    except KeyError:
        return ""
    return str(element.VR) if " or " in kind else kind


def _mend_element(dataset: Dataset, element: DataElement, kind: str) -> None:
    value = element.value
    many = isinstance(value, (list, tuple)) or hasattr(value, "append")
    texts = [str(one).strip(" \0") for one in value] if many else [str(value or "").strip(" \0")]
    mended = [_MENDERS[kind](text) if text else "" for text in texts]
    if mended == texts and kind == element.VR:
        return
    if any(text is None for text in mended):
        mended = [""]
    if mended == [""] and texts != [""]:
        del dataset[element.tag]
        return
    dataset[element.tag] = DataElement(element.tag, kind, mended if many else mended[0])


def _whole(keyword: str, item: Dataset) -> bool:
    """Whether an item of a code or reference sequence says enough to be understood."""
    if keyword.endswith("CodeSequence"):
        values = ("CodeValue", "LongCodeValue", "URNCodeValue")
        return all(item.get(k) for k in _CODE_PARTS) and any(item.get(k) for k in values)
    if keyword in ("ReferencedStudySequence", "ReferencedPatientSequence"):
        return all(item.get(f"ReferencedSOP{what}UID") for what in ("Class", "Instance"))
    return True


def _date(text: str) -> str | None:
    match = re.fullmatch(r"(\d{4})[.\-/]?(\d{2})[.\-/]?(\d{2})", text)
    if match is None:
        return None
    try:
        date(*(int(part) for part in match.groups()))
    except ValueError:
        return None
    return "".join(match.groups())


def _time(text: str) -> str | None:
    plain = re.sub(r"(?<=\d\d):(?=\d\d)", "", text)
    return plain if _TIME.fullmatch(plain) else None


def _date_time(text: str) -> str | None:
    return text if re.fullmatch(r"\d{4}(\d{2}){0,5}(\.\d{1,6})?([+-]\d{4})?", text) else None


def _age(text: str) -> str | None:
    match = re.fullmatch(r"(\d{1,3})([DWMY])", text.upper())
    return f"{int(match[1]):03d}{match[2]}" if match else None


def _decimal(text: str) -> str | None:
    plain = text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
    if _NUMBER.fullmatch(plain) is None:
        return None
    return plain if len(plain) <= 16 else f"{float(plain):.9g}"


def _integer(text: str) -> str | None:
    ok = re.fullmatch(r"[+-]?\d{1,11}", text) and -(2**31) <= int(text) < 2**31
    return text if ok else None


def _code_string(text: str) -> str | None:
    plain = text.upper()
    return plain if re.fullmatch(r"[A-Z0-9 _]{1,16}", plain) else None


def _uid(text: str) -> str | None:
    return text if UID(text).is_valid else None


def _text(kind: str) -> Callable[[str], str | None]:
    return lambda text: text[: _LONGEST[kind]].rstrip()


def _person_name(text: str) -> str:
    """At most three groups (alphabetic, ideographic, phonetic) of 64 characters each."""
    return "=".join(group[:64].rstrip() for group in text.split("=")[:3])


_MENDERS: dict[str, Callable[[str], str | None]] = {
    "DA": _date,
    "TM": _time,
    "DT": _date_time,
    "AS": _age,
    "DS": _decimal,
    "IS": _integer,
    "CS": _code_string,
    "UI": _uid,
    "PN": _person_name,
    **{kind: _text(kind) for kind in _LONGEST},
}
