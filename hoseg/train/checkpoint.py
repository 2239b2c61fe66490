"""Checkpoints that survive a kill at any moment and are never unpickled as objects."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hoseg.errors import ModelError
from hoseg.files import written_whole

LAST = "last.ckpt"
BEST = "best.ckpt"


@dataclass
class Checkpoint:
    """Everything a run needs to go on as if it had never stopped.

    step: optimiser steps done; the data of step s depend on (seed, s) alone
    network, average: state dictionaries
    optimizer: state of the optimiser
    best, stale: best validation score so far, validations since then
    config: the configuration as plain values
    processes: GPUs that each took a batch at every step
    """

    step: int
    network: dict[str, Tensor]
    average: dict[str, Tensor]
    average_updates: int
    optimizer: dict[str, Any]
    config: dict[str, Any]
    best: float = float("-inf")
    stale: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    processes: int = 1


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write it whole and flushed to disk, so that a kill or a power cut leaves the one before."""
    content = {name: getattr(checkpoint, name) for name in checkpoint.__dataclass_fields__}
    with written_whole(path, flush=True) as part:
        torch.save(content, part)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; only tensors and plain values are accepted."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return Checkpoint(**content)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    except (RuntimeError, pickle.UnpicklingError, TypeError, EOFError, KeyError) as error:
        raise ModelError(
            f"{path}: not a checkpoint of this version ({str(error).splitlines()[0][:120]}). "
            "Start again without --resume, or from --init MODEL."
        ) from error
