"""A U-Net's training step by compiled kernels, over the parameters of the trained network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cardioseg.nets.blocks import Level, Up
from cardioseg.nets.unet import UNet
from cardioseg.prepare.plan import NetworkPlan
from cardioseg.training.native.functions import (
    CHANNELS,
    depthwise,
    expanded,
    norm_joined,
    norm_relu,
    pool,
)


def is_taken(plan: NetworkPlan) -> bool:
    """Whether the kernels take a network: all its widths are multiples of 8."""
    return all(width % CHANNELS == 0 for width in plan.widths)


class NativeUNet(nn.Module):
    """The same function as a :class:`UNet` in training mode, to rounding.

    It has no parameters of its own: gradients, running statistics and the random numbers of
    dropout are the network's. Pointwise and plain convolutions stay PyTorch's. Between them,
    batch norm, ReLU, dropout and depthwise convolution are one pass over memory, and what a
    transposed convolution makes is read where it lies. Every bias but the last one's comes before
    a batch norm, which takes it away again: it is left out, and its gradient is exactly 0.

    Parameters
    ----------
    network
        What is trained; see :func:`is_taken`.
    """

    def __init__(self, network: UNet) -> None:
        super().__init__()
        # In a tuple: its parameters are not to be listed twice.
        self._network = (network,)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of images (N, C, H, W)."""
        (network,) = self._network
        skips: list[Tensor] = []
        features = images
        for level in network.down:
            features = _level(level, pool(features) if skips else features)  # type: ignore[arg-type]
            skips.append(features)
        features = skips.pop()
        for step in network.up:
            features = _up(step, features, skips.pop())  # type: ignore[arg-type]
        logits: Tensor = network.head(features)
        return logits


def _level(level: Level, features: Tensor, smoothed: bool = False) -> Tensor:
    """Both convolutions of a level; `smoothed`: the first depthwise one is done already."""
    first, norm, _, *dropout, second, last_norm, _ = level
    features, offset = _convolved(first, features, smoothed)
    keep = _kept_channels(features, dropout[0].p) if dropout else None  # type: ignore[arg-type]
    taps = _smoothing(second)
    features = norm_relu(features, norm, offset, keep, taps)  # type: ignore[arg-type]
    features, offset = _convolved(second, features, taps is not None)
    return norm_relu(features, last_norm, offset)  # type: ignore[arg-type]


def _up(step: Up, below: Tensor, skip: Tensor) -> Tensor:
    taps, bias = _smoothing(step.level[0]), _bias(step.expand)
    offset = torch.cat((bias.new_zeros(skip.shape[1]), bias))
    squares = expanded(below, step.expand.weight)
    joined = norm_joined(skip, squares, step.norm, offset, taps)
    return _level(step.level, joined, smoothed=taps is not None)


def _smoothing(layer: nn.Module) -> Tensor | None:
    """Weight of the depthwise half of a separable convolution; None of a plain one."""
    if not isinstance(layer, nn.Sequential):
        return None
    smooth: nn.Conv2d = layer[0]  # type: ignore[assignment]
    return smooth.weight


def _convolved(layer: nn.Module, features: Tensor, smoothed: bool) -> tuple[Tensor, Tensor]:
    """What a 3 x 3 convolution gives without its bias, and the bias."""
    if isinstance(layer, nn.Sequential):
        smooth, layer = layer.children()
        if not smoothed:
            whole = features.shape[1] % CHANNELS == 0  # unlike the image's one channel
            features = depthwise(features, smooth.weight) if whole else smooth(features)  # type: ignore[arg-type]
    plain: nn.Conv2d = layer  # type: ignore[assignment]
    return functional.conv2d(features, plain.weight, padding=plain.padding), _bias(plain)


def _bias(layer: nn.Conv2d | nn.ConvTranspose2d) -> Tensor:
    if layer.bias is None:
        raise ValueError(f"{layer} has no bias: not a network of cardioseg.nets")
    return layer.bias


def _kept_channels(features: Tensor, probability: float) -> Tensor:
    """(N, C): 0 for a channel that is dropped, 1 / (1 - p) for others, as PyTorch draws them."""
    count, channels = features.shape[:2]
    kept = torch.empty((count, channels, 1, 1), dtype=features.dtype).bernoulli_(1 - probability)
    return kept.div_(1 - probability).flatten(1).float()
