"""Two models on films held back by patient: healthy hips, and ossification set into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoseg.datasets import open_dataset
from hoseg.evaluate import statistics as stats
from hoseg.evaluate.bootstrap import Estimate, FloatArray, Resamples, estimate
from hoseg.grade import HipFinding
from hoseg.pipeline import ImageResult, Pipeline
from hoseg.radiograph import Side, Structure
from hoseg.train.set_in_films import SetInCase

FOUND_SHARE = 0.3
"""Of the visible area of an ossification that was set in, to count it as found."""
REPEATS = 1000


@dataclass(frozen=True)
class HeldBackFigures:
    """What a model does on films held back, each with its 95 % interval by patient.

    false_hips: share of graded healthy hips with a class above 0
    found, found_clear: share of ossifications set in that are found, and give the hip a class
        above 0; of all, and of clear ones
    abstained: share of healthy hips not graded
    auc: of P(class >= I), hips with ossification set in against healthy ones
    """

    false_hips: Estimate
    found: Estimate
    found_clear: Estimate
    abstained: Estimate
    auc: Estimate

    @property
    def score(self) -> float:
        """Found less false; what an adapted model must not have less of."""
        return (self.found.value or 0.0) - (self.false_hips.value or 0.0)

    def as_dict(self) -> dict[str, dict[str, float | int | None]]:
        """For a card or a JSON file."""
        named: Mapping[str, Estimate] = self.__dict__
        return {name: _rounded(value) for name, value in named.items()}


@dataclass(frozen=True)
class _HipRow:
    """One hip of one picture. above: class above 0, None = not graded; found: None = healthy."""

    patient: int
    above: bool | None
    chance: float | None
    found: bool | None = None
    clear: bool = False


def measure_held_back(
    pipeline: Pipeline, folder: Path, cases: Sequence[SetInCase], seed: int = 0
) -> HeldBackFigures:
    """Run the product's whole path on every picture of a set-in data set.

    Hips that show ossification of their own, and those beside one that it was set into, are left
    out.
    """
    known = {case.case: case for case in cases}
    patients = sorted({case.patient for case in cases})
    rows: list[_HipRow] = []
    for film in open_dataset(folder, "folder").films:
        case, image = known[film.case], film.read()
        graded = {hip.side: hip.brooker for hip in image.hips}
        if image.masks is None or not graded:
            continue
        result = pipeline.read(image.radiograph)
        patient = patients.index(case.patient)
        if case.side is Side.UNKNOWN:
            rows += _healthy(result, patient)
        else:
            rows.append(_set_in(result, image.masks, case, patient))
    counts = Resamples.draw(len(patients), REPEATS, np.random.default_rng(seed))
    return _figures(rows, counts)


def _healthy(result: ImageResult, patient: int) -> list[_HipRow]:
    return [
        _HipRow(patient, None if hip.brooker is None else hip.brooker > 0, _chance(hip))
        for hip in result.result.hips
        if hip.landmarks.head_px is not None
    ]


def _set_in(
    result: ImageResult, masks: NDArray[np.uint8], case: SetInCase, patient: int
) -> _HipRow:
    truth = (masks & Structure.OSSIFICATION) > 0
    marked = (result.masks() & Structure.OSSIFICATION) > 0
    share = int((truth & marked).sum()) / max(int(truth.sum()), 1)
    hip = next((hip for hip in result.result.hips if hip.side is case.side), None)
    if hip is None and len(result.result.hips) == 1:
        hip = result.result.hips[0]
    above = None if hip is None or hip.brooker is None else hip.brooker > 0
    found = share > FOUND_SHARE and above is not False
    return _HipRow(patient, above, None if hip is None else _chance(hip), found, case.clear)


def _chance(hip: HipFinding) -> float | None:
    chances = hip.brooker_probabilities
    return None if not chances else float(sum(chances[1:]))


def _figures(rows: Sequence[_HipRow], counts: Resamples) -> HeldBackFigures:
    healthy = [row for row in rows if row.found is None]
    graded = [row for row in healthy if row.above is not None]
    ossified = [row for row in rows if row.found is not None]
    clear = [row for row in ossified if row.clear]
    scored = [row for row in rows if row.chance is not None]
    chance = np.array([row.chance for row in scored], float)
    positive = np.array([row.found is not None for row in scored], bool)

    def auc(weights: FloatArray) -> FloatArray:
        return stats.auc(chance, positive, weights)

    return HeldBackFigures(
        false_hips=_mean([bool(row.above) for row in graded], graded, counts),
        found=_mean([bool(row.found) for row in ossified], ossified, counts),
        found_clear=_mean([bool(row.found) for row in clear], clear, counts),
        abstained=_mean([row.above is None for row in healthy], healthy, counts),
        auc=estimate(auc, _patients(scored), counts),
    )


def _mean(values: Sequence[bool], rows: Sequence[_HipRow], counts: Resamples) -> Estimate:
    array = np.array(values, float)
    return estimate(lambda weights: stats.mean(array, weights), _patients(rows), counts)


def _patients(rows: Sequence[_HipRow]) -> NDArray[np.intp]:
    return np.array([row.patient for row in rows], np.intp)


def _rounded(value: Estimate) -> dict[str, float | int | None]:
    facts = asdict(value)
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in facts.items()}
