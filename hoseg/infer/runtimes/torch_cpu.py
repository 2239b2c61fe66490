"""PyTorch on the CPU, eager: the float32 of this module is the reference of the parity gate."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from hoseg.infer.deploy import Deployed, deploy
from hoseg.infer.options import RuntimeOptions
from hoseg.segment.weights import Model


class TorchCpu:
    """One network, channels-last. Threads are set for the process, as torch has it."""

    def __init__(self, network: Deployed, precision: str, threads: int) -> None:
        torch.set_num_threads(threads)
        if precision == "bfloat16":
            network = network.lower_precision(torch.bfloat16)
        self._network = network.to(memory_format=torch.channels_last).eval()

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Map (h, w) pixels to (C, h, w) probabilities x 255."""
        batch = torch.from_numpy(np.ascontiguousarray(pixels))[None, None]
        with torch.inference_mode():
            found = self._network(batch.contiguous(memory_format=torch.channels_last))
        return np.ascontiguousarray(found[0].numpy())


def open_network(model: Model, options: RuntimeOptions) -> TorchCpu:
    """Load the weights and make them ready."""
    return TorchCpu(deploy(model), options.precision, options.threads)
