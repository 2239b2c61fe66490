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

READING = """# Tables

A cell is text; empty = does not apply or is not known. Lists in a cell are separated by `;`. The
tables of a run are `images.csv` and `findings.csv`, in UTF-8 with a point in numbers, and the same
with typed columns as Parquet where pyarrow is installed (`pip install 'hoseg[parquet]'`;
`--no-parquet` leaves them out). Written by `scripts/write_result_docs.py`.

A spreadsheet, pandas or R takes an identifier like `0001234` for the number 1234 unless told not
to. Identifiers are text, classes are whole numbers that may be missing:

```python
pandas.read_parquet("RESULTS/findings.parquet", dtype_backend="numpy_nullable")  # knows the types
pandas.read_csv(
    "RESULTS/findings.csv",
    dtype={types},
)
```

```r
read.csv("RESULTS/findings.csv", colClasses = c({classes}))
```

The two tables meet in `folder`.

`hoseg run --json` prints the row of each input as one JSON object: numbers as numbers, no key for
an empty cell, `done_before` when an earlier start had done it, and under `findings` each hip of the
image with its columns below. The last line is the sum: `inputs`, `graded`, `abstained`,
`skipped`, `failed`, `done_before`, `hips` and `out`.

Inputs that are no films have a row too: what systems keep beside files (`system_file`), masks of
labelled films (`label_mask`), the index of a CD (`media_directory`), links to other folders
(`linked_folder`). Results of hoseg below an input have one row for all (`own_result`); those in
`--out` have none. A file name that is not UTF-8 is spelled with `\\xNN` for each such byte.

`--spacing-mm` is for files that carry no millimetres. `--override-spacing-mm` stands in place of
what files carry: `spacing_source` is then `user_override`, and remarks say what the file says.

Copies of a film (equal SOP Instance UID and pixels) are `duplicate`, once one of them could be
read. Films of equal UID and other pixels are all read, and bear the remark `uid_repeated`.

"""


def reading() -> str:
    """How to read the tables with the types that the columns have."""
    columns = [c for c in FINDING_COLUMNS if c.name in ("patient_id", "study_date", "brooker")]
    pandas_types = {"text": "string", "integer": "Int64", "number": "Float64"}
    types = ", ".join(f'"{c.name}": "{pandas_types[c.kind]}"' for c in columns)
    r_classes = {"text": "character", "integer": "integer", "number": "numeric"}
    classes = ", ".join(f'{c.name} = "{r_classes[c.kind]}"' for c in columns)
    return READING.replace("{types}", "{" + types + "}").replace("{classes}", classes)


def pages() -> dict[str, str]:
    """Name of each file and its text."""
    tables = (
        f"{reading()}## images.csv: one row for every input\n\n{describe_columns(IMAGE_COLUMNS)}\n"
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
