"""Small random networks whose batch norm does something."""

from __future__ import annotations

from functools import cache

import torch
from torch import nn

from cardioseg.nets.export import to_onnx
from cardioseg.nets.unet import UNet
from cardioseg.prepare.plan import NetworkPlan

SMALL = NetworkPlan(widths=(4, 8), classes=4)


def random_network(plan: NetworkPlan = SMALL, seed: int = 0) -> UNet:
    """A network in evaluation mode that answers every class somewhere."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    network = UNet(plan)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.running_var):
                values.data.uniform_(0.5, 2.0, generator=generator)
            for values in (module.bias, module.running_mean):
                values.data.normal_(0, 0.3, generator=generator)
    # Logits of unit variance and zero mean, so that every class wins somewhere.
    side = 4 * plan.stride
    with torch.no_grad():
        logits = network.eval()(torch.rand(2, plan.input_channels, side, side, generator=generator))
        spread, mean = logits.std((0, 2, 3)), logits.mean((0, 2, 3))
        network.head.weight /= spread[:, None, None, None]
        network.head.bias.copy_((network.head.bias - mean) / spread)
    return network


@cache
def exported_network(plan: NetworkPlan = SMALL, seed: int = 0) -> bytes:
    """A small random network as ONNX; exporting takes seconds, so once a process."""
    return to_onnx(random_network(plan, seed))
