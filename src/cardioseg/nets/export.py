"""A trained network as an ONNX model: batch norm folded into convolutions, softmax included."""

from __future__ import annotations

import copy
import logging
import warnings

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cardioseg.nets.blocks import Level
from cardioseg.nets.unet import UNet

OPSET = 18


class _Scores(nn.Module):
    """The network followed by softmax over classes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return torch.softmax(self.network(images), dim=1)


def fold_batch_norm(network: UNet) -> UNet:
    """A copy in evaluation mode whose convolutions have taken over the batch norm behind them.

    In a separable pair the pointwise convolution takes it over. Batch norm on a concatenation
    stays: the convolution that follows it pads with zeros, which a shift would no longer be.
    """
    folded = copy.deepcopy(network).eval()
    for level in folded.modules():
        if isinstance(level, Level):
            _fold_level(level)
    return folded


def _fold_level(level: Level) -> None:
    layers = list(level)
    for index, norm in enumerate(layers):
        if not isinstance(norm, nn.BatchNorm2d):
            continue
        before = layers[index - 1]
        if isinstance(before, nn.Sequential):
            before[-1] = fuse_conv_bn_eval(before[-1], norm)  # type: ignore[type-var]
        else:
            level[index - 1] = fuse_conv_bn_eval(before, norm)  # type: ignore[type-var]
        level[index] = nn.Identity()


def to_onnx(network: UNet) -> bytes:
    """The network as an ONNX model, `slices` (N, C, H, W) float32 to `scores` after softmax.

    N, H and W are free; H and W must be multiples of the network's stride.
    """
    scores = _Scores(fold_batch_norm(network)).eval()
    stride = network.plan.stride
    example = torch.zeros(2, network.plan.input_channels, 2 * stride, 3 * stride)
    batch = torch.export.Dim("batch", min=1)
    height, width = (stride * torch.export.Dim(name, min=1) for name in ("rows", "columns"))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            scores,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["slices"],
            output_names=["scores"],
            dynamic_shapes={"images": {0: batch, 2: height, 3: width}},
            verbose=False,
        )
    if program is None:  # pragma: no cover - only with the old exporter
        raise RuntimeError("torch.onnx.export returned nothing")
    model: bytes = program.model_proto.SerializeToString()
    return model
