"""``MODEL_CARD.md``: the card as a person reads it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from typing import Any

from hoseg.evaluate.figures import DATA_SET
from hoseg.segment.card import ModelCard
from hoseg.train.calibrate import MOST_FALSE_COMPONENTS

_TEXT = """\
# {name}

**Research use only. Not a medical device. Its accuracy on real heterotopic ossification (HO) is
unmeasured.**

{description}

Segments pelvis, femur, implant and ossification on hip radiographs. The four structures may
overlap, because a radiograph is a projection. The sacrum and the spine are not part of the pelvis.

## What it was trained on

{training}

## What it was tested on

{metrics}

These figures come from whole simulated films whose anatomy the network had not seen, half of them
without ossification; the thresholds were chosen on the same films. They say how well the training
worked, not how well the network reads patients' films. `hoseg evaluate` gives independent ones.

## How to use it

- Input at {spacing_mm} mm a pixel at the plane of the hip, grey levels by
  `hoseg.imaging.intensity.normalise` ({normalisation}), height and width multiples of
  {pad_multiple}. `hoseg run --model {name}` does all of this.
- Probabilities: `sigmoid(logit / temperature)`; masks: probability at or above the threshold.
  Where a peak is given, only connected components that reach it somewhere are kept.
  Specks of pelvis and femur (below 60 mm², alone, clear of the picture's border) are dropped,
  pinholes (below 20 mm²) filled.

| structure | temperature | threshold | peak |
|---|---|---|---|
{calibration}

The threshold and the peak of ossification were chosen together on simulated films, half of them
without ossification but with osteophytes, enthesophytes, calcified vessels and other confounders,
to leave at most {most_false:g} false components of 25 mm² on a film without any.

## Limits

- Adults. On growing hips (open growth plates) it has no experience.
- Faint early ossification, and ossification over bone, are missed more often than dense
  ossification beside bone.
- Osteophytes, enthesophytes and avulsed fragments may be taken for ossification.
- A radiograph cannot prove a bridge; what `attachment.onnx`, where there is one, takes for
  superimposition it learnt from simulated films alone.

## Network

`{architecture}` with {options}, {parameters} numbers in `weights.safetensors`
(sha256 `{sha256}`). Made {created} from source {commit}. Licence {license}.

## Learning curve

{curve}
"""


def model_card_text(card: ModelCard, log: str) -> str:
    """Text of ``MODEL_CARD.md``.

    log: content of the ``log.csv`` of the run; may be empty
    """
    fields: dict[str, Any] = card.model_dump()
    fields["calibration"] = _calibration(card)
    fields["most_false"] = MOST_FALSE_COMPONENTS
    fields["training"] = _bullets(card.data)
    fields["metrics"] = _bullets(card.metrics) or "Not measured."
    fields["curve"] = learning_curve(log) or "Not recorded."
    return _TEXT.format_map(fields)


def with_calibration(text: str, card: ModelCard) -> str:
    """``MODEL_CARD.md`` with its table of temperatures, thresholds and peaks written anew."""
    return re.sub(
        r"(\| structure \| temperature .*\n\|[-|]+\n)(?:\|.*\n)+",
        lambda match: f"{match[1]}{_calibration(card)}\n",
        text,
    )


def _calibration(card: ModelCard) -> str:
    """Rows of the table of temperatures, thresholds and peaks."""
    peaks = card.peaks or (None,) * len(card.structures)
    return "\n".join(
        f"| {name} | {temperature:.3g} | {threshold:.3g} | {'none' if peak is None else peak} |"
        for name, temperature, threshold, peak in zip(
            card.structures, card.temperatures, card.thresholds, peaks, strict=True
        )
    )


_CLASSES = """\
## Class probabilities

P(Brooker class) of a hip comes from four logistic regressions on {count} numbers of its grading
(`classes` in `card.json`, `hoseg.grade.chances`), fitted to {hips} hips of simulated films whose
class was built in space.{looks}
They hold where classes are as frequent as there:
{shares}.
Where ossification is rarer, high classes are less likely than they say. The class itself is given
by the rules.{contacts}
"""
_LOOKS = """ Four of the numbers are what a small convolutional network (`closeup.onnx`,
`hoseg.grade.closeup`) says of a close-up of the hip; it learnt from {hips} hips of other films."""
_CONTACTS = """ Of the contacts between ossification and bone they count those that a second small
network (`attachment.onnx`, `hoseg.grade.attachment`) takes for attachment rather than
superimposition; it learnt from close-ups of {pieces} ossifications of the same films, of which it
is known what they hang on. The class with every contact counted is given as well."""


def with_classes(text: str, card: ModelCard) -> str:
    """``MODEL_CARD.md`` with its section on class probabilities written anew, or taken out."""
    text = re.sub(r"## Class probabilities\n.*?(?=\n## |\Z)\n?", "", text, flags=re.DOTALL)
    if card.classes is None:
        return text
    shares = ", ".join(
        f"{100 * share:.0f} % {name}"
        for name, share in zip(("0", "I", "II", "III", "IV"), card.classes["shares"], strict=True)
    )
    pieces = card.data.get("close_up_ossifications")
    section = _CLASSES.format(
        count=len(card.classes["measurements"]),
        hips=card.classes["hips"],
        shares=shares,
        looks=_LOOKS.format(hips=hips) if (hips := card.data.get("close_up_hips")) else "",
        contacts=_CONTACTS.format(pieces=pieces) if pieces else "",
    )
    place = text.find("## Limits")
    place = len(text) if place < 0 else place
    return f"{text[:place]}{section}\n{text[place:]}"


JUDGED = (
    ("pelvis.dice_mean", "pelvis Dice, mean"),
    ("pelvis.dice_median", "pelvis Dice, median"),
    ("femur.dice_mean", "femur Dice, mean"),
    ("femur.dice_median", "femur Dice, median"),
    ("implant.dice_mean", "implant Dice, mean over every film with any metal"),
    ("implant.dice_mean_1cm2", "implant Dice, mean over films with at least 1 cm² of metal"),
    ("implant.dice_median", "implant Dice, median"),
    ("ho.dice_median_hips_1cm2", "HO Dice, median over hips with at least 1 cm²"),
    ("ho.dice_mean_hips_1cm2", "HO Dice, mean over the same hips"),
    ("ossification_off_bone.dice_median", "HO Dice off bone, median"),
    ("ossification_over_bone.dice_median", "HO Dice over bone, median"),
    ("ho.lesion_f1", "HO lesion F1 (from 0.25 cm²)"),
    ("ho.lesion_sensitivity", "HO lesion sensitivity"),
    ("ho.lesion_precision", "HO lesion precision"),
    ("ho.false_per_image_without_ho", "false HO components a film without HO"),
    ("ho.auc_hip", "HO detection AUC per hip"),
    ("class.kappa_quadratic", "Brooker by the rules, quadratic kappa against the 3-D construction"),
    ("class_from_true_masks.kappa_quadratic", "the same against the rules on the true masks"),
    ("class_every_contact.kappa_quadratic", "every contact counted, against the 3-D construction"),
    (
        "class_every_contact_from_true_masks.kappa_quadratic",
        "every contact counted, against the rules on the true masks",
    ),
    ("class_likeliest.kappa_quadratic", "the likeliest class against the 3-D construction"),
    (
        "construction_against_true_masks.kappa_quadratic",
        "the two truths against each other (the ceiling of the rules)",
    ),
    ("class.severe_auc", "severe (III-IV) AUC against the 3-D construction"),
    ("class_from_true_masks.severe_auc", "the same against the rules on the true masks"),
    ("construction_against_true_masks.severe_auc", "the two truths against each other"),
    ("class.ece", "calibration error of the class probabilities (ECE)"),
    ("gap.absolute_error_median", "gap, median absolute error against 3-D, mm"),
    (
        "gap_from_true_masks.absolute_error_median",
        "gap, median absolute error against the true masks, mm",
    ),
    ("class.abstained", "share of hips abstained on"),
    ("outside_field.area_mean", "marked outside the exposed field, mean, mm²"),
)
"""What the card shows of an evaluation, and in which words."""

_JUDGED = """\
## Judged on {films} films it was not tuned on

{about}

Value, 95 % interval from a bootstrap over patients, and number of films, hips or lesions. What
lies outside the exposed field, ossification hidden by other structures, metal lost in
overexposure, loose metal (clips, sutures) and pieces of metal below 15 mm² are not scored
(`ignore.png` of each film).{mixed}

{table}
"""

_MIXED = """ Judge kappa set by set: sets of
different prevalence spread the classes wider together, and over all of them it is higher."""


def with_evaluation(text: str, metrics: Mapping[str, Any], about: str) -> str:
    """``MODEL_CARD.md`` with its section on an evaluation written anew.

    metrics: content of the ``metrics.json`` of ``hoseg evaluate``
    about: what the films are and how to make them again
    """
    text = re.sub(r"## Judged on .*?(?=\n## |\Z)\n?", "", text, flags=re.DOTALL)
    figures = metrics["figures"]
    strata = sorted({s for row in figures.values() for s in row if s.startswith(f"{DATA_SET}: ")})
    columns = [*strata, "all"]
    heads = [column.removeprefix(f"{DATA_SET}: ") for column in columns]
    lines = ["| | " + " | ".join(heads) + " |", "|" + "---|" * (len(columns) + 1)]
    for name, words in JUDGED:
        if name in figures:
            cells = [_figure(figures[name].get(column)) for column in columns]
            lines.append(f"| {words} | " + " | ".join(cells) + " |")
    section = _JUDGED.format(
        films=metrics["counts"]["films_judged"],
        about=about,
        table="\n".join(lines),
        mixed=_MIXED if strata else "",
    )
    place = text.find("## How to use it")
    place = len(text) if place < 0 else place
    return f"{text[:place]}{section}\n{text[place:]}"


def _figure(row: Mapping[str, Any] | None) -> str:
    if row is None or row["value"] is None:
        return "-"
    span = "" if row["low"] is None else f" ({row['low']:.3f} to {row['high']:.3f})"
    return f"{row['value']:.3f}{span}, {row['n']}"


def learning_curve(log: str, rows: int = 16) -> str:
    """Markdown table of the validations in a ``log.csv``, thinned to about ``rows``."""
    judged = [row for row in csv.DictReader(io.StringIO(log)) if row.get("score")]
    if not judged:
        return ""
    thin = judged[:: max(1, len(judged) // rows)]
    if thin[-1] is not judged[-1]:
        thin.append(judged[-1])
    columns = ["step", "loss"] + [name for name in judged[0] if name.startswith(("dice", "f"))]
    lines = ["| " + " | ".join(c.replace("_", " ") for c in columns) + " |"]
    lines.append("|" + "---|" * len(columns))
    lines += ["| " + " | ".join(row[c] or "" for c in columns) + " |" for row in thin]
    return "\n".join(lines)


def _bullets(values: Mapping[str, Any]) -> str:
    return "\n".join(f"- {name.replace('_', ' ')}: {value}" for name, value in values.items())
