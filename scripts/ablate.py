"""What mattered: the same short training with one thing taken away at a time.

    python scripts/ablate.py configs/hip-sim-1.yaml --out runs/ablation --steps 600

Every arm has the same budget, seed and anatomies, and is judged on the validation crops of the
unchanged configuration (for another spacing: the same films at that spacing). Writes
``ablation.csv``. ``--threads`` as for ``hoseg train``. A rehearsal of a few minutes:
``--steps 40 --pool 16 --films 8``.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from hoseg.segment.network import build_network
from hoseg.simulate.confounders import ConfounderRates
from hoseg.train.checkpoint import LAST, read_checkpoint
from hoseg.train.config import TrainConfig, read_config
from hoseg.train.loop import RunOptions, train
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--pool", type=int, default=0, help="anatomies; 0 = as configured")
    parser.add_argument("--films", type=int, default=0, help="to judge by; 0 = as configured")
    parser.add_argument("--threads", type=int, default=1)
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
        rows.append({"arm": name, **{key: round(value, 4) for key, value in figures.items()}})
        print(rows[-1], flush=True)
        with (arguments.out / "ablation.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
