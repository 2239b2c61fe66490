"""Which films a person should look at: where the model and the truth differ most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hoseg.evaluate.case import CaseScore
from hoseg.evaluate.page import Picture, Section
from hoseg.evaluate.tables import LARGE_MM2, ROMAN

EACH = 4  # films of each kind


def gallery(cases: Sequence[CaseScore], out: Path) -> Section:
    """The worst films by several measures and some ordinary ones, none of them twice."""
    drawn = [case for case in cases if case.picture and (out / case.picture).exists()]
    chosen: dict[str, Picture] = {}
    for title, badness in _KINDS:
        scored = [(badness(case), i) for i, case in enumerate(drawn) if case.case not in chosen]
        worst = sorted(((b, i) for b, i in scored if b is not None), key=lambda x: (-x[0], x[1]))
        for _, i in worst[:EACH]:
            case = drawn[i]
            jpeg = (out / case.picture).read_bytes()
            chosen[case.case] = Picture(jpeg, f"{title}: {case.case}", _caption(case))
    lead = (
        "Left the truth, right the prediction: pelvis light blue, femur yellow, implant pink, "
        "ossification orange and filled. All films are in the folder of small pictures."
    )
    return Section("Films to look at", lead, pictures=tuple(chosen.values()))


def _class_error(case: CaseScore) -> float | None:
    errors = [
        abs(hip.truth - hip.predicted)
        for hip in case.hips
        if hip.truth is not None and hip.predicted is not None
    ]
    return float(max(errors)) if errors and max(errors) > 0 else None


def _missed(case: CaseScore) -> float | None:
    missed = [x.area_mm2 for x in case.lesions if x.origin == "truth" and not x.matched]
    return sum(missed) or None


def _false(case: CaseScore) -> float | None:
    return sum(x.area_mm2 for x in case.false_lesions) or None


def _bones(case: CaseScore) -> float | None:
    dice = [
        row.dice
        for row in case.overlaps
        if row.name in ("pelvis", "femur") and row.dice is not None and row.truth_mm2 > LARGE_MM2
    ]
    return 1 - min(dice) if dice else None


def _ordinary(case: CaseScore) -> float | None:
    """Films nearest to the middle: an arbitrary but repeatable draw by name."""
    return float(sum(ord(letter) * 31**i for i, letter in enumerate(case.case[-8:])) % 9973)


_KINDS: tuple[tuple[str, Callable[[CaseScore], float | None]], ...] = (
    ("class most wrong", _class_error),
    ("most HO missed", _missed),
    ("most false HO", _false),
    ("bones worst", _bones),
    ("any film", _ordinary),
)


def _caption(case: CaseScore) -> str:
    parts = []
    for hip in case.hips:
        truth = "not graded" if hip.truth is None else ROMAN[hip.truth]
        found = ROMAN[hip.predicted] if hip.predicted is not None else f"none ({hip.abstained})"
        parts.append(f"{hip.side.value} hip: truth {truth}, predicted {found}")
    for row in case.overlaps[:4]:
        if row.dice is not None:
            parts.append(f"{row.name} Dice {row.dice:.2f}")
    return "; ".join(parts)
