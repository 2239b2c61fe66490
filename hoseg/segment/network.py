"""The network: a compact U-Net with sub-pixel stem and head, or any ``smp`` architecture by name.

Every network maps normalised grey levels (N, 1, H, W) to logits (N, C, H, W), H and W being
multiples of ``pad_multiple``. The first four channels are the structures in bit order; more are
auxiliary targets of the training (the sacrum) and are dropped by ``keep_structures``.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hoseg.errors import SettingError
from hoseg.radiograph import STRUCTURES

SMP_PREFIX = "smp:"


class ConvUnit(nn.Module):
    """3 x 3 convolution, batch normalisation, ReLU; the norm can be folded away.

    dilation: distance between the taps, in pixels of this level
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False
        )
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, h, w) to (N, outputs, h / stride, w / stride)."""
        return F.relu(self.norm(self.conv(x)), inplace=True)

    def fold(self) -> None:
        """Merge the batch normalisation into the convolution (evaluation only)."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class Residual(nn.Module):
    """Two convolutions with a shortcut (He et al., CVPR 2016), the channels unchanged."""

    def __init__(self, channels: int, *, dilation: int = 1) -> None:
        super().__init__()
        self.first = ConvUnit(channels, channels, dilation=dilation)
        self.second = ConvUnit(channels, channels, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, h, w) to the same shape."""
        return x + self.second(self.first(x))


class HipUNet(nn.Module):
    """U-Net that works at half resolution and below and answers at full resolution.

    The stem folds 2 x 2 pixels into channels and the head unfolds them again (Shi et al., CVPR
    2016), so no convolution runs on the full grid: three quarters of the usual cost saved with
    the detail kept. Dilated blocks at the bottom widen the context beyond 200 mm at 0.6 mm.

    widths: channels at 1/2, 1/4, 1/8, ... of the input
    outputs: logits a pixel, structures first
    context: dilations of the residual blocks at the deepest level
    deep_levels: decoder levels (0 = 1/2) that give extra logits in training
    """

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128, 192),
        outputs: int = len(STRUCTURES),
        context: Sequence[int] = (1, 2),
        deep_levels: Sequence[int] = (2,),
    ) -> None:
        super().__init__()
        if len(widths) < 2 or min(widths) < 1:
            raise SettingError("widths", list(widths), "two or more positive channel counts")
        if any(not 0 < level < len(widths) - 1 for level in deep_levels):
            raise SettingError("deep_levels", list(deep_levels), f"1 to {len(widths) - 2}")
        self.widths = tuple(widths)
        self.outputs = outputs
        self.deep_levels = tuple(deep_levels)
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), ConvUnit(4, widths[0]))
        self.encoder = nn.ModuleList(
            nn.Sequential(ConvUnit(a, b, stride=2), Residual(b))
            for a, b in itertools.pairwise(widths)
        )
        self.context = nn.Sequential(*(Residual(widths[-1], dilation=d) for d in context))
        self.reduce = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in itertools.pairwise(widths))
        self.decoder = nn.ModuleList(
            nn.Sequential(ConvUnit(2 * a, a), ConvUnit(a, a)) for a in widths[:-1]
        )
        self.head = nn.Conv2d(widths[0], 4 * outputs, 3, padding=1)
        self.deep_heads = nn.ModuleList(nn.Conv2d(widths[i], outputs, 1) for i in deep_levels)

    @property
    def pad_multiple(self) -> int:
        """Height and width of the input must be multiples of this."""
        return int(2 ** len(self.widths))

    def forward(self, x: Tensor) -> Tensor:
        """Map grey levels (N, 1, H, W) to logits (N, outputs, H, W)."""
        return F.pixel_shuffle(self.forward_folded(x), 2)

    def forward_folded(self, x: Tensor) -> Tensor:
        """Map grey levels (N, 1, H, W) to logits (N, 4 x outputs, H / 2, W / 2).

        Four channels in a row are a block of 2 x 2 pixels, as ``pixel_shuffle`` lays them out.
        """
        return self.head(self._features(x)[0])

    def forward_deep(self, x: Tensor) -> tuple[Tensor, list[tuple[int, Tensor]]]:
        """Logits at full resolution, and (stride, logits at 1/stride) of the deep heads."""
        features = self._features(x)
        deep = [
            (2 ** (level + 1), head(features[level]))
            for level, head in zip(self.deep_levels, self.deep_heads, strict=True)
        ]
        return F.pixel_shuffle(self.head(features[0]), 2), deep

    def _features(self, x: Tensor) -> list[Tensor]:
        """Decoder features, from 1/2 resolution down."""
        skips = [self.stem(x)]
        for stage in self.encoder:
            skips.append(stage(skips[-1]))
        x = self.context(skips[-1])
        features = [x]
        for level in reversed(range(len(self.widths) - 1)):
            x = F.interpolate(self.reduce[level](x), scale_factor=2.0, mode="nearest")
            x = self.decoder[level](torch.cat([x, skips[level]], dim=1))
            features.append(x)
        return features[::-1]


def build_network(architecture: str, options: Mapping[str, Any]) -> nn.Module:
    """Make a network with random weights; nothing is ever downloaded.

    architecture: ``"hip_unet"``, or ``"smp:NAME"`` for an architecture of
        segmentation-models-pytorch, for example ``"smp:Unet"``
    options: keyword arguments of the architecture

    Raises SettingError naming the option that the architecture does not have.
    """
    if architecture == "hip_unet":
        _check_options(HipUNet, options)
        return HipUNet(**options)
    if architecture.startswith(SMP_PREFIX):
        return _build_smp(architecture.removeprefix(SMP_PREFIX), dict(options))
    raise SettingError("architecture", architecture, "'hip_unet' or 'smp:NAME'")


def required_multiple(network: nn.Module) -> int:
    """Height and width of the input must be multiples of this (32 unless the network knows)."""
    return int(getattr(network, "pad_multiple", 32))


def keep_structures(network: nn.Module) -> nn.Module:
    """Drop auxiliary outputs and deep heads of a ``HipUNet``, in place, for release."""
    if isinstance(network, HipUNet):
        choose_outputs(network, range(len(STRUCTURES)))
        network.deep_levels, network.deep_heads = (), nn.ModuleList()
    return network


def choose_outputs(network: HipUNet, outputs: Sequence[int]) -> HipUNet:
    """Answer with these outputs in this order, in place; one may be answered twice."""
    rows = [4 * output + place for output in outputs for place in range(4)]
    head = nn.Conv2d(network.widths[0], len(rows), 3, padding=1)
    head.load_state_dict({name: value[rows] for name, value in network.head.state_dict().items()})
    network.head, network.outputs = head, len(outputs)
    return network


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Merge batch normalisation into the convolutions, in place; the network must be in eval."""
    for module in list(network.modules()):
        if isinstance(module, ConvUnit):
            module.fold()
    return network


@torch.no_grad()
def round_to_bfloat16(network: nn.Module) -> nn.Module:
    """Make the folded weights of a ``HipUNet`` bfloat16 numbers, in place, for release.

    Half of what bfloat16 changes in masks is the rounding of weights. Here it is done once, before
    calibration, so that float32 and bfloat16 share one network and differ in activations only.
    The norms keep their statistics: the network can be trained further.
    """
    if not isinstance(network, HipUNet):
        return network
    for unit in network.modules():
        if isinstance(unit, ConvUnit) and isinstance(unit.norm, nn.BatchNorm2d):
            _round_unit(unit.conv, unit.norm)
    for conv in (network.head, *network.reduce, *network.deep_heads):
        for value in conv.parameters():
            value.copy_(value.bfloat16())
    return network


def _round_unit(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Move kernel and shift so that both are bfloat16 once the norm is folded in."""
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError("a norm without running statistics cannot be folded")
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    kernel = (conv.weight * scale[:, None, None, None]).bfloat16() / scale[:, None, None, None]
    conv.weight.copy_(torch.where(scale[:, None, None, None] == 0, conv.weight, kernel))
    norm.bias.copy_((norm.bias - mean * scale).bfloat16() + mean * scale)


def _check_options(kind: type, options: Mapping[str, Any]) -> None:
    allowed = [name for name in inspect.signature(kind).parameters if name != "self"]
    for name, value in options.items():
        if name not in allowed:
            raise SettingError(f"options.{name}", value, f"one of the options {allowed}")


def _build_smp(name: str, options: dict[str, Any]) -> nn.Module:
    try:
        import segmentation_models_pytorch as smp
    except ImportError as error:
        raise SettingError(
            "architecture",
            SMP_PREFIX + name,
            "'hip_unet', or the package segmentation-models-pytorch installed (hoseg[train])",
        ) from error
    if options.pop("encoder_weights", None) is not None:
        raise SettingError("options.encoder_weights", "...", "null: weights are never downloaded")
    outputs = options.pop("outputs", len(STRUCTURES))
    try:
        return smp.create_model(
            name, encoder_weights=None, in_channels=1, classes=outputs, **options
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SettingError(
            "architecture", SMP_PREFIX + name, f"one smp can build: {error}"
        ) from error
