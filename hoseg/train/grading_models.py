"""What grading asks of a model besides masks: taught on films, written to the model's folder.

Needed anew whenever the segmentation network changes; until then a fine-tuned model works with
those of the model it was made from (``carry_over``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoseg.evaluate import statistics as stats
from hoseg.evaluate.case import BINS, CLASSES
from hoseg.evaluate.figures import SEVERE
from hoseg.grade.chances import BY_CLOSE_UP, write_class_model
from hoseg.grade.closeup import ATTACHMENT, HIP, CloseUpNetwork, Kind
from hoseg.segment.card import CARD, ModelCard, read_card
from hoseg.segment.card_text import write_card
from hoseg.segment.weights import Model, add_file, load_model
from hoseg.train.classes import fit_class_model, held_out_probabilities
from hoseg.train.closeup_network import CloseUpSettings, class_targets, fit_close_up, to_onnx
from hoseg.train.hip_samples import BY_RULES, HipSample, OssificationSample, read_films

Log = Callable[[str], None]


@dataclass(frozen=True)
class FitOptions:
    """How the models for grading are taught.

    epochs: of the small networks
    workers: processes that read films
    dry: write nothing
    """

    epochs: int = CloseUpSettings.epochs
    workers: int = 1
    dry: bool = False


def carry_over(source: Model, folder: Path) -> ModelCard:
    """Give a fine-tuned model what the model it was made from holds for grading.

    The networks that look at pictures stay good as long as the outlines are much the same;
    P(class) is a little off until ``fit_grading_models`` has fitted it anew.
    """
    for name, data in source.files.items():
        add_file(folder, name, data)
    card = read_card(folder / CARD)
    if source.card.classes is not None and card.classes is None:
        told = card.data | {"grading_models_from": source.card.label}
        card = card.model_copy(update={"classes": source.card.classes, "data": told})
        write_card(card, folder)
    return card


def fit_grading_models(
    model: Path,
    films: Sequence[Path],
    close_ups: Sequence[Path] = (),
    options: FitOptions = FitOptions(),
    log: Log = print,
) -> ModelCard:
    """Teach the small networks, and fit the regressions behind P(class).

    model: folder, whose card is rewritten
    films: data sets whose hips have classes; the regressions are fitted on them
    close_ups: folders of ``hoseg simulate``, others than ``films``: two small networks learn from
        them first (``hoseg.grade.closeup``). None = the model keeps those it has, if any
    log: gets how well films that a fit has not seen are predicted (five folds), line by line

    Raises
    ------
    SettingError
        Too few hips of a class.
    """
    onnx = dict(load_model(model).files)
    learnt: dict[str, object] = {}
    if close_ups:
        learnt = _teach_close_ups(model, close_ups, onnx, options, log)
    hips, pieces = read_films(model, list(films), options.workers, onnx.get(ATTACHMENT.file))
    truth = np.array([hip.truth for hip in hips])
    names, values = BY_RULES, np.array([hip.values for hip in hips])
    numbers = np.array([hip.film for hip in hips])
    tried = {
        "draws": np.array([hip.drawn for hip in hips]),
        "measured": held_out_probabilities(values, truth, numbers, names),
    }
    if HIP.file in onnx:
        network = CloseUpNetwork(HIP, onnx[HIP.file])
        names = names + BY_CLOSE_UP
        values = np.hstack([values, network.log_odds(hip.shown for hip in hips)])
        tried["close-ups"] = held_out_probabilities(values, truth, numbers, names)
    _tell(films, hips, pieces, tried, onnx, log)
    card = read_card(model / CARD)
    facts = {
        "data": card.data | learnt,
        "classes": write_class_model(fit_class_model(values, truth, names)),
    }
    if options.dry:
        return card.model_copy(update=facts)
    for kind in (ATTACHMENT, HIP) if close_ups else ():
        card = add_file(model, kind.file, onnx[kind.file])
    card = card.model_copy(update=facts)
    write_card(card, model)
    return card


def _teach_close_ups(
    model: Path, folders: Sequence[Path], onnx: dict[str, bytes], options: FitOptions, log: Log
) -> dict[str, object]:
    """Put the two small networks into ``onnx``; say how much they learnt from."""
    hips, pieces = read_films(model, list(folders), options.workers)
    hangs_on = np.array([piece.hangs_on for piece in pieces])
    shown = [piece.shown for piece in pieces]
    onnx[ATTACHMENT.file] = _teach(ATTACHMENT, shown, hangs_on, options, log)
    classes = class_targets(np.array([hip.truth for hip in hips]))
    onnx[HIP.file] = _teach(HIP, [hip.shown for hip in hips], classes, options, log)
    return {"close_up_hips": len(hips), "close_up_ossifications": len(pieces)}


def _teach(
    kind: Kind,
    shown: Sequence[NDArray[np.uint8]],
    targets: NDArray[np.float32],
    options: FitOptions,
    log: Log,
) -> bytes:
    log(f"{kind.file}: {len(targets)} close-ups")
    network = fit_close_up(
        kind,
        np.stack(shown),
        targets,
        CloseUpSettings(epochs=options.epochs),
        lambda epoch, loss: log(f"  epoch {epoch}: loss {loss:.4f}"),
    )
    return to_onnx(network)


def _tell(
    films: Sequence[Path],
    hips: Sequence[HipSample],
    pieces: Sequence[OssificationSample],
    tried: dict[str, NDArray[np.float64]],
    onnx: dict[str, bytes],
    log: Log,
) -> None:
    """How well the rules, the contacts and each kind of P(class) do, data set by data set."""
    source, truth = np.array([h.source for h in hips]), np.array([h.truth for h in hips])
    read, every = np.array([(hip.read, hip.every_contact) for hip in hips]).T
    for index, folder in enumerate(films):
        here = source == index
        log(f"{folder}: {here.sum()} hips")
        agree = [_agreement(truth[here], classes[here]) for classes in (read, every)]
        log(f"  rules: quadratic kappa {agree[0]:.3f}; every contact counted: {agree[1]:.3f}")
        own = [piece for piece in pieces if piece.source == index]
        if ATTACHMENT.file in onnx and own:
            network = CloseUpNetwork(ATTACHMENT, onnx[ATTACHMENT.file])
            log(f"  {_contact_figures(own, network)}")
        for name, chances in tried.items():
            log(f"  {name:10} {_class_figures(truth[here], chances[here])}")


def _class_figures(truth: NDArray[np.intp], chances: NDArray[np.float64]) -> str:
    """Calibration error, Brier score and severe AUC in a line."""
    ones = np.ones((1, len(truth)))
    right = chances.argmax(axis=1) == truth
    ece = stats.calibration_error(stats.calibration_sums(chances.max(axis=1), right, BINS), ones)
    brier = ((chances - np.eye(CLASSES)[truth]) ** 2).sum(axis=1).mean()
    score = chances[:, SEVERE:].sum(axis=1) + 1e-4 * (chances @ np.arange(CLASSES))
    auc = stats.auc(score, truth >= SEVERE, ones)
    any_auc = stats.auc(chances[:, 1:].sum(axis=1), truth >= 1, ones)
    return (
        f"ECE {ece[0]:.3f}, Brier {brier:.3f}, AUC of any {any_auc[0]:.3f}, of severe "
        f"{auc[0]:.3f}, quadratic kappa of the likeliest class "
        f"{_agreement(truth, chances.argmax(axis=1)):.3f}"
    )


def _contact_figures(pieces: Sequence[OssificationSample], network: CloseUpNetwork) -> str:
    """How well attachment is told from superimposition, in a line."""
    odds = network.log_odds(piece.shown for piece in pieces)
    touching = np.array([piece.touching for piece in pieces])
    hangs_on = np.array([piece.hangs_on for piece in pieces])[touching] > 0
    score, share = odds[touching], -np.array([piece.by_share for piece in pieces])[touching]
    ones = np.ones((1, len(score)))
    return (
        f"{len(score)} contacts, {(~hangs_on).sum()} superimposed: "
        f"AUC {stats.auc(score, hangs_on, ones)[0]:.3f} "
        f"(by the share over the bone {stats.auc(share, hangs_on, ones)[0]:.3f}); not counted: "
        f"{(~hangs_on & (score < 0)).sum()} of them and {(hangs_on & (score < 0)).sum()} real ones"
    )


def _agreement(truth: NDArray[np.intp], classes: NDArray[np.intp]) -> float:
    """Quadratic-weighted kappa."""
    counts = stats.confusion(truth, classes, CLASSES, np.ones((1, len(truth))))
    return float(stats.kappa(counts, 2)[0])
