"""Why an image is not copied: codes that only de-identification knows, and their meanings."""

from __future__ import annotations

from enum import StrEnum

from hoseg.reasons import Reason


class Refused(StrEnum):
    """Reason code of a refusal that only de-identification knows.

    meaning: what it says, in general words that name nobody
    """

    meaning: str

    def __new__(cls, code: str, meaning: str = "") -> Refused:
        """Make a member that is its code and carries its meaning."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    BURNED_IN_TEXT = "burned_in_text", "text is burned into the pixels, more than is painted out"
    BURNED_IN_NOT_FOUND = "burned_in_not_found", "stated to have burned-in text; none was found"
    NO_IDENTITY = "no_identity", "Study or SOP Instance UID is missing or no single value"


def meaning_of(code: str) -> str:
    """What a reason code says, in general words: no name of a file, no value of an attribute."""
    for table in (Refused, Reason):
        if code in list(table):
            return table(code).meaning
    return "cannot be used"
