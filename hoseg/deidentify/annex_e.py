"""The Basic Application Level Confidentiality Profile as data: DICOM PS3.15 table E.1-1."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pydicom.tag import BaseTag


@dataclass(frozen=True)
class AttributeAction:
    """What the profile says about one attribute.

    code: "X" remove, "Z" empty, "D" dummy, "U" replace the UID, or alternatives such as
        "X/Z/D": the first that keeps the object valid
    characteristic: kept by the option "Retain Patient Characteristics" (E.3.8)
    """

    code: str
    characteristic: bool = False

    @property
    def first(self) -> str:
        """The action taken.

        Every attribute of a radiograph with alternatives is optional where "X" comes first and
        may be empty where "Z" does (PS3.3 A.2, A.26), so the first, strictest one is valid. A
        sequence that points at other images keeps its mapped UIDs.
        """
        return "U" if self.code.endswith("U*") else self.code.partition("/")[0]


def action_for(tag: BaseTag) -> AttributeAction | None:
    """What becomes of an attribute, repeating groups included; None when the table has none."""
    exact, repeating = _table()
    return exact.get(int(tag)) or repeating.get(f"{tag.group >> 8:02x}xx{tag.element:04x}")


@cache
def _table() -> tuple[dict[int, AttributeAction], dict[str, AttributeAction]]:
    text = (files("hoseg.deidentify") / "annex_e.csv").read_text(encoding="ascii")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    exact, repeating = {}, {}
    for row in csv.DictReader(lines):
        action = AttributeAction(row["basic_profile"], row["retain_patient_characteristics"] == "K")
        if "x" in row["tag"]:
            repeating[row["tag"]] = action
        else:
            exact[int(row["tag"], 16)] = action
    return exact, repeating
