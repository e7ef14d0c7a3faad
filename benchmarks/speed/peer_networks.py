"""MONAI's and nnU-Net's 2-D networks, one pass or one step; runs in the peers' environment."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

CLASSES = 3
NNUNET_LEVELS = 7
"""Levels of nnU-Net's plan for ACDC at 256 x 256 (its `dataset_fingerprint` planner, 2-D)."""


def build(contender: str) -> nn.Module:
    """`monai` (BasicUNet) or `nnunet` (PlainConvUNet as nnU-Net plans it in 2-D)."""
    if contender == "monai":
        from monai.networks.nets import BasicUNet

        return BasicUNet(spatial_dims=2, in_channels=1, out_channels=CLASSES)
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    return PlainConvUNet(
        input_channels=1,
        n_stages=NNUNET_LEVELS,
        features_per_stage=[min(512, 32 * 2**level) for level in range(NNUNET_LEVELS)],
        conv_op=nn.Conv2d,
        kernel_sizes=3,
        strides=[1] + [2] * (NNUNET_LEVELS - 1),
        n_conv_per_stage=2,
        num_classes=CLASSES,
        n_conv_per_stage_decoder=2,
        conv_bias=True,
        norm_op=nn.InstanceNorm2d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
    )


def predict(contender: str, _: str, batch: int, side: int) -> Callable[[], object]:
    """One pass in evaluation mode."""
    model, images = build(contender).eval(), torch.rand(batch, 1, side, side)

    def run() -> torch.Tensor:
        with torch.inference_mode():
            return model(images)

    return run


def train(contender: str, _: str, batch: int, side: int) -> Callable[[], object]:
    """One step with Adam and cross-entropy."""
    model = build(contender).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    images = torch.rand(batch, 1, side, side)
    labels = torch.randint(0, CLASSES, (batch, side, side))

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(images), labels).backward()
        optimiser.step()

    return step
