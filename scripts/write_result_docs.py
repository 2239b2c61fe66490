"""Write ``docs/tables.md`` and ``docs/result.schema.json`` from the code that writes results."""

from __future__ import annotations

import json
from pathlib import Path

from hoseg.report.schema import json_schema
from hoseg.report.tables import FINDING_COLUMNS, IMAGE_COLUMNS, describe_columns
from hoseg.review.exports import GRADE_COLUMNS

DOCS = Path(__file__).parents[1] / "docs"


def pages() -> dict[str, str]:
    """Name of each file and its text."""
    tables = (
        "# Tables\n\nA cell is text; empty = does not apply or is not known. Lists in a cell are "
        "separated by `;`. Written by `scripts/write_result_docs.py`.\n\n"
        f"## images.csv: one row for every input\n\n{describe_columns(IMAGE_COLUMNS)}\n"
        f"## findings.csv: one row for every hip\n\n{describe_columns(FINDING_COLUMNS)}\n"
        "## Grades of readers: one row for a reader and a hip\n\nWritten by `hoseg review RUN "
        "--grades FILE`, see `review.md`.\n\n"
        f"{describe_columns(GRADE_COLUMNS)}"
    )
    schema = json.dumps(json_schema(), indent=1) + "\n"
    return {"tables.md": tables, "result.schema.json": schema}


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
