"""What the cards of an ensemble say together."""

from __future__ import annotations

from math import lcm

from hoseg.errors import SettingError
from hoseg.infer.engine import Deployment
from hoseg.infer.options import Options
from hoseg.segment.peaks import expit, logit, peak_rules
from hoseg.segment.weights import Model


def deployment_of(models: tuple[Model, ...], options: Options) -> Deployment:
    """Thresholds (mean), peaks (mean of logits) and window step of one model or several.

    Raises SettingError when some models keep components by their peak and others do not: their
    answers have different planes.
    """
    cards = [model.card for model in models]
    if len({card.peaked for card in cards}) > 1:
        wanted = "models that all have peaks for the same structures, or none"
        raise SettingError("model", [card.name for card in cards], wanted)
    columns = zip(*(card.thresholds for card in cards), strict=True)
    thresholds = tuple(sum(column) / len(cards) for column in columns)
    peaks = zip(*(card.peaks or () for card in cards), strict=True)
    rules = peak_rules(thresholds, [_mean_peak(column) for column in peaks])
    step = lcm(*(card.pad_multiple for card in cards))
    return Deployment(joint_label(models), thresholds, step, options, rules)


def joint_label(models: tuple[Model, ...]) -> str:
    """Return what results cite: every label of an ensemble."""
    return "+".join(model.card.label for model in models)


def _mean_peak(peaks: tuple[float | None, ...]) -> float | None:
    logits = [logit(peak) for peak in peaks if peak is not None]
    return expit(sum(logits) / len(logits)) if logits else None
