"""One row a hip of a study, from the rows of all its images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hoseg.radiograph import View

Row = dict[str, str]


def decide(rows: Iterable[Row]) -> Iterator[Row]:
    """Keep, for every side, the row of the image that decides.

    The rule of ``hoseg.grade.combine`` on rows: a graded image before an abstained one, an AP
    view before another, then the worse class, then the smaller gap, then the first image.
    """
    best: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (row["patient_id"], row["side"])
        if key not in best or _rank(row) < _rank(best[key]):
            best[key] = row
    yield from best.values()


def _rank(row: Row) -> tuple[bool, bool, int, float]:
    return (
        row["brooker"] == "",
        row["view"] not in (View.AP_PELVIS.value, View.AP_HIP.value),
        -int(row["brooker"] or 0),
        float(row["gap_mm"] or "inf"),
    )
