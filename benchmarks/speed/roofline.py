"""The least time that a network can take: multiplying at the peak, or moving at the bandwidth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from cardioseg.nets.export import fold_batch_norm
from cardioseg.nets.unet import UNet
from cardioseg.prepare.plan import NetworkPlan

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Layer:
    """One convolution of a folded network on one image."""

    kind: str
    gmac: float
    megabytes: float

    def seconds(self, gflops: float, gb_per_s: float) -> float:
        """Time at the roof: the larger of multiplying and moving."""
        return max(2 * self.gmac / gflops, self.megabytes / 1e3 / gb_per_s)


def layers_of(convolution: str, side: int) -> tuple[Layer, ...]:
    """Every convolution of U-Net 1 or 2 on one image of `side` pixels, batch norm folded.

    Bytes are of input, output and weights, each moved once.
    """
    network = fold_batch_norm(UNet(NetworkPlan(convolution=convolution)))
    found: list[Layer] = []

    def note(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        moved = (inputs[0].numel() + output.numel() + module.weight.numel()) * FLOAT_BYTES
        per = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
        macs = per[0].numel() * module.weight[0].numel()
        found.append(Layer(_kind(module), macs / 1e9, moved / 1e6))

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.register_forward_hook(note)
    with torch.no_grad():
        network(torch.zeros(1, 1, side, side))
    return tuple(found)


def _kind(module: nn.Module) -> str:
    if isinstance(module, nn.ConvTranspose2d):
        return "transposed 2 x 2"
    if module.groups > 1:
        return "depthwise 3 x 3"
    return f"{module.kernel_size[0]} x {module.kernel_size[0]}"


def roofline(convolution: str, side: int, gflops: float, gb_per_s: float) -> dict[str, object]:
    """GMAC, megabytes and milliseconds at the roof, in all and by kind of layer."""
    layers = layers_of(convolution, side)
    kinds = dict.fromkeys(layer.kind for layer in layers)
    return {
        "gmac": round(sum(layer.gmac for layer in layers), 3),
        "megabytes": round(sum(layer.megabytes for layer in layers), 1),
        "roof_ms": round(1e3 * sum(layer.seconds(gflops, gb_per_s) for layer in layers), 2),
        "roof_ms_by_kind": {
            kind: round(1e3 * sum(x.seconds(gflops, gb_per_s) for x in layers if x.kind == kind), 2)
            for kind in kinds
        },
    }
