"""Running average of the weights: smoother than any single step, and what is released."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of parameters and float buffers (batch statistics).

    decay: weight of the past; it grows from 0.1 so that the start is soon forgotten
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.state = {name: v.detach().clone() for name, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move the average towards the weights of ``network``."""
        self.updates += 1
        keep = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, value in network.state_dict().items():
            average = self.state[name]
            if average.is_floating_point():
                average.lerp_(value.detach(), 1 - keep)
            else:
                average.copy_(value)

    def load(self, state: Mapping[str, Tensor], updates: int) -> None:
        """Continue from a saved average."""
        for name, value in self.state.items():
            value.copy_(state[name])
        self.updates = updates
