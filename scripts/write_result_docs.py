"""Write ``docs/tables.md`` and ``docs/result.schema.json`` from the code that writes results."""

from __future__ import annotations

import json
from pathlib import Path

from hoseg.report.schema import json_schema
from hoseg.report.tables import FINDING_COLUMNS, IMAGE_COLUMNS, describe_columns
from hoseg.review.exports import GRADE_COLUMNS

FINDINGS = """\
Every hip of every patient has exactly one row, graded or abstained on. Where several images of a
study show a hip, the row is that of one of them: a graded one before one that is abstained on, an
AP view before another, then the worse class, then the smaller gap, then the first image. Where
another image gives another class, `caveats` says `other_view_disagrees`, or
`other_view_shows_no_bridge` where that speaks against a bridge. `hip` is the row's key: it does
not depend on which image decides, so that rows of several runs can be joined by it.

A film without Study Instance UID is a study of its own, and so is a film whose Study Instance UID
films of another patient bear as well: nothing says which films belong together. A hip whose side
is unknown is merged with no other and has a number instead. Two such films of the same hip
therefore have two rows.

`brooker_p0` to `brooker_p4` sum to 1 less the share of draws in which no class can be given: those
in which a rule in millimetres would decide and the film has no calibration. Probabilities of a
model (`class_probabilities_from`) always sum to 1. A hip of class 0 has an area and a longest axis
of 0 where millimetres are known.
"""

DOCS = Path(__file__).parents[1] / "docs"


def pages() -> dict[str, str]:
    """Name of each file and its text."""
    tables = (
        "# Tables\n\nA cell is text; empty = does not apply or is not known. Lists in a cell are "
        "separated by `;`. Written by `scripts/write_result_docs.py`.\n\n"
        f"## images.csv: one row for every input\n\n{describe_columns(IMAGE_COLUMNS)}\n"
        f"## findings.csv: one row for every hip\n\n{FINDINGS}\n"
        f"{describe_columns(FINDING_COLUMNS)}\n"
        "## Grades of readers: one row for a reader and a hip\n\nWritten by `hoseg review RUN "
        "--grades FILE`, see `review.md`.\n\n"
        f"{describe_columns(GRADE_COLUMNS)}"
    )
    schema = json.dumps(json_schema(), indent=1) + "\n"
    return {"tables.md": tables, "result.schema.json": schema}


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
