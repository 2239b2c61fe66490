"""The network as it is deployed: normalised pixels in, finished probabilities out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hoseg.radiograph import STRUCTURES
from hoseg.segment.network import HipUNet, fold_batch_norm
from hoseg.segment.peaks import FINE_SHIFT
from hoseg.segment.weights import Model


class Deployed(nn.Module):
    """A network with calibration, sigmoid and rounding to bytes inside its graph.

    network: logits (N, 4 or more, H, W) from grey levels (N, 1, H, W), in evaluation mode
    temperatures: one a structure; probability = sigmoid(logit / temperature)
    peaked: channels that are answered on the fine scale of ``hoseg.segment.peaks`` as well
    """

    def __init__(
        self,
        network: nn.Module,
        temperatures: tuple[float, ...],
        peaked: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.peaked = peaked
        self.network = fold_batch_norm(network)
        self.dtype = torch.float32  # of the network's input
        scale = 1 / torch.tensor(temperatures, dtype=torch.float32)
        self.register_buffer("scale", scale[:, None, None])

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
        logits = self.network(pixels.to(self.dtype))[:, : len(STRUCTURES)].float()
        scaled = logits * self.scale
        fine = [scaled[:, channel : channel + 1] - FINE_SHIFT for channel in self.peaked]
        if fine:
            scaled = torch.cat([scaled, *fine], dim=1)
        return (torch.sigmoid(scaled) * 255 + 0.5).to(torch.uint8)


def deploy(model: Model) -> Deployed:
    """Make a model's network ready for inference, in float32."""
    card = model.card
    return Deployed(model.network(), card.temperatures, card.peaked).eval()
