"""The U-Net of the method in its two kinds; widths, depth and dropout are values."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cardioseg.nets.blocks import Level, Up
from cardioseg.prepare.plan import NetworkPlan


class UNet(nn.Module):
    """A U-Net that maps (N, C, H, W) images to (N, classes, H, W) logits.

    Each level has two 3 x 3 convolutions with batch norm and ReLU; levels are joined by 2 x 2
    max-pooling on the way down and 2 x 2 stride-2 transposed convolutions on the way up, with
    batch norm on the concatenation.

    Parameters
    ----------
    plan
        Kind of convolution, widths, classes, dropout and input channels.

    References
    ----------
    O. Ronneberger et al., MICCAI 2015, DOI 10.1007/978-3-319-24574-4_28.

    Examples
    --------
    >>> network = UNet(NetworkPlan(widths=(4, 8), classes=3))
    >>> tuple(network(torch.zeros(1, 1, 32, 48)).shape)
    (1, 3, 32, 48)
    """

    def __init__(self, plan: NetworkPlan) -> None:
        super().__init__()
        self.plan = plan
        kind, widths, dropout = plan.convolution, plan.widths, plan.dropout
        inputs = (plan.input_channels, *widths[:-1])
        self.down = nn.ModuleList(
            Level(kind, before, width, dropout)
            for before, width in zip(inputs, widths, strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(
            Up(kind, below, width, dropout)
            for below, width in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], plan.classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of images (N, C, H, W); H and W multiples of the stride."""
        stride = self.plan.stride
        if images.shape[-2] % stride or images.shape[-1] % stride:
            height, width = images.shape[-2:]
            raise ValueError(f"a slice of {height} x {width} pixels: need multiples of {stride}")
        skips: list[Tensor] = []
        features = images
        for level in self.down:
            features = level(self.pool(features) if skips else features)
            skips.append(features)
        features = skips.pop()
        for step in self.up:
            features = step(features, skips.pop())
        logits: Tensor = self.head(features)
        return logits


def unet_1(classes: int = 3, dropout: float = 0.0) -> UNet:
    """U-Net 1: conventional convolutions; 31,125,987 parameters with three classes.

    Examples
    --------
    >>> count_parameters(unet_1())
    31125987
    """
    return UNet(NetworkPlan(convolution="conventional", classes=classes, dropout=dropout))


def unet_2(classes: int = 3, dropout: float = 0.0) -> UNet:
    """U-Net 2: depthwise-separable convolutions; 6,030,156 parameters with three classes.

    Examples
    --------
    >>> count_parameters(unet_2())
    6030156
    """
    return UNet(NetworkPlan(convolution="separable", classes=classes, dropout=dropout))


def count_parameters(network: nn.Module) -> int:
    """Numbers that a network stores: weights, biases, and batch norm's four numbers a channel.

    Running means and variances are counted, as Keras' summary does; step counters are not.
    """
    stored = [value for value in network.state_dict().values() if value.is_floating_point()]
    return sum(value.numel() for value in stored)


def count_multiplications(network: nn.Module, height: int, width: int) -> int:
    """Multiply-accumulates of the convolutions for one image of `height` x `width` pixels."""
    total = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.ConvTranspose2d):
            total += inputs[0][0].numel() * module.weight[0].numel()
        elif isinstance(module, nn.Conv2d):
            total += output[0].numel() * module.weight[0].numel()

    hooks = [module.register_forward_hook(count) for module in network.modules()]
    try:
        channels = next(m for m in network.modules() if isinstance(m, nn.Conv2d)).in_channels
        training = network.training
        with torch.no_grad():
            network.eval()(torch.zeros(1, channels, height, width))
        network.train(training)
    finally:
        for hook in hooks:
            hook.remove()
    return total
