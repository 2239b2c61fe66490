"""What mattered: the same short training with one thing taken away at a time.

    python scripts/ablate.py configs/hip-sim-1.yaml --out runs/ablation --steps 600

Every arm has the same budget, seed and anatomies, and is judged on the validation crops of the
unchanged configuration (for another spacing: the same films at that spacing). With ``--film`` and
``--truth`` also on a real film, whole, cropped and at other scales (see ``evaluate_real.py``): what
a simulated film cannot say. Writes ``ablation.csv``. ``--threads`` as for ``hoseg train``. A
rehearsal of a few minutes: ``--steps 40 --pool 16 --films 8``.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from evaluate_real import read_truth, variants

from hoseg.dicom.decode import load
from hoseg.segment.network import build_network
from hoseg.segment.options import Options
from hoseg.segment.predictor import Predictor
from hoseg.simulate.confounders import ConfounderRates
from hoseg.train.checkpoint import LAST, read_checkpoint
from hoseg.train.config import TrainConfig, read_config
from hoseg.train.loop import RunOptions, train
from hoseg.train.release import release
from hoseg.train.sources import validation_crops
from hoseg.train.validate import predict, score

NO_CONFOUNDERS = {entry.name: 0.0 for entry in fields(ConfounderRates)}

ARMS: dict[str, dict[str, Any]] = {
    "all": {},
    "no_randomisation": {"render": {"randomise": False}, "intensity": 0.0},
    "no_soft_tissue": {"render": {"soft_tissue": False}},
    "no_confounders": {"render": {"confounders": NO_CONFOUNDERS}},
    "spacing_0.5": {"spacing_mm": 0.5},
    "spacing_1.0": {"spacing_mm": 1.0},
}
"""What each arm changes of the configuration."""


def smaller(base: TrainConfig, pool: int, films: int) -> TrainConfig:
    """The configuration with fewer anatomies to train on and fewer films to judge by; 0 = as is."""
    content = base.model_dump(mode="json")
    for source in content["sources"]:
        if source["kind"] == "simulated" and pool:
            source["pool"] = pool
    if films:
        content["validation"]["films"] = films
    return TrainConfig.model_validate(content)


def arm_config(base: TrainConfig, arm: dict[str, Any], steps: int) -> TrainConfig:
    """The configuration of one arm."""
    content = base.model_dump(mode="json")
    content["optimisation"] |= {"steps": steps, "warmup": min(100, steps // 10)}
    content["validation"]["every"] = steps
    if "spacing_mm" in arm:
        content["spacing_mm"] = arm["spacing_mm"]
    if "intensity" in arm:
        content["augment"]["intensity"] = arm["intensity"]
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--pool", type=int, default=0, help="anatomies; 0 = as configured")
    parser.add_argument("--films", type=int, default=0, help="to judge by; 0 = as configured")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--film", type=Path, help="a real film to judge by as well")
    parser.add_argument("--truth", type=Path, help="its hand-drawn truth")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    arguments = parser.parse_args()
    base = smaller(read_config(arguments.config), arguments.pool, arguments.films)
    cache = arguments.out / "geometry"
    rows = []
    for name in arguments.arms:
        config = arm_config(base, ARMS[name], arguments.steps)
        options = RunOptions(
            arguments.out / name, resume=True, threads=arguments.threads, cache=cache
        )
        train(config, options)
        judged = base.model_copy(update={"spacing_mm": config.spacing_mm})
        crops = validation_crops(judged, cache)
        network = build_network(
            config.network.architecture, {**config.network.options, "outputs": config.outputs}
        )
        network.load_state_dict(read_checkpoint(options.out / LAST).average)
        figures = score(predict(network, crops, torch.device("cpu")), crops, config.spacing_mm)
        if arguments.film:
            release(options.out, options.out / "model", cache, best=False, films=12)
            figures |= real_figures(
                options.out / "model", arguments.film, arguments.truth, arguments.threads
            )
        rows.append({"arm": name, **{key: round(value, 4) for key, value in figures.items()}})
        print(rows[-1], flush=True)
        with (arguments.out / "ablation.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
