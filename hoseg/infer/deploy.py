"""The network as it is deployed: normalised pixels in, finished probabilities out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hoseg.segment.network import HipUNet, choose_outputs, fold_batch_norm
from hoseg.segment.peaks import FINE_SHIFT
from hoseg.segment.weights import Model


class Deployed(nn.Module):
    """A network with calibration, sigmoid and rounding to bytes inside its graph.

    All of it is done where the network still has its channels last and its blocks of pixels
    folded: on the full grid, with four channels, OpenVINO takes longer for it than for the network.

    network: logits (N, 4 or more, H, W) from grey levels (N, 1, H, W), in evaluation mode; changed
    temperatures: one a structure; probability = sigmoid(logit / temperature)
    peaked: channels that are answered on the fine scale of ``hoseg.segment.peaks`` as well
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        network: nn.Module,
        temperatures: tuple[float, ...],
        peaked: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.dtype = torch.float32  # of the network's input
        self.network = fold_batch_norm(network)
        self.answers = [*range(len(temperatures)), *peaked]
        places = 1
        if isinstance(network, HipUNet):
            choose_outputs(network, self.answers)
            places = 4
        scale = 1 / torch.tensor(temperatures, dtype=torch.float32)
        shift = torch.tensor([0.0] * len(temperatures) + [FINE_SHIFT] * len(peaked))
        channels = (-1, 1, 1)
        self.register_buffer(
            "scale", scale[self.answers].repeat_interleave(places).reshape(channels)
        )
        self.register_buffer("shift", shift.repeat_interleave(places).reshape(channels))

    def lower_precision(self, dtype: torch.dtype) -> Deployed:
        """Compute the network in another type, in place; calibration and sigmoid stay float32.

        So does the stem of a ``HipUNet``: rounding the pixels costs more than all the rest.
        """
        self.network.to(dtype)
        if isinstance(self.network, HipUNet):
            stem = self.network.stem.float()
            stem.register_forward_hook(lambda _module, _inputs, found: found.to(dtype))
        else:
            self.dtype = dtype
        return self

    def forward(self, pixels: Tensor) -> Tensor:
        """Map (N, 1, H, W) to probabilities x 255, (N, C, H, W) uint8.

        C is 4, and one more for each channel with a peak.

        Half a unit and truncation instead of ``round``: one rounding rule in every runtime.
        """
        pixels = pixels.to(self.dtype)
        if isinstance(self.network, HipUNet):
            return functional.pixel_shuffle(self._finish(self.network.forward_folded(pixels)), 2)
        return self._finish(self.network(pixels)[:, self.answers])

    def _finish(self, logits: Tensor) -> Tensor:
        """Probabilities x 255 of logits, whose channels are those of ``scale``."""
        scaled = logits.float() * self.scale - self.shift
        return (torch.sigmoid(scaled) * 255 + 0.5).to(torch.uint8)


def deploy(model: Model) -> Deployed:
    """Make a model's network ready for inference, in float32."""
    card = model.card
    return Deployed(model.network(), card.temperatures, card.peaked).eval()
