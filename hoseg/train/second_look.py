"""How many variants must confirm an ossification: fitted on films with truth, for the card."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import hoseg
from hoseg.datasets.labelled import LabelledImage
from hoseg.errors import SettingError
from hoseg.imaging.prepare import prepare
from hoseg.imaging.reading import Reading
from hoseg.infer.components import Region, pieces
from hoseg.infer.predictor import Options, Predictor, Segmenter
from hoseg.infer.second_look import VARIANTS, agreement
from hoseg.infer.trial import segment
from hoseg.radiograph import Structure
from hoseg.segment.card import ModelCard
from hoseg.segment.card_text import write_card
from hoseg.segment.peaks import byte_level
from hoseg.segment.weights import load_model

MOST_LOST = 0.03
"""Share of true pieces that a second look may cost."""

FEWEST_PIECES = 100
"""Fewer true pieces than this say too little about one in thirty."""

TRUE_SHARE, FALSE_SHARE = 0.3, 0.05
"""Of a piece on true ossification: from the first on it is true, below the second false."""


@dataclass(frozen=True)
class LookedAt:
    """Pieces of ossification that a network found on films with truth.

    confirmed: (n,) share of variants that confirm each
    truth: (n,) share of each that lies on true ossification
    """

    confirmed: NDArray[np.float64]
    truth: NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """What a second look is to ask, and what that does to the pieces of the fit.

    asked: share of variants, half a variant below the least number that is enough; None = ask
        nothing, since one variant would be too many
    """

    asked: float | None
    true: int
    true_lost: int
    false: int
    false_set_aside: int


def fit_second_look(
    folder: Path, films: Iterable[LabelledImage], most_lost: float = MOST_LOST
) -> ModelCard:
    """Choose what a second look asks for a model, and write that into its card.

    To be run after whatever changes weights, thresholds or peaks. A second look takes about as long
    as seven films.

    Parameters
    ----------
    folder: of the model
    films: with masks, that neither the network nor its peak was fitted to
    most_lost: share of true pieces that may be set aside

    Raises
    ------
    SettingError: the network finds too few true pieces on these films
    """
    model = load_model(folder)
    predictor = Predictor(model, "cpu", options=Options(gate=False))
    level = byte_level(model.card.thresholds[Structure.OSSIFICATION.channel])
    found = choose(look_at(predictor, films, level), most_lost)
    facts = {"hoseg": hoseg.__version__, "most_lost": most_lost} | asdict(found)
    data = model.card.data | {"second_look": facts}
    card = model.card.model_copy(update={"second_look": found.asked, "data": data})
    write_card(card, folder)
    return card


def look_at(segmenter: Segmenter, films: Iterable[LabelledImage], level: int) -> LookedAt:
    """All pieces on some films; level: least byte of probability that is ossification."""
    confirmed: list[float] = []
    truth: list[float] = []
    for film in films:
        prepared = prepare(film.radiograph, segmenter.spacing_mm)
        reading = segment(segmenter, film.radiograph, prepared)
        found = pieces(reading.segmentation.probability(Structure.OSSIFICATION) >= level)
        if film.masks is None or not found:
            continue
        confirmed += agreement(segmenter, reading.prepared, found).tolist()
        true = _true_on_grid(reading, film.masks)
        truth += [_share(piece, true) for piece in found]
    return LookedAt(np.array(confirmed), np.array(truth))


def choose(pieces: LookedAt, most_lost: float = MOST_LOST) -> Agreement:
    """Ask as much as costs no more than a share of the true pieces.

    Raises SettingError when there are fewer than ``FEWEST_PIECES`` true ones.
    """
    votes = np.rint(pieces.confirmed * len(VARIANTS))
    true, false = votes[pieces.truth >= TRUE_SHARE], votes[pieces.truth < FALSE_SHARE]
    if len(true) < FEWEST_PIECES:
        allowed = f"at least {FEWEST_PIECES}: give more films with ossification"
        raise SettingError("true pieces of ossification", len(true), allowed)
    enough = [k for k in range(len(VARIANTS) + 1) if (true < k).mean() <= most_lost]
    least = max(enough)
    asked = round((least - 0.5) / len(VARIANTS), 3) if least else None
    lost, set_aside = (int((group < least).sum()) for group in (true, false))
    return Agreement(asked, len(true), lost, len(false), set_aside)


def _true_on_grid(reading: Reading, masks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(h, w) true ossification at the network's pixel centres; masks: (H, W) of the film."""
    grid = reading.segmentation.grid
    rows, columns = (
        np.rint(grid.origin_px[k] + grid.step_px[k] * np.arange(grid.shape[k]))
        .astype(int)
        .clip(0, masks.shape[k] - 1)
        for k in (0, 1)
    )
    return np.asarray((masks[np.ix_(rows, columns)] & Structure.OSSIFICATION) > 0)


def _share(piece: Region, true: NDArray[np.bool_]) -> float:
    return float(true[piece.box][piece.inside].mean())
