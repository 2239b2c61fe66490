"""P(class) of a hip, calibrated: what hips that looked like this turned out to be.

The draws of ``hoseg.grade.uncertainty`` say how firmly a reading stands. They cannot say that a
contact on the film is often none in space, nor that a hip without visible ossification may have
some. A model folder may hold a ``ClassModel`` for that: four logistic regressions, one for each
of P(class >= 1) ... P(class >= 4), on a dozen numbers that grading has at hand and on what a small
network makes of a close-up of the hip (``hoseg.grade.closeup``). Both were fitted on simulated
films whose hips were built in space (``hoseg.train.classes``). The rules still give the class and
its trace; the model only says how likely each class is.

A model's probabilities hold where classes are as frequent as on the films it was fitted on; it
carries those shares (``ClassModel.shares``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError
from scipy.special import expit

from hoseg.errors import ModelError
from hoseg.grade.abstain import abstention
from hoseg.grade.closeup import HIP, CloseUpNetwork, close_up_of_hip
from hoseg.grade.finding import Component, HipFinding
from hoseg.imaging.reading import Reading
from hoseg.radiograph import Grid, Segmentation, Structure
from hoseg.words import BROOKER

CLASSES = 5
"""Brooker 0-IV."""
LENGTH_UNIT_MM, LONGEST_MM = 30.0, 100.0
"""Unit and cap of an attached length. The unit decides nothing, since a model scales what it
measures (``ClassModel.scale``); the cap keeps a mask along a whole shaft from outweighing all."""
ROOT_UNIT_MM2, FREE_UNIT_MM2 = 10.0, 25.0
"""Areas enter as ``log(1 + area / unit)``: nearly as they are below the unit, by their order of
magnitude above it. 10 mm2 is a root 3.6 mm across, 25 mm2 what counts as a lesion. No fit chose
these four: they were set, and released cards hold weights for measurements made with them."""
WHOLLY_OVER = 0.95
"""An ossification with more than this share over a bone may lie anywhere before or behind it."""
LIKELY = 0.2
"""A class with this calibrated probability is named beside the one given; one with less is not
given, whatever the rules read."""
SURE = 0.95
"""A class that a hip reaches with this calibrated probability is certain enough to be said of a hip
without a class."""
SUSPECT_MM2 = 25.0
"""0.25 cm2: as much ossification as counts as a lesion."""

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassModel:
    """Four logistic regressions for P(class >= 1) ... P(class >= 4).

    measurements: names in ``MEASUREMENTS``, F of them
    centre, scale: (F,) a measurement enters as ``(value - centre) / scale``
    weights: (4, F) one row a regression
    bias: (4,)
    shares: (5,) share of each class among the hips it was fitted on
    hips: how many these were
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    measurements: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]
    shares: tuple[float, ...]
    hips: int

    def __post_init__(self) -> None:
        unknown = set(self.measurements) - set(MEASUREMENTS)
        if unknown:
            raise ValueError(f"measurements {sorted(unknown)} are unknown to this version")
        rows = (self.centre, self.scale, *self.weights)
        if any(len(row) != len(self.measurements) for row in rows):
            raise ValueError("centre, scale and each row of weights need one number a measurement")
        counts = (len(self.weights), len(self.bias), len(self.shares))
        if counts != (CLASSES - 1, CLASSES - 1, CLASSES):
            raise ValueError(
                "four rows of weights, four numbers of bias and five shares are needed"
            )
        if not np.isfinite(np.concatenate([*rows, self.bias])).all() or min(self.scale) <= 0:
            raise ValueError("every number must be finite, and every scale above 0")

    def probabilities(self, values: Values) -> Values:
        """P(class 0) ... P(class 4), (n, 5), of (n, F) measurements."""
        standard = (values - np.array(self.centre)) / np.array(self.scale)
        at_least = expit(standard @ np.array(self.weights).T + np.array(self.bias))
        # Four regressions may cross; a higher class is never likelier than one at least as high.
        at_least = np.minimum.accumulate(at_least, axis=1)
        edges = np.pad(at_least, [(0, 0), (1, 1)], constant_values=(1.0, 0.0))
        return np.asarray(edges[:, :-1] - edges[:, 1:])


def read_class_model(facts: dict[str, Any] | None, where: str) -> ClassModel | None:
    """The class model of a card, None when it has none; ModelError names what does not fit."""
    if facts is None:
        return None
    try:
        return _MODEL_JSON.validate_python(facts)
    except (ValidationError, ValueError) as error:
        first = str(error).splitlines()[0]
        if isinstance(error, ValidationError):
            found = error.errors()[0]
            first = f"{'.'.join(str(part) for part in found['loc']) or 'classes'}: {found['msg']}"
        raise ModelError(
            f"{where}: classes: {first}. Fit them anew with scripts/fit_classes.py."
        ) from error


def write_class_model(model: ClassModel) -> dict[str, Any]:
    """The same as it stands in a card."""
    return dict(_MODEL_JSON.dump_python(model, mode="json"))


def apply_class_model(
    findings: Sequence[HipFinding],
    reading: Reading,
    model: ClassModel,
    network: CloseUpNetwork | None = None,
) -> tuple[HipFinding, ...]:
    """Findings of one film with the model's P(class) in place of the draws'.

    Hips that were not graded, were not drawn, or have no millimetres stay as they are. Other
    systems than Brooker keep the draws'. Where the model finds the class of the rules unlikely,
    none is given.

    network: gives the model's measurements of a close-up
    """
    values = measure_hips(findings, reading, model.measurements, network)
    return tuple(
        finding
        if row is None
        else abstain_if_unlikely(_with_chances(finding, model.probabilities(row[None])[0]))
        for finding, row in zip(findings, values, strict=True)
    )


def measure_hips(
    findings: Sequence[HipFinding],
    reading: Reading,
    names: Sequence[str],
    network: CloseUpNetwork | None = None,
) -> list[Values | None]:
    """(F,) measurements of each hip of a film; None where a hip has none.

    names: of the measurements wanted
    network: classifies close-ups; without one their measurements are 0
    """
    heads = [finding.landmarks.head_px for finding in findings]
    rows: list[Values | None] = []
    for index, finding in enumerate(findings):
        known = finding.brooker is not None and finding.brooker_probabilities
        if not known or finding.spacing_source == "none":
            rows.append(None)
            continue
        shown = None if network is None else close_up_of_hip(finding, reading)
        by_close_up = np.zeros(HIP.answers)
        if network is not None and shown is not None:
            by_close_up = network.log_odds([shown])[0]
        suspect = _log_odds(suspicion(reading.segmentation, heads, index))
        hip = _Hip(finding, suspect, by_close_up)
        rows.append(np.array([MEASUREMENTS[name](hip) for name in names]))
    return rows


def suspicion(
    found: Segmentation, heads: Sequence[tuple[float, float] | None] = (), index: int = 0
) -> float:
    """The probability that the most suspect 0.25 cm2 of a film, or near one hip, reach, in [0, 1].

    A threshold on it asks for as much ossification as counts as a lesion.

    heads: (row, column) of the femoral head of each hip of the film, None where not known
    index: the hip; what is nearer to another head is not its own
    """
    plane, grid = found.probability(Structure.OSSIFICATION), found.grid
    own = nearest_hip(heads, index, grid).view(np.uint8)
    counts = cv2.calcHist([plane], [0], own, [256], [0, 256]).ravel()
    floor = max(1.0, round(SUSPECT_MM2 / (grid.spacing_mm[0] * grid.spacing_mm[1])))
    reached = np.flatnonzero(np.cumsum(counts[::-1])[::-1] >= floor)
    return float(reached.max(initial=0)) / 255


def nearest_hip(
    heads: Sequence[tuple[float, float] | None], index: int, grid: Grid
) -> NDArray[np.bool_]:
    """Pixels (h, w) of a grid nearer to the head of one hip than to any other head.

    All of them where that is not known. Those as near to two heads belong to the first.

    heads: (row, column) on the film, None where not known
    """
    here = np.ones(grid.shape, bool)
    own = heads[index] if heads else None
    if own is None:
        return here
    i, j = (grid.origin_px[k] + grid.step_px[k] * np.arange(grid.shape[k]) for k in (0, 1))
    for other, head in enumerate(heads):
        if other == index or head is None:
            continue
        # |x - own|^2 < |x - head|^2 is linear in x: one comparison of rows with columns.
        by_row = 2 * (head[0] - own[0]) * i - (head[0] ** 2 - own[0] ** 2)
        by_column = (head[1] ** 2 - own[1] ** 2) - 2 * (head[1] - own[1]) * j
        nearer = np.less if other < index else np.less_equal
        here &= nearer(by_row[:, None], by_column[None])
    return here


def _log_odds(probability: float) -> float:
    """Within what a byte can tell from 0 and 1."""
    p = float(np.clip(probability, 0.5 / 255, 254.5 / 255))
    return float(np.log(p / (1 - p)))


def _with_chances(finding: HipFinding, chances: Values) -> HipFinding:
    probabilities = finding.class_probabilities | {"brooker": tuple(chances.tolist())}
    changed = {"class_probabilities": probabilities, "class_probabilities_from": "model"}
    return finding.model_copy(update=changed)


def abstain_if_unlikely(finding: HipFinding) -> HipFinding:
    """The finding without its classes where P(class read), calibrated, is below ``LIKELY``.

    Its probabilities stay: they are the reason.
    """
    read, chances = finding.brooker, finding.brooker_probabilities
    if read is None or not chances or chances[read] >= LIKELY:
        return finding
    likeliest = chances.index(max(chances))
    why = abstention(
        "unlikely_class",
        f"{BROOKER[read]}, but of simulated hips that looked like this "
        f"{100 * chances[read]:.0f} % were {BROOKER[read]} and "
        f"{100 * chances[likeliest]:.0f} % {BROOKER[likeliest]}",
    )
    certain = [k for k in range(1, CLASSES - 1) if sum(chances[k:]) >= SURE]
    return finding.model_copy(
        update={
            "classes": dict.fromkeys(finding.classes),
            "brooker_every_contact": None,
            "abstained": why.code,
            "abstained_because": why.text,
            "at_least": max(certain, default=None),
        }
    )


@dataclass(frozen=True, eq=False)
class _Hip:
    """What a measurement looks at.

    suspect: log odds of ``suspicion``
    by_close_up: (4,) log odds of class >= 1 ... >= 4 by the close-up
    """

    finding: HipFinding
    suspect: float
    by_close_up: Values

    @property
    def components(self) -> tuple[Component, ...]:
        """Graded ossifications."""
        return self.finding.ossifications

    def drawn(self, lowest: int) -> float:
        """Share of the draws of a class of at least ``lowest``."""
        return sum(self.finding.brooker_probabilities[lowest:])


def _attached_length(hip: _Hip) -> float:
    lengths = [c.length_mm or 0.0 for c in hip.components if c.attached_to]
    return min(max(lengths, default=0.0), LONGEST_MM) / LENGTH_UNIT_MM


def _rooted(hip: _Hip) -> float:
    """Of ossifications attached to both bones, the area over the bone that has less of it."""
    bridges = [c for c in hip.components if len(c.attached_to) == 2]
    roots = [min(c.overlap_pelvis, c.overlap_femur) * (c.area_mm2 or 0.0) for c in bridges]
    return float(np.log1p(max(roots, default=0.0) / ROOT_UNIT_MM2))


def _off_bone(hip: _Hip) -> float:
    areas = [
        (1 - max(c.overlap_pelvis, c.overlap_femur)) * (c.area_mm2 or 0.0) for c in hip.components
    ]
    return float(np.log1p(sum(areas) / FREE_UNIT_MM2))


def _over_femur(hip: _Hip) -> float:
    areas = [c.overlap_femur * (c.area_mm2 or 0.0) for c in hip.components]
    return float(np.log1p(max(areas, default=0.0) / ROOT_UNIT_MM2))


def _femoral_root(hip: _Hip) -> float:
    """Share over the femur of an ossification that hangs on it; one wholly over it has no root."""
    shares = [c.overlap_femur for c in hip.components if "femur" in c.attached_to]
    return float(np.sqrt(max((s for s in shares if s < WHOLLY_OVER), default=0.0)))


MEASUREMENTS: dict[str, Callable[[_Hip], float]] = {
    "drawn_from_1": lambda hip: hip.drawn(1),
    "drawn_from_2": lambda hip: hip.drawn(2),
    "drawn_from_3": lambda hip: hip.drawn(3),
    "drawn_from_4": lambda hip: hip.drawn(4),
    "suspect": lambda hip: hip.suspect,
    "suspect_alone": lambda hip: 0.0 if hip.components else hip.suspect,
    "attached_length": _attached_length,
    "rooted": _rooted,
    "femoral_root": _femoral_root,
    "off_bone": _off_bone,
    "over_femur": _over_femur,
    "opposing_spurs": lambda hip: float(hip.finding.pattern == "opposing_spurs"),
    "closeup_from_1": lambda hip: float(hip.by_close_up[0]),
    "closeup_from_2": lambda hip: float(hip.by_close_up[1]),
    "closeup_from_3": lambda hip: float(hip.by_close_up[2]),
    "closeup_from_4": lambda hip: float(hip.by_close_up[3]),
}
"""What a class model may look at, by name. Those without a close-up were chosen by adding, and
dropping, one at a time for the log loss of hips left out; the filled fraction, sites, distances and
density added nothing to these.
"""

BY_CLOSE_UP = tuple(name for name in MEASUREMENTS if name.startswith("closeup"))
"""Those that the network for close-ups gives."""

_MODEL_JSON: TypeAdapter[ClassModel] = TypeAdapter(ClassModel)
