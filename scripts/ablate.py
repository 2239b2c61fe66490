"""What mattered: the same short training with one thing taken away at a time.

    hoseg simulate --out FILMS --count 150 --seed 71011 --prevalence balanced --spacing-mm 0.5
    python scripts/ablate.py configs/hip-sim-1.yaml --out runs/ablation --judge FILMS \\
        --init hip-sim-1 --steps 800 --pool 400

From random weights (without ``--init``) a budget of an hour says nothing about ossification, which
is learned last; what is taken away from a trained network while it trains on is forgotten faster.

Every arm has the same budget, seed and anatomies, is released as any model is, and judged by
``hoseg evaluate`` on the films of ``--judge``, on their own grid whatever the spacing of the arm.
With ``--film`` and ``--truth`` also on a real film, whole, cropped and at other scales (see
``evaluate_real.py``): what a simulated film cannot say. Writes ``ablation.csv``; an arm that is
there is not made again. ``--threads`` as for ``hoseg train``.
"""

from __future__ import annotations

import argparse
import csv
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

from evaluate_real import read_truth, variants

from hoseg.datasets import open_dataset
from hoseg.dicom.decode import load
from hoseg.evaluate.model import EvaluatedPipeline
from hoseg.evaluate.run import evaluate
from hoseg.infer.options import Options
from hoseg.infer.predictor import Predictor
from hoseg.pipeline import Pipeline
from hoseg.segment.weights import load_model
from hoseg.simulate.film.confounders import ConfounderRates
from hoseg.train.config import TrainConfig, read_config
from hoseg.train.loop import RunOptions, train
from hoseg.train.release import release

NO_CONFOUNDERS = {entry.name: 0.0 for entry in fields(ConfounderRates)}

ARMS: dict[str, dict[str, Any]] = {
    "all": {},
    "no_randomisation": {"render": {"randomise": False}, "intensity": 0.0},
    "no_soft_tissue": {"render": {"soft_tissue": False}},
    "no_confounders": {"render": {"confounders": NO_CONFOUNDERS}},
    "no_deep_supervision": {"network": {"options": {"deep_levels": []}}},
    "no_sacrum": {"network": {"sacrum": False}},
    "spacing_0.5": {"spacing_mm": 0.5},
    "spacing_1.0": {"spacing_mm": 1.0},
}
"""What each arm changes of the configuration."""


def smaller(base: TrainConfig, pool: int) -> TrainConfig:
    """The configuration with fewer anatomies to train on."""
    content = base.model_dump(mode="json")
    for source in content["sources"]:
        if source["kind"] == "simulated":
            source["pool"] = pool
    return TrainConfig.model_validate(content)


FIGURES = {
    "pelvis_dice": "pelvis.dice_mean",
    "femur_dice": "femur.dice_mean",
    "implant_dice": "implant.dice_mean",
    "ho_dice": "ho.dice_median_hips_1cm2",
    "ho_f1": "ho.lesion_f1",
    "ho_sensitivity": "ho.lesion_sensitivity",
    "false_ho": "ho.false_per_image_without_ho",
    "kappa": "class.kappa_quadratic",
}
"""Columns of the table and what ``hoseg evaluate`` calls them."""

CALIBRATION_FILMS = 40


def arm_config(base: TrainConfig, arm: dict[str, Any], steps: int) -> TrainConfig:
    """The configuration of one arm."""
    content = base.model_dump(mode="json")
    content["optimisation"] |= {"steps": steps, "warmup": min(100, steps // 10)}
    content["validation"] |= {"every": steps, "films": 16}
    if "spacing_mm" in arm:
        content["spacing_mm"] = arm["spacing_mm"]
    if "intensity" in arm:
        content["augment"]["intensity"] = arm["intensity"]
    network = arm.get("network", {})
    content["network"]["options"] |= network.get("options", {})
    content["network"]["sacrum"] = network.get("sacrum", base.network.sacrum)
    for source in content["sources"]:
        if source["kind"] == "simulated" and "render" in arm:
            source["settings"]["render"] = source["settings"].get("render", {}) | arm["render"]
    return TrainConfig.model_validate(content)


def real_figures(model: Path, film: Path, truth: Path, threads: int) -> dict[str, float]:
    """Mean Dice and false ossification of a released arm over the readings of a real film."""
    predictor = Predictor(model, "cpu", "torch", Options(threads=threads))
    (radiograph,) = load(film)
    bits = read_truth(truth, radiograph.shape)
    rows = [row for row, _, _ in variants(predictor, radiograph, bits)]
    return {
        "real_pelvis": sum(row.pelvis_dice or 0.0 for row in rows) / len(rows),
        "real_pelvis_worst": min(row.pelvis_dice or 0.0 for row in rows),
        "real_femur": sum(row.femur_dice or 0.0 for row in rows) / len(rows),
        "real_femur_worst": min(row.femur_dice or 0.0 for row in rows),
        "real_false_ho": sum(row.false_ho for row in rows) / len(rows),
    }


def simulated_figures(model: Path, films: Path, out: Path) -> dict[str, float]:
    """What ``hoseg evaluate`` finds on a folder of simulated films."""
    reader = EvaluatedPipeline(Pipeline(str(model), device="cpu", runtime="torch"))
    found = evaluate(open_dataset(films), reader, out, label=reader.label)
    whole = [figure for figure in found.figures if figure.stratum == "all"]
    values = {figure.name: figure.estimate.value for figure in whole}
    return {column: values.get(name, math.nan) for column, name in FIGURES.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--judge", type=Path, required=True, help="simulated films to judge by")
    parser.add_argument("--init", help="model to start every arm from; else random weights")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--pool", type=int, default=400, help="anatomies")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--film", type=Path, help="a real film to judge by as well")
    parser.add_argument("--truth", type=Path, help="its hand-drawn truth")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    arguments = parser.parse_args()
    base = smaller(read_config(arguments.config), arguments.pool)
    table, cache = arguments.out / "ablation.csv", arguments.out / "geometry"
    init = load_model(arguments.init).state if arguments.init else None
    rows = list(csv.DictReader(table.open())) if table.exists() else []
    for name in arguments.arms:
        if any(row["arm"] == name for row in rows):
            continue
        config = arm_config(base, ARMS[name], arguments.steps)
        run = arguments.out / name
        train(config, RunOptions(run, True, init, threads=arguments.threads, cache=cache))
        release(run, run / "model", cache, best=False, films=CALIBRATION_FILMS)
        figures = simulated_figures(run / "model", arguments.judge, run / "judged")
        if arguments.film:
            figures |= real_figures(
                run / "model", arguments.film, arguments.truth, arguments.threads
            )
        rows.append({"arm": name, **{key: f"{value:.4f}" for key, value in figures.items()}})
        print(rows[-1], flush=True)
        with table.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
