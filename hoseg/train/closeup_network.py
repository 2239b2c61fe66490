"""Training the networks that look at close-ups (``hoseg.grade.closeup``)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from hoseg.errors import SettingError
from hoseg.grade.closeup import HIP, SIZE_PX, Kind, network_input

FEWEST = 64
"""Fewer close-ups make no network."""


@dataclass(frozen=True)
class CloseUpSettings:
    """How it is trained.

    epochs: times that each close-up is seen, each time a little differently
    batch: close-ups a step
    learning_rate: largest of the one-cycle schedule
    width: channels of the first layer
    seed: of weights, order and augmentation
    """

    epochs: int = 30
    batch: int = 64
    learning_rate: float = 4e-3
    width: int = 16
    seed: int = 0


class CloseUpNet(nn.Module):
    """Close-ups (n, planes, SIZE_PX, SIZE_PX) in, log odds (n, answers) out."""

    def __init__(self, kind: Kind, width: int = 16) -> None:
        super().__init__()
        self.kind = kind
        widths = [width * k for k in (1, 2, 3, 4, 6)]
        layers = [_convolution(kind.planes, width, 2)]
        for before, after in pairwise(widths):
            layers += [_convolution(before, after, 2), _convolution(after, after, 1)]
        self.features = nn.Sequential(*layers)
        self.mean, self.most = nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1)
        self.answer = nn.Sequential(
            nn.Dropout(0.3),
            nn.Linear(2 * widths[-1], 48),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(48, kind.answers),
        )

    def forward(self, close_ups: Tensor) -> Tensor:
        """Log odds of each answer, not sorted: those of classes may cross."""
        found = self.features(close_ups)
        pooled = torch.cat([self.mean(found).flatten(1), self.most(found).flatten(1)], dim=1)
        answer: Tensor = self.answer(pooled)
        return answer


def _convolution(before: int, after: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU())


def class_targets(classes: NDArray[np.intp]) -> NDArray[np.float32]:
    """(n, 4) what the network that looks at hips is asked: whether a class is >= 1 ... >= 4."""
    return (classes[:, None] >= np.arange(1, HIP.answers + 1)).astype(np.float32)


def fit_close_up(
    kind: Kind,
    close_ups: NDArray[np.uint8],
    targets: NDArray[np.float32],
    settings: CloseUpSettings = CloseUpSettings(),
    on_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
) -> CloseUpNet:
    """Train on close-ups (n, planes, SIZE_PX, SIZE_PX) and their answers.

    targets: (n, answers) 1 yes, 0 no, nan where it is not asked
    on_epoch: is given each epoch and its mean loss

    Raises SettingError when there are too few close-ups.
    """
    if len(targets) < max(FEWEST, settings.batch):
        raise SettingError("close-ups", len(targets), f"at least {max(FEWEST, settings.batch)}")
    rng = np.random.default_rng(settings.seed)
    torch.manual_seed(settings.seed)
    network = CloseUpNet(kind, settings.width).train()
    steps = len(targets) // settings.batch
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, settings.epochs * steps
    )
    asked = (~np.isnan(targets)).astype(np.float32)
    yes = np.nan_to_num(targets)
    for epoch in range(settings.epochs):
        order, total = rng.permutation(len(targets)), 0.0
        for step in range(steps):
            chosen = np.sort(order[step * settings.batch : (step + 1) * settings.batch])
            odds = network(vary(torch.from_numpy(network_input(close_ups[chosen]))))
            truth, weight = torch.from_numpy(yes[chosen]), torch.from_numpy(asked[chosen])
            loss = F.binary_cross_entropy_with_logits(odds, truth, weight)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        on_epoch(epoch + 1, total / steps)
    return network.eval()


def vary(seen: Tensor) -> Tensor:
    """Close-ups turned, scaled, moved, and their grey levels stretched and shifted, at random."""
    n = len(seen)
    turn, scale = 0.12 * torch.randn(n), torch.exp(0.08 * torch.randn(n))
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = scale * torch.cos(turn)
    matrix[:, 1, 0] = scale * torch.sin(turn)
    matrix[:, 0, 1] = -matrix[:, 1, 0]
    matrix[:, :, 2] = 0.05 * torch.randn(n, 2)
    grid = F.affine_grid(matrix, list(seen.shape), align_corners=False)
    seen = F.grid_sample(seen, grid, padding_mode="border", align_corners=False)
    grey = seen[:, :1] * (1 + 0.15 * torch.randn(n, 1, 1, 1)) + 0.3 * torch.randn(n, 1, 1, 1)
    return torch.cat([grey, seen[:, 1:]], dim=1)


def to_onnx(network: CloseUpNet) -> bytes:
    """The network as ``hoseg.grade.closeup.CloseUpNetwork`` reads it."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "network.onnx"
        torch.onnx.export(
            network.eval(),
            (torch.zeros(1, network.kind.planes, SIZE_PX, SIZE_PX),),
            str(path),
            input_names=["close_up"],
            output_names=["log_odds"],
            opset_version=17,
            dynamo=False,
        )
        return path.read_bytes()
