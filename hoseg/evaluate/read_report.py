"""The part of a report about films that a reader judged by eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hoseg.evaluate.case import CaseScore
from hoseg.evaluate.figures import ALL, Figure, lookup
from hoseg.evaluate.film_places import PLACES
from hoseg.evaluate.page import Picture, Section, TextTable, cell, words
from hoseg.evaluate.read_figures import FILM_FIGURES, HIP_FIGURES, read_pairs
from hoseg.evaluate.read_films import ReadHip
from hoseg.words import BROOKER

RULES = (
    "A reader said of each hip yes, no or unsure, and outlined nothing. Rates of classes are over "
    "hips that were graded; hips abstained on are counted apart, unsure ones in no rate. A film "
    "read as none counts each hip that was found on it, and one hip, abstained on, where none was.",
    "A false piece is an ossification found at a healthy hip, abstained on or not, that is large "
    "and near enough for a class. Its place follows from the hip's own head, trochanter and shaft, "
    "in radii of the head.",
    "Resolution is the stated spacing; a film without one was calibrated as hoseg run does, and "
    "its areas in mm² are as uncertain as that.",
    "Where no hip, or every hip, has what a rate counts, the interval is the exact one over "
    "patients, since every resample would say the same.",
    "Main bone: the largest piece of its name nearest to each head; pieces that metal joins are "
    "one.",
)


def read_sections(
    cases: Sequence[CaseScore], figures: Sequence[Figure], out: Path
) -> list[Section]:
    """Figures by stratum, false pieces by place, and every false and missed hip."""
    if not read_pairs(cases):
        return []
    return [_hips(figures), _films(figures), _wrong(cases, out)]


def _hips(figures: Sequence[Figure]) -> Section:
    lead = "Each cell: the figure, its 95 % interval, and the hips it rests on."
    return Section("Hips judged by eye", lead, grids=(_by_stratum(figures, HIP_FIGURES),))


def _films(figures: Sequence[Figure]) -> Section:
    rows = tuple((name, cell(lookup(figures, f"read.false_pieces_at.{name}"))) for name in PLACES)
    places = TextTable(("place", "false pieces a film"), rows)
    lead = "False pieces are those of healthy hips; by place, over all films with such a hip."
    return Section("What is not there", lead, grids=(places, _by_stratum(figures, FILM_FIGURES)))


def _by_stratum(figures: Sequence[Figure], shown: Sequence[tuple[str, str]]) -> TextTable:
    names = [name for name, _ in shown]
    strata = list(dict.fromkeys(f.stratum for f in figures if f.name in names))
    strata.sort(key=lambda name: name != ALL)
    rows = tuple(
        (words(stratum), *(_counted(lookup(figures, name, stratum)) for name in names))
        for stratum in strata
    )
    return TextTable(("", *(title for _, title in shown)), rows)


def _counted(figure: Figure | None) -> str:
    return "–" if figure is None else f"{cell(figure)}, n {figure.estimate.n}"


def _wrong(cases: Sequence[CaseScore], out: Path) -> Section:
    rows = sorted(read_pairs(cases), key=lambda row: (not row[2].missed, row[0].case))
    pictures = tuple(
        Picture((out / hip.picture).read_bytes(), _title(case, hip), _caption(hip))
        for case, _, hip in rows
        if hip.picture and (out / hip.picture).exists()
    )
    lead = (
        "Missed hips first. Left the film, right the same with the outlines found: pelvis light "
        "blue, femur yellow, implant pink, ossification orange and filled."
    )
    return Section("Every missed and every false hip", lead, pictures=pictures)


def _title(case: CaseScore, hip: ReadHip) -> str:
    return f"{'missed' if hip.missed else 'false'}: {case.case}, {hip.side.value} hip"


def _caption(hip: ReadHip) -> str:
    found = "" if hip.predicted is None else BROOKER[hip.predicted]
    chance = "" if hip.chance is None else f", P(class ≥ I) {hip.chance:.2f}"
    where = f"; at: {', '.join(hip.places)}" if hip.places else ""
    return f"read {read_words(hip)}, predicted {found}{chance}{where}"


def read_words(hip: ReadHip) -> str:
    """What the reader said, as the table of readings has it."""
    if hip.lowest is None or hip.highest is None:
        return hip.says.value
    classes = dict.fromkeys((BROOKER[hip.lowest], BROOKER[hip.highest]))
    return f"{hip.says.value}:{'-'.join(classes)}"
