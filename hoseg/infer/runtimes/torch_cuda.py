"""PyTorch on a CUDA card: one more ``Forward``.

Every process opens a network of its own on the card, as it does on a CPU, and nothing is shared:
whoever is killed takes nothing of another's along. A film is decoded, prepared and given its masks
on the CPU whatever runs the network; the card gets a window and answers with its planes.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from hoseg.errors import DeviceError, OutOfMemory
from hoseg.infer.deploy import Deployed, deploy
from hoseg.infer.options import RuntimeOptions
from hoseg.segment.weights import Model

_TYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
_TRIAL_SIDE_PX = 64


class TorchCuda:
    """One network on one card, a film at a time; films of several threads queue there."""

    def __init__(self, network: Deployed, device: torch.device) -> None:
        self._network = network
        self._device = device

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Map (h, w) pixels to (C, h, w) probabilities x 255.

        Raises
        ------
        OutOfMemory: the card has no room for this film, also after its cache was emptied
        DeviceError: the card failed
        """
        found = self._answer(pixels)
        if found is None:
            # Here, where no exception holds the tensors any more that filled the memory.
            _release_memory()
            found = self._answer(pixels)
        if found is None:
            height, width = pixels.shape
            raise OutOfMemory(
                f"{self._device} has too little free memory for a film of {height} x {width} "
                f"pixels{_free(self._device)}; use fewer --workers, close other programs on the "
                "card, or use --device cpu"
            )
        return found

    def _answer(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8] | None:
        """Answer of the network, or None when the card's memory is full."""
        try:
            batch = torch.from_numpy(np.ascontiguousarray(pixels))[None, None].to(self._device)
            with torch.inference_mode():
                found = self._network(batch.contiguous(memory_format=torch.channels_last))
            return np.ascontiguousarray(found[0].cpu().numpy())
        except torch.OutOfMemoryError:
            return None
        except RuntimeError as error:
            raise _failed(str(self._device), error) from error


def open_network(model: Model, options: RuntimeOptions) -> TorchCuda:
    """Put a network on a card and send one small film through.

    Kernels are chosen by rule, not by timing, and TF32 is off: the same film gives the same
    masks in every run, and float32 means float32.

    Raises
    ------
    DeviceError: the card cannot be used; what is missing shows in the trial, not at the first film
    """
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    network = deploy(model).lower_precision(_TYPES[options.precision])
    try:
        device = _take_card(options.device)
        network = network.to(device).to(memory_format=torch.channels_last)
        forward = TorchCuda(network, device)
        forward(np.zeros((_TRIAL_SIDE_PX, _TRIAL_SIDE_PX), np.float32))
    except (RuntimeError, OutOfMemory) as error:
        raise _failed(options.device, error) from error
    return forward


def nth_card(device: str, number: int) -> str:
    """Card of a worker: where "cuda" names no card, workers take them in turn by their number."""
    if device != "cuda":
        return device
    return f"cuda:{number % max(1, torch.cuda.device_count())}"


def _take_card(name: str) -> torch.device:
    """Make a card this process's own, so that no other is touched by what names none."""
    device = torch.device("cuda", torch.device(name).index or 0)
    torch.cuda.set_device(device)
    return device


def _release_memory() -> None:
    torch.cuda.empty_cache()


def _free(device: torch.device) -> str:
    """State the memory of a card, in brackets; "" where it does not answer."""
    try:
        free, total = (n / 2**30 for n in torch.cuda.mem_get_info(device))
    except (RuntimeError, AssertionError, ValueError):
        return ""
    return f" ({free:.1f} of {total:.1f} GiB free)"


def _failed(device: str, error: Exception) -> DeviceError:
    """Make one sentence of what CUDA says in many lines."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return DeviceError(
        f"{device} cannot be used: {lines[0].rstrip('.;')}; check nvidia-smi and that this torch "
        f"({torch.__version__}) is built for the card, or use --device cpu"
    )
