"""A trained network as an ONNX model, and back: batch norm folded, temperature and softmax in."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cardioseg.nets.blocks import Level
from cardioseg.nets.storage import without_traces
from cardioseg.nets.unet import UNet
from cardioseg.prepare.plan import NetworkPlan

OPSET = 18

Float32Array = NDArray[np.float32]

_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)


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


def calibrated(network: UNet, temperature: float) -> UNet:
    """A copy whose logits are divided by a temperature: its last convolution takes it over.

    References
    ----------
    C. Guo et al., On calibration of modern neural networks, ICML 2017.
    """
    answer = copy.deepcopy(network)
    with torch.no_grad():
        answer.head.weight.div_(temperature)
        if answer.head.bias is not None:
            answer.head.bias.div_(temperature)
    return answer


def folded_network(plan: NetworkPlan, weights: Sequence[tuple[Float32Array, ...]]) -> UNet:
    """The folded network whose weights an ONNX model of :func:`to_onnx` holds.

    Parameters
    ----------
    plan
        The network.
    weights
        Those of each layer, in the order in which the layers run.

    Raises
    ------
    ValueError
        If they are not those of this network.
    """
    network = fold_batch_norm(UNet(plan))
    layers = [module for module in network.modules() if isinstance(module, _LAYERS)]
    if len(layers) != len(weights):
        raise ValueError(f"{len(weights)} layers with weights instead of {len(layers)}")
    for layer, arrays in zip(layers, weights, strict=True):
        _take_over(layer, arrays)
    return network


@torch.no_grad()
def _take_over(layer: nn.Module, arrays: tuple[Float32Array, ...]) -> None:
    """Copy the arrays into a layer; a convolution's bias that is not there is zero."""
    named = ("weight", "bias", "running_mean", "running_var")
    own = [tensor for name in named if (tensor := getattr(layer, name, None)) is not None]
    if len(arrays) == 1 and len(own) == 2:
        arrays = (*arrays, np.zeros(own[1].shape, np.float32))
    found, wanted = [list(a.shape) for a in arrays], [list(t.shape) for t in own]
    if found != wanted:
        raise ValueError(f"a layer has weights of shapes {found} instead of {wanted}")
    for tensor, array in zip(own, arrays, strict=True):
        tensor.copy_(torch.from_numpy(array))


def to_onnx(network: UNet, temperature: float = 1.0) -> bytes:
    """The network as an ONNX model, `slices` (N, C, H, W) float32 to `scores` (N, classes, H, W).

    Scores are softmax(logits / temperature). N, H and W are free; H and W must be multiples of
    the network's stride.
    """
    scores = _Scores(calibrated(fold_batch_norm(network), temperature)).eval()
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
    return without_traces(program.model_proto)
