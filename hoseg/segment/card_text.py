"""Writing a card: ``card.json``, and ``MODEL_CARD.md`` for people, made from nothing else.

What is measured says with which version of hoseg; what is not known is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hoseg.files import write_whole
from hoseg.segment.card import CARD, ModelCard
from hoseg.words import BROOKER, RESEARCH_USE

TEXT = "MODEL_CARD.md"

_HEAD = """\
# {name}

**{research_use} Its accuracy on real heterotopic ossification (HO)
is unmeasured.**

{description}

Segments pelvis, femur, implant and ossification on hip radiographs. The four structures may
overlap, because a radiograph is a projection. The sacrum and the spine are not part of the pelvis.
"""

_LEGS = """
Trained in {count} legs, each from where the one before ended; `recipe` in `card.json` is that of
the last.
"""

_QUICK = """\
## Quick figures of the training

{bullets}

Measured with hoseg {hoseg} on {films} films whose anatomy the network had not seen (of simulated
ones, half without ossification).
{thresholds}
They say how well the training worked, not how well the network reads patients' films.
"""

_JUDGED = """\
## Judged on {films} films it was not tuned on

Measured with hoseg {hoseg}.

{about}

Value, 95 % interval from a bootstrap over patients, and number of films, hips or lesions. What
lies outside the exposed field, ossification hidden by other structures, metal lost in
overexposure, loose metal (clips, sutures) and pieces of metal below 15 mm² are not scored
(`ignore.png` of each film).{several}

{table}
"""

_SEVERAL = """ Judge kappa set by set: sets of
different prevalence spread the classes wider together, and over all of them it is higher."""

_USE = """\
## How to use it

- Input at {spacing_mm:g} mm a pixel at the plane of the hip, grey levels by
  `hoseg.imaging.intensity.normalise` ({normalisation}), height and width multiples of
  {pad_multiple}. `hoseg run --model {name}` does all of this.
- Probabilities: `sigmoid(logit / temperature)`; masks: probability at or above the threshold.
  Where a peak is given, only connected components that reach it somewhere are kept.
  Specks of pelvis and femur (below 60 mm², alone, clear of the picture's border) are dropped,
  pinholes (below 20 mm²) filled.
{looked}
| structure | temperature | threshold | peak |
|---|---|---|---|
{rows}
{chosen}"""

_LOOKED = """\
- Ossification is kept where at least {share:.0%} of seven variants of its surroundings confirm it
  (`second_look` in `card.json`, `hoseg.infer.second_look`).{fitted}
"""

_FITTED = """
  That was chosen with hoseg {hoseg}: of {true} true pieces it sets aside {true_lost}, of {false}
  false ones {false_set_aside}."""

_CHOSEN = """
Temperatures, thresholds and peaks were chosen with hoseg {hoseg} on
{films},
to leave at most {most_false:g} false components of 25 mm² on a film without ossification.
"""

_CLASSES = """\
## Class probabilities

P(Brooker class) of a hip comes from four logistic regressions on {count} numbers of its grading
(`classes` in `card.json`, `hoseg.grade.chances`), fitted to {hips} hips of simulated films whose
class was built in space.{close_ups}
They hold where classes are as frequent as there:
{shares}.
Where ossification is rarer, high classes are less likely than they say. The class itself is given
by the rules.{contacts}
"""

_CLOSE_UPS = """ Four of the numbers are what a small convolutional network (`closeup.onnx`,
`hoseg.grade.closeup`) says of a close-up of the hip; it learnt from {hips} hips of other films."""

_CONTACTS = """ Of the contacts between ossification and bone they count those that a second small
network (`attachment.onnx`, `hoseg.grade.closeup`) takes for attachment rather than
superimposition; it learnt from close-ups of {pieces} ossifications of the same films, of which it
is known what they hang on. The class with every contact counted is given as well."""

_LIMITS = """\
## Limits

- Adults. On growing hips (open growth plates) it has no experience.
- Faint early ossification, and ossification over bone, are missed more often than dense
  ossification beside bone.
- Osteophytes, enthesophytes and avulsed fragments may be taken for ossification.
- A radiograph cannot prove a bridge{superimposition}.
"""

_SUPERIMPOSITION = """; what `attachment.onnx` takes for
  superimposition it learnt from simulated films alone"""

_NETWORK = """\
## Network

`{architecture}` with
`{options}`,
{parameters:,} numbers in `weights.safetensors`
(sha256 `{sha256}`).
Made {created} from source {commit}. Licence {license}.
"""

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
"""What the card shows of an evaluation (names of ``hoseg evaluate``), and in which words."""


def write_card(card: ModelCard, folder: Path) -> None:
    """Write ``card.json``, keys in the order of the class, and the ``MODEL_CARD.md`` it gives."""
    remedy = "free space or choose another folder"
    write_whole(folder / CARD, card.model_dump_json(indent=2) + "\n", remedy=remedy)
    write_whole(folder / TEXT, card_text(card), remedy=remedy)


def card_text(card: ModelCard) -> str:
    """Text of ``MODEL_CARD.md``."""
    sections = (
        _HEAD.format(research_use=RESEARCH_USE, name=card.name, description=card.description),
        _training(card),
        _quick_figures(card),
        _judged(card),
        _use(card),
        _classes(card),
        _LIMITS.format(superimposition=_SUPERIMPOSITION if "attachment.onnx" in card.files else ""),
        _NETWORK.format_map(card.model_dump() | {"options": json.dumps(card.options)}),
        *(f"## {title}\n\n{text}\n" for title, text in card.notes.items()),
    )
    return "\n".join(section for section in sections if section)


def _training(card: ModelCard) -> str:
    """What it was trained on; what other sections say of their own films is not here."""
    elsewhere = ("calibration", "second_look", "close_up_hips", "close_up_ossifications")
    facts = {name: value for name, value in card.data.items() if name not in elsewhere}
    if not facts:
        return ""
    legs = _LEGS.format(count=len(facts["legs"])) if "legs" in facts else ""
    return f"## What it was trained on\n\n{_bullets(facts)}\n{legs}"


def _quick_figures(card: ModelCard) -> str:
    found = card.metrics.get("training")
    if found is None:
        return ""
    thresholds = "The thresholds were chosen on the same films."
    if found.get("thresholds") != list(card.thresholds):
        thresholds = "The thresholds of that time were chosen on them; those below are newer."
    return _QUICK.format_map(
        found | {"bullets": _bullets(found["figures"]), "thresholds": thresholds}
    )


def _judged(card: ModelCard) -> str:
    found = card.metrics.get("evaluation")
    if found is None:
        return ""
    figures = found["figures"]
    columns = sorted({name for row in figures.values() for name in row} - {"all"}) + ["all"]
    lines = ["| | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + 1)]
    for name, words in JUDGED:
        if name in figures:
            cells = [_figure(figures[name].get(column)) for column in columns]
            lines.append(f"| {words} | " + " | ".join(cells) + " |")
    several = _SEVERAL if len(columns) > 1 else ""
    return _JUDGED.format_map(found | {"table": "\n".join(lines), "several": several})


def _figure(row: Mapping[str, Any] | None) -> str:
    if row is None or row["value"] is None:
        return "-"
    span = "" if row["low"] is None else f" ({row['low']:.3f} to {row['high']:.3f})"
    return f"{row['value']:.3f}{span}, {row['n']}"


def _use(card: ModelCard) -> str:
    peaks = card.peaks or (None,) * len(card.structures)
    rows = "\n".join(
        f"| {name} | {temperature:.3g} | {threshold:.3g} | {'none' if peak is None else peak} |"
        for name, temperature, threshold, peak in zip(
            card.structures, card.temperatures, card.thresholds, peaks, strict=True
        )
    )
    chosen = ""
    if "calibration" in card.data:
        sets = card.data["calibration"]["films"]
        films = f"{sum(sets.values())} films"
        if len(sets) > 1:
            films += f" ({', '.join(f'{count} {name}' for name, count in sets.items())})"
        chosen = _CHOSEN.format_map(card.data["calibration"] | {"films": films})
    fitted = _FITTED.format_map(card.data["second_look"]) if "second_look" in card.data else ""
    looked = _LOOKED.format(share=card.second_look, fitted=fitted) if card.second_look else ""
    words = {"rows": rows, "chosen": chosen, "looked": looked}
    return _USE.format_map(card.model_dump() | words)


def _classes(card: ModelCard) -> str:
    if card.classes is None:
        return ""
    shares = ", ".join(
        f"{100 * share:.0f} % {name}"
        for name, share in zip(BROOKER, card.classes["shares"], strict=True)
    )
    hips, pieces = card.data.get("close_up_hips"), card.data.get("close_up_ossifications")
    return _CLASSES.format(
        count=len(card.classes["measurements"]),
        hips=card.classes["hips"],
        shares=shares,
        close_ups=_CLOSE_UPS.format(hips=hips) if hips else "",
        contacts=_CONTACTS.format(pieces=pieces) if pieces else "",
    )


def _bullets(values: Mapping[str, Any]) -> str:
    """One line a value; nested ones as JSON."""
    return "\n".join(
        f"- {name.replace('_', ' ')}: "
        + (f"`{json.dumps(value)}`" if isinstance(value, dict | list) else str(value))
        for name, value in values.items()
    )
