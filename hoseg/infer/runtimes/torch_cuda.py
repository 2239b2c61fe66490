"""PyTorch on a CUDA card."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from hoseg.errors import DeviceError
from hoseg.infer.deploy import Deployed, deploy
from hoseg.infer.engine import CpuEngine, Deployment, Engine
from hoseg.infer.gpu.device import CudaDevice
from hoseg.infer.gpu.engine import GpuEngine
from hoseg.infer.options import RuntimeOptions
from hoseg.segment.weights import Model

_TYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


def open_engine(
    models: tuple[Model, ...], options: RuntimeOptions, deployment: Deployment
) -> Engine:
    """Put an ensemble on a card.

    Kernels are chosen by rule, not by timing, and TF32 is off: the same film gives the same
    masks in every run, and float32 means float32.

    Raises DeviceError when the weights do not fit into the card's memory.
    """
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    networks = [deploy(model).lower_precision(_TYPES[options.precision]) for model in models]
    try:
        for network in networks:
            network.to(torch.device(options.device)).to(memory_format=torch.channels_last)
        device = CudaDevice(options.device)
    except torch.OutOfMemoryError as error:
        free, total = (n / 2**30 for n in torch.cuda.mem_get_info(options.device))
        raise DeviceError(
            f"{options.device} has {free:.1f} of {total:.1f} GiB free, too little for the weights; "
            "close other programs on it or use --device cpu"
        ) from error
    if deployment.options.tile is not None:
        return CpuEngine(tuple(_Single(network) for network in networks), deployment)
    return GpuEngine(networks, device, deployment)


class _Single:
    """One tile at a time through a network on a card."""

    def __init__(self, network: Deployed) -> None:
        self._network = network
        self._device = next(network.parameters()).device

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Map (h, w) pixels to (C, h, w) probabilities x 255."""
        batch = torch.from_numpy(np.ascontiguousarray(pixels))[None, None].to(self._device)
        with torch.inference_mode():
            found = self._network(batch.contiguous(memory_format=torch.channels_last))
        return np.asarray(found[0].cpu().numpy())
