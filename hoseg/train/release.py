"""From a checkpoint to a model folder: averaged weights, calibration, card and readable card."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logit

import hoseg
from hoseg.errors import ModelError
from hoseg.radiograph import STRUCTURES
from hoseg.segment.card import ModelCard
from hoseg.segment.network import (
    build_network,
    keep_structures,
    required_multiple,
    round_to_bfloat16,
)
from hoseg.segment.weights import save_model
from hoseg.train.augment import Crop
from hoseg.train.calibration import (
    MOST_FALSE_COMPONENTS,
    ThresholdCalibration,
    calibrate,
    quieten,
)
from hoseg.train.checkpoint import BEST, LAST, read_checkpoint
from hoseg.train.config import TrainConfig
from hoseg.train.hysteresis import suppress_weak
from hoseg.train.monitor import LOG, learning_curve
from hoseg.train.sources import (
    CALIBRATION_FILMS,
    calibration_films,
    labelled_films_held_out,
)
from hoseg.train.validate import predict, score


def release(
    run: Path,
    folder: Path,
    cache: Path | None = None,
    *,
    best: bool = True,
    films: int = CALIBRATION_FILMS,
) -> ModelCard:
    """Write the model folder of a training run, finished or still going on.

    run: folder of ``hoseg train``
    folder: where the model goes; its name does not matter, the card has the one of the run
    cache: folder of simulated geometries, as in ``RunOptions``
    best: the best checkpoint by validation score, else the last one
    films: simulated films for calibration and the quick figures

    Returns the card. Raises ModelError when there is no checkpoint yet.
    """
    path = run / (BEST if best else LAST)
    if not path.exists():
        raise ModelError(f"{path}: no checkpoint yet. Wait for the first validation of the run.")
    checkpoint = read_checkpoint(path)
    config = TrainConfig.model_validate(checkpoint.config)
    options = {**config.network.options, "outputs": config.outputs}
    network = build_network(config.network.architecture, options)
    network.load_state_dict(checkpoint.average)
    network = round_to_bfloat16(keep_structures(network)).eval()
    options = _released_options(config)

    crops = calibration_films(config, cache or run / "geometry", films)
    logits = predict(network, crops, torch.device("cpu"), batch=4)
    found = calibrate(logits, crops, config.spacing_mm)
    labelled = labelled_films_held_out(config)
    if labelled:
        values = predict(network, labelled, torch.device("cpu"), batch=1)
        found = quieten(found, values, labelled, config.spacing_mm)
    card = ModelCard(
        name=config.name,
        description=config.description,
        created=datetime.datetime.now(datetime.UTC).date().isoformat(),
        spacing_mm=config.spacing_mm,
        pad_multiple=required_multiple(network),
        architecture=config.network.architecture,
        options=options,
        thresholds=found.thresholds,
        temperatures=found.temperatures,
        peaks=found.peaks,
        recipe=checkpoint.config,
        commit=source_version(),
        data={
            "steps": checkpoint.step,
            "crops": checkpoint.step * config.optimisation.batch * checkpoint.processes,
            "sources": [source.model_dump(mode="json") for source in config.sources],
            "calibration": {
                "hoseg": hoseg.__version__,
                "films": {"held out": len(crops), "labelled, held out": len(labelled)},
                "most_false": MOST_FALSE_COMPONENTS,
            },
        },
        metrics={
            "training": {
                "hoseg": hoseg.__version__,
                "films": len(crops),
                "thresholds": list(found.thresholds),
                "figures": _measured(logits, crops, found, config.spacing_mm),
            }
        },
        notes={"Learning curve": curve} if (curve := learning_curve(run / LOG)) else {},
        sha256="0" * 64,  # of weights that are not written yet
    )
    state = {name: _stored(value) for name, value in network.state_dict().items()}
    return save_model(folder, card, state)


def _stored(value: torch.Tensor) -> NDArray[np.generic]:
    """Kernels in half precision, which halves the file; biases and statistics as they are."""
    kernel = value.ndim > 1 and value.is_floating_point()
    return (value.half() if kernel else value).detach().cpu().contiguous().numpy()


def source_version() -> str:
    """Commit of the checkout this runs from, or the version of the installed package."""
    root = Path(hoseg.__file__).resolve().parent.parent
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return f"hoseg {hoseg.__version__}"
    return done.stdout.strip()


def _released_options(config: TrainConfig) -> dict[str, object]:
    """Options without the auxiliary outputs that ``keep_structures`` dropped."""
    if config.network.architecture == "hip_unet":
        return {**config.network.options, "outputs": len(STRUCTURES), "deep_levels": []}
    return {**config.network.options, "outputs": config.outputs}


def _measured(
    logits: Sequence[NDArray[np.float32]],
    crops: Sequence[Crop],
    found: ThresholdCalibration,
    spacing_mm: float,
) -> dict[str, float]:
    """Quick figures on the calibration films at the released thresholds and peaks."""
    margins = []
    for values in logits:
        scaled = values / np.array(found.temperatures, np.float32)[:, None, None]
        scaled -= np.array([logit(p) for p in found.thresholds], np.float32)[:, None, None]
        for channel, (p, peak) in enumerate(zip(found.thresholds, found.peaks, strict=True)):
            if peak is not None:
                scaled[channel] = suppress_weak(scaled[channel], p, peak)
        margins.append(scaled)
    figures = score(margins, crops, spacing_mm)
    return {name: round(value, 4) for name, value in figures.items() if np.isfinite(value)}
