"""The training loop, on Lightning Fabric: one CPU, one GPU or several, resumable at any moment."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import lightning
import numpy as np
import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from hoseg.errors import SettingError
from hoseg.segment.network import HipUNet, build_network
from hoseg.train.checkpoint import BEST, LAST, Checkpoint, read_checkpoint, write_checkpoint
from hoseg.train.config import TrainConfig
from hoseg.train.data import CropDataset, StepSampler, make_loader
from hoseg.train.labelled_samples import check_labelled
from hoseg.train.loss import segmentation_loss
from hoseg.train.monitor import Monitor
from hoseg.train.schedule import learning_rate
from hoseg.train.sources import build_sources, validation_crops
from hoseg.train.validate import predict, score, write_overlays

MAY_CHANGE = {"workers", "checkpoint_minutes", "description"}
"""Keys of the configuration that a resumed run may set anew."""


class Trainee(nn.Module):
    """Network whose forward pass also gives the deep logits, where it has any."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, list[tuple[int, Tensor]]]:
        """Logits (N, C, H, W) and (stride, coarse logits) of the deep heads."""
        if isinstance(self.network, HipUNet):
            return self.network.forward_deep(x)
        return self.network(x), []


@dataclass(frozen=True)
class RunOptions:
    """How a run is carried out, as opposed to what it computes.

    out: folder for checkpoints, logs, overlays and the model
    resume: continue from the last checkpoint in ``out``, if there is one
    init: weights to start from, as ``Model.state``, or None for random ones
    accelerator: "auto", "cpu" or "cuda"
    threads: threads of the forward pass on a CPU; 0 = leave as it is
    cache: folder for simulated geometries, which several runs may share; None = one in ``out``
    """

    out: Path
    resume: bool = False
    init: Mapping[str, NDArray[np.generic]] | None = None
    accelerator: str = "auto"
    threads: int = 0
    cache: Path | None = None

    @property
    def geometry_cache(self) -> Path:
        """Folder that keeps simulated geometries."""
        return self.cache or self.out / "geometry"


def train(config: TrainConfig, options: RunOptions) -> Path:
    """Run a training to its end, or to early stopping; returns the best checkpoint."""
    start = _starting_point(config, options)
    fabric = _fabric(config, options)
    if fabric.is_global_zero:
        check_labelled(config)
    torch.manual_seed(config.seed)
    network = build_network(
        config.network.architecture, {**config.network.options, "outputs": config.outputs}
    )
    if options.init is not None and start is None:
        _initialise(network, options.init)
    network = network.to(memory_format=torch.channels_last)
    average = running_average(network, config.optimisation.ema)
    optimizer = torch.optim.AdamW(
        _parameter_groups(network, config.optimisation.weight_decay),
        lr=config.optimisation.learning_rate,
        fused=True,
    )
    if start is not None:
        network.load_state_dict(start.network)
        average.module.load_state_dict(start.average)
        average.n_averaged.fill_(start.average_updates)
        optimizer.load_state_dict(start.optimizer)
    trainee, optimizer = fabric.setup(Trainee(network), optimizer)
    state = _State(fabric, network, average.to(fabric.device), optimizer)
    _Run(config, options, state, start).train(trainee)
    return options.out / BEST


def is_first_process() -> bool:
    """Whether this is the only process of a training, or the first of those on several GPUs."""
    return getattr(rank_zero_only, "rank", 0) == 0


@dataclass(frozen=True)
class _State:
    """What a step of the training changes."""

    fabric: lightning.Fabric
    network: nn.Module
    average: AveragedModel
    optimizer: torch.optim.Optimizer


class _Run:
    """One run in progress: the step it is at, and the best it has seen."""

    def __init__(
        self,
        config: TrainConfig,
        options: RunOptions,
        state: _State,
        start: Checkpoint | None,
    ) -> None:
        self.config, self.options, self.fabric = config, options, state.fabric
        self.network, self.average, self.optimizer = state.network, state.average, state.optimizer
        self.step = start.step if start else 0
        self.best = start.best if start else float("-inf")
        self.stale = start.stale if start else 0
        self.metrics: dict[str, float] = start.metrics if start else {}

    def train(self, trainee: nn.Module) -> None:
        """Train from the current step to the last."""
        config, fabric = self.config, self.fabric
        training = CropDataset(
            config,
            build_sources(config, self.options.geometry_cache),
            [source.ratio for source in config.sources],
        )
        cache = self.options.geometry_cache
        crops = validation_crops(config, cache) if fabric.is_global_zero else []
        sampler = StepSampler(
            self.step,
            config.optimisation.steps,
            config.optimisation.batch,
            fabric.global_rank,
            fabric.world_size,
        )
        saved = time.monotonic()
        trainee.train()
        with Monitor(config, self.options.out, self.step, active=fabric.is_global_zero) as monitor:
            for batch in make_loader(training, sampler, config.workers):
                loss = self._learn(trainee, batch)
                self.step += 1
                monitor.tick(self.step, loss, self.optimizer.param_groups[0]["lr"])
                last = self.step == config.optimisation.steps
                if self.step % config.validation.every == 0 or last:
                    self._validate(crops, monitor)
                    trainee.train()
                elif time.monotonic() - saved < 60 * config.checkpoint_minutes:
                    continue
                self._save(LAST)
                saved = time.monotonic()
                if self._exhausted():
                    break

    def _learn(self, trainee: nn.Module, batch: list[Tensor]) -> Tensor:
        """One optimiser step; returns the loss."""
        rate = learning_rate(self.step, self.config.optimisation)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        device = self.fabric.device
        pixels, targets, ignore = (part.to(device, non_blocking=True) for part in batch)
        logits, deep = trainee(pixels.contiguous(memory_format=torch.channels_last))
        loss = segmentation_loss(logits, deep, targets, ignore, self.config.loss)
        self.fabric.backward(loss)
        self.fabric.clip_gradients(
            trainee,
            self.optimizer,
            max_norm=self.config.optimisation.clip,
            error_if_nonfinite=False,
        )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update_parameters(self.network)
        return loss.detach()

    def _validate(self, crops: list, monitor: Monitor) -> None:
        """Judge the averaged weights on the first process, and keep the best."""
        metrics: dict[str, float] = {}
        if self.fabric.is_global_zero:
            logits = predict(self.average.module, crops, self.fabric.device)
            metrics = score(logits, crops, self.config.spacing_mm)
            write_overlays(
                self.options.out / "overlays" / f"step_{self.step:06d}.png", logits, crops
            )
            monitor.report(self.step, metrics)
        self.metrics = self.fabric.broadcast(metrics)
        if self.metrics["score"] > self.best:
            self.best, self.stale = self.metrics["score"], 0
            self._save(BEST)
        else:
            self.stale += 1

    def _exhausted(self) -> bool:
        patience = self.config.validation.patience
        return patience > 0 and self.stale >= patience

    def _save(self, name: str) -> None:
        if not self.fabric.is_global_zero:
            return
        checkpoint = Checkpoint(
            step=self.step,
            network=self.network.state_dict(),
            average=self.average.module.state_dict(),
            average_updates=int(self.average.n_averaged),
            optimizer=self.optimizer.state_dict(),
            config=self.config.model_dump(mode="json"),
            best=self.best,
            stale=self.stale,
            metrics=self.metrics,
            processes=self.fabric.world_size,
        )
        write_checkpoint(self.options.out / name, checkpoint)


def _starting_point(config: TrainConfig, options: RunOptions) -> Checkpoint | None:
    """Last checkpoint to resume from; refuse to overwrite a run, or to resume another one."""
    path = options.out / LAST
    options.out.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        return None
    if not options.resume:
        raise SettingError("--out", str(options.out), "a folder without a run, or --resume")
    checkpoint = read_checkpoint(path)
    now = config.model_dump(mode="json")
    for key, value in now.items():
        if key not in MAY_CHANGE and checkpoint.config.get(key) != value:
            raise SettingError(
                key, value, f"{checkpoint.config.get(key)!r} as in {path}, or another --out"
            )
    return checkpoint


def _fabric(config: TrainConfig, options: RunOptions) -> lightning.Fabric:
    if options.threads > 0:
        torch.set_num_threads(options.threads)
    precision: Literal["bf16-mixed", "32-true"] = "32-true"
    if config.optimisation.precision == "bf16":
        precision = "bf16-mixed"
    several = options.accelerator != "cpu" and torch.cuda.device_count() > 1
    fabric = lightning.Fabric(
        accelerator=options.accelerator,
        devices="auto" if several else 1,
        strategy="ddp" if several else "auto",
        precision=precision,
    )
    fabric.launch()
    return fabric


def _initialise(network: nn.Module, state: Mapping[str, NDArray[np.generic]]) -> None:
    """Copy the weights that fit by name and shape, all but the auxiliary ones must."""
    own = network.state_dict()
    missing = []
    for name, value in own.items():
        given = state.get(name)
        if given is not None and given.shape == tuple(value.shape):
            own[name] = torch.from_numpy(np.array(given))
        elif given is not None and name.startswith("head.") and given.shape[1:] == value.shape[1:]:
            own[name] = torch.cat([torch.from_numpy(np.array(given)), value[given.shape[0] :]])
        elif not name.startswith("deep_heads."):
            missing.append(name)
    if missing:
        raise SettingError(
            "--init", missing[0], "a model of the same architecture and options as the CONFIG"
        )
    network.load_state_dict(own)


def running_average(network: nn.Module, decay: float) -> AveragedModel:
    """Exponential moving average of weights and batch statistics, which is what is released.

    decay: weight of the past; it grows from 0.25 so that the start is soon forgotten
    """

    def move(average: Tensor, value: Tensor, updates: Tensor | int) -> Tensor:
        if not average.is_floating_point():
            return value
        past = int(updates)
        return average.lerp_(value, 1 - min(decay, (2 + past) / (11 + past)))

    return AveragedModel(network, avg_fn=move, use_buffers=True)


def _parameter_groups(network: nn.Module, decay: float) -> list[dict[str, object]]:
    """Weight decay for kernels only, not for biases and norms."""
    kernels = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": kernels, "weight_decay": decay},
        {"params": others, "weight_decay": 0.0},
    ]
