"""Derive ``hoseg/deidentify/annex_e.csv`` from the table that ``dicom-anonymizer`` ships.

DICOM PS3.15 table E.1-1 (Basic Application Level Confidentiality Profile) has some 650 rows.
``dicom-anonymizer`` (Kitware Europe, BSD-3-Clause) generates them from the standard's own pages;
this script turns them into one readable file, once for each edition:

    pip install --no-deps dicom-anonymizer==2.1.0 && python scripts/derive_annex_e.py
"""

from __future__ import annotations

import csv
from pathlib import Path

from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table
from pydicom.datadict import dictionary_has_tag, dictionary_keyword

ACTIONS = {
    "D_TAGS": "D",
    "Z_TAGS": "Z",
    "X_TAGS": "X",
    "U_TAGS": "U",
    "Z_D_TAGS": "Z/D",
    "X_Z_TAGS": "X/Z",
    "X_D_TAGS": "X/D",
    "X_Z_D_TAGS": "X/Z/D",
    "X_Z_U_STAR_TAGS": "X/Z/U*",
}
# The rows with K in the column "Rtn. Pat. Chars. Opt." that radiographs can have.
CHARACTERISTICS = {
    "EthnicGroup",
    "PatientAge",
    "PatientSex",
    "PatientSexNeutered",
    "PatientSize",
    "PatientWeight",
    "PregnancyStatus",
    "SmokingStatus",
}


def rows() -> list[tuple[str, str, str, str]]:
    """(tag with x for any digit, keyword, action, K or nothing) in tag order."""
    found = {}
    for name, action in ACTIONS.items():
        for tag in getattr(table, name):
            group, element = tag[:2]
            if len(tag) == 4:  # repeating groups 50xx and 60xx
                text = f"{group >> 8:02x}xx{element:04x}" if tag[3] else f"{group >> 8:02x}xxxxxx"
                keyword = ""
            else:
                text = f"{group:04x}{element:04x}"
                number = group << 16 | element
                keyword = dictionary_keyword(number) if dictionary_has_tag(number) else ""
            found[text] = (text, keyword, action, "K" if keyword in CHARACTERISTICS else "")
    return sorted(found.values())


if __name__ == "__main__":
    target = Path(__file__).parents[1] / "hoseg" / "deidentify" / "annex_e.csv"
    with target.open("w", newline="", encoding="ascii") as file:
        file.write("# DICOM PS3.15 2026c table E.1-1: scripts/derive_annex_e.py, see NOTICE\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("tag", "keyword", "basic_profile", "retain_patient_characteristics"))
        writer.writerows(rows())
