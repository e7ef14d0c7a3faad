"""The building blocks of both networks: plain and separable convolutions, a level, a step up."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cardioseg.prepare.plan import Convolution


def separable_convolution(inputs: int, outputs: int) -> nn.Sequential:
    """Depthwise 3 x 3 without bias, then pointwise 1 x 1 with bias (Chollet 2017).

    References
    ----------
    F. Chollet, Xception, CVPR 2017, DOI 10.1109/CVPR.2017.195.
    """
    depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
    pointwise = nn.Conv2d(inputs, outputs, 1)
    return nn.Sequential(depthwise, pointwise)


def convolution_3x3(kind: Convolution, inputs: int, outputs: int) -> nn.Module:
    """A 3 x 3 'same' convolution of either kind, from `inputs` to `outputs` channels."""
    if kind == "separable":
        return separable_convolution(inputs, outputs)
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Level(nn.Sequential):
    """Two 3 x 3 convolutions, each with batch norm and ReLU; spatial dropout between them."""

    def __init__(self, kind: Convolution, inputs: int, outputs: int, dropout: float) -> None:
        layers: list[nn.Module] = []
        for index, channels in enumerate((inputs, outputs)):
            layers += [
                convolution_3x3(kind, channels, outputs),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
            if index == 0 and dropout > 0:
                layers.append(nn.Dropout2d(dropout))
        super().__init__(*layers)


class Up(nn.Module):
    """One step up: double the resolution, join the skip, normalise the joined channels, a level."""

    def __init__(self, kind: Convolution, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.expand = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.norm = nn.BatchNorm2d(2 * outputs)
        self.level = Level(kind, 2 * outputs, outputs, dropout)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """Join `below` (N, inputs, H, W) with `skip` (N, outputs, 2H, 2W)."""
        joined = torch.cat((skip, self.expand(below)), dim=1)
        answer: Tensor = self.level(self.norm(joined))
        return answer
