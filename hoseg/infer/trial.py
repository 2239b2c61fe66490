"""Ask the network what a film does not say: how its greys go, how large it is, which end is up.

A network that was shown bones of the right size and polarity is surer of their outlines than one
that was not. On 80 simulated films its doubt pointed to the right polarity every time; on 29
simulated fluoroscopies of single hips without millimetres, Dice rose from 0.57 at the assumed
scale to 0.93 at the scale it was surest of, as good as at the true scale.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hoseg.imaging.prepare import Assume, prepare
from hoseg.imaging.reading import Reading
from hoseg.imaging.turn import Turn, possible_quarters
from hoseg.infer.predictor import Segmenter
from hoseg.radiograph import Note, Orientation, Prepared, Radiograph, Segmentation

SCALE_ASSUMED = "scale_assumed"
POLARITY_UNCERTAIN = "polarity_uncertain"
POLARITY_FLIPPED = "polarity_flipped"
"""Codes of the notes that ``hoseg.imaging.prepare`` leaves where it had to assume."""

LONG_SIDES_MM = (400.0, 280.0, 200.0, 140.0)
"""Long sides of the exposed field to try: from a pelvis to a single hip on fluoroscopy."""

UPSIDE_DOWN, ON_ITS_SIDE, PERHAPS_UPRIGHT = 1.1, 0.95, 0.7
"""A turned film is taken for upright when its expected error is at most such a multiple of that
before: the first after half a turn, the second after a quarter, the last where the film may have
been upright as it was. A simulated pelvis with two stems that lies upside down reached 1.056: with
a limit of 1.05 its sides were swapped. Upside down, 1 of 16 simulated AP films is seen as surely as
upright. Of 91 real single hips, cropped so that the femur lies beside what is left of the pelvis,
two reach 0.72 and 0.77 when turned by a quarter; frog-leg films whose thighs point up or aside
reach 1.14.
"""


def segment(segmenter: Segmenter, radiograph: Radiograph, prepared: Prepared) -> Reading:
    """Segment a film, trying scales and polarities where these were assumed.

    A film with millimetres and a certain polarity passes through the network once.

    Parameters
    ----------
    segmenter: the network
    radiograph: the film
    prepared: the film as ``prepare`` understands it; its notes say what was assumed

    Returns
    -------
    The film as the network is surest of it, and what it found there.
    """
    (found,) = segmenter.predict([prepared])
    best = Reading(radiograph, prepared, found)
    codes = {note.code for note in prepared.notes}
    if SCALE_ASSUMED in codes:
        for side_mm in LONG_SIDES_MM[1:]:
            best = _surer(segmenter, best, Assume(long_side_mm=side_mm))
    if POLARITY_UNCERTAIN in codes:
        best = _surer(segmenter, best, Assume(not prepared.inverted, _long_side_mm(best)))
        best = replace(best, prepared=_settled(best.prepared, radiograph.display.inverted))
    return best


def stand_upright(segmenter: Segmenter, reading: Reading) -> tuple[int, Reading]:
    """Turn a film whose bones lie otherwise than an upright patient's, where that makes sense.

    Only a film whose femora do not hang clearly below its pelvis passes through the network again;
    one whose file says how it lies, only where the bones contradict that.

    Returns
    -------
    Quarter turns counterclockwise, 0 to 3, and the reading of the film so turned.
    """
    possible = possible_quarters(reading.segmentation.probabilities)
    upright = 0 in possible
    if upright and reading.radiograph.orientation.source != "assumed":
        return 0, reading
    before, best, least = expected_error(reading.segmentation), (0, reading), np.inf
    for quarters in possible:
        if quarters == 0:
            continue
        turned = _turned(segmenter, reading, quarters)
        limit = UPSIDE_DOWN if quarters == 2 else ON_ITS_SIDE
        limit = PERHAPS_UPRIGHT if upright else limit
        error = expected_error(turned.segmentation)
        if error <= min(limit * before, least):
            best, least = (quarters, turned), error
    return best


def _turned(segmenter: Segmenter, reading: Reading, quarters: int) -> Reading:
    """The reading of a film turned by some quarters."""
    film = Turn(quarters, reading.radiograph.shape).film(reading.radiograph)
    film = replace(film, orientation=Orientation(source="picture"))
    assume = Assume(reading.prepared.inverted, _long_side_mm(reading))
    prepared = prepare(film, segmenter.spacing_mm, assume)
    (found,) = segmenter.predict([prepared])
    return Reading(film, replace(prepared, notes=reading.prepared.notes), found)


def expected_error(found: Segmentation) -> float:
    """Return the expected wrong area for each unit of bone found; p (1 - p) summed over p > 0.5."""
    probabilities = found.probabilities[:2].astype(np.float32) / 255
    unsure = float((probabilities * (1 - probabilities)).sum())
    return unsure / (1 + np.count_nonzero(probabilities > 0.5))


def _long_side_mm(reading: Reading) -> float:
    """Return the long side of the field (mm) as this reading has it."""
    grid = reading.prepared.grid
    return max(n * mm for n, mm in zip(grid.shape, grid.spacing_mm, strict=True))


def _settled(prepared: Prepared, stated: bool) -> Prepared:
    """Replace what was thought of the polarity by what the network decided."""
    notes = tuple(n for n in prepared.notes if n.code not in (POLARITY_UNCERTAIN, POLARITY_FLIPPED))
    if prepared.inverted != stated:
        text = "The grey levels are flipped: the network is surer of the bones that way round."
        notes += (Note(POLARITY_FLIPPED, text),)
    return replace(prepared, notes=notes)


def _surer(segmenter: Segmenter, best: Reading, assume: Assume) -> Reading:
    """Return the reading under other assumptions when the network is surer of it."""
    prepared = prepare(best.radiograph, segmenter.spacing_mm, assume)
    (found,) = segmenter.predict([prepared])
    if expected_error(found) >= expected_error(best.segmentation):
        return best
    return Reading(best.radiograph, prepared, found)
