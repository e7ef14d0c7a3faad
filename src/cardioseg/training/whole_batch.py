"""Layers and sums whose batch is that of all processes: batch norm, dropout, terms of a loss."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from cardioseg.nets.terms import Whole
from cardioseg.training.distributed import Processes, summed


@dataclass
class Rows:
    """Which images of the whole batch this process has at the moment; the layers ask."""

    own: slice = field(default_factory=lambda: slice(0, 0))
    whole: int = 0


def spread(network: nn.Module, processes: Processes, rows: Rows) -> None:
    """Exchange batch norm and dropout, in place, for layers over the batch of all processes.

    Parameters and running statistics stay the same objects under the same names.

    Parameters
    ----------
    network
        A network whose batch norm and dropout are those of images, (N, C, H, W).
    processes
        Who has a share of each batch.
    rows
        Told of each batch before the network gets it.
    """
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, _norm(child, processes).train(child.training))
            elif isinstance(child, nn.Dropout2d):
                setattr(parent, name, WholeDropout2d(child.p, rows).train(child.training))


def _norm(layer: nn.BatchNorm2d, processes: Processes) -> nn.Module:
    if processes.kind == "cuda":  # PyTorch's own refuses the CPU
        convert = nn.SyncBatchNorm.convert_sync_batchnorm
        converted: nn.Module = convert(layer)  # type: ignore[no-untyped-call]
        return converted
    return WholeBatchNorm2d(layer, processes)


class WholeBatchNorm2d(nn.BatchNorm2d):
    """Batch norm by mean and variance over the images of all processes, on the CPU.

    Running statistics are the same in every process. A process may have no image at all.

    Parameters
    ----------
    layer
        Whose parameters and running statistics it takes over.
    processes
        Who has a share of each batch.
    """

    def __init__(self, layer: nn.BatchNorm2d, processes: Processes) -> None:
        super().__init__(layer.num_features, layer.eps, layer.momentum)
        self.weight, self.bias = layer.weight, layer.bias
        self.running_mean, self.running_var = layer.running_mean, layer.running_var
        self.num_batches_tracked = layer.num_batches_tracked
        self._processes = processes

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (N, C, H, W), with this process's N."""
        if not self.training:
            return super().forward(images)
        answer, mean, variance, count = _Norm.apply(  # type: ignore[no-untyped-call]
            images, self.weight, self.bias, self.eps, self._processes
        )
        self._keep(mean, variance * (count / max(count - 1, 1)))
        whole: Tensor = answer
        return whole

    @torch.no_grad()
    def _keep(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.momentum is None:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


class _Norm(torch.autograd.Function):
    """Batch norm over all processes; PyTorch's kernels do the work on this one's images.

    With xhat = (x - mean) / deviation over M pixels of all processes, the gradient of x is
    weight / deviation * (g - sum(g) / M - xhat * sum(g * xhat) / M), both sums over all processes.
    """

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, bias: Tensor, eps: float, processes: Processes
    ) -> tuple[Tensor, Tensor, Tensor, float]:
        mean, variance, count = _moments(images, processes)
        answer = torch.empty_like(images)
        if len(images):
            answer = torch.native_batch_norm(images, weight, bias, mean, variance, False, 0.0, eps)[
                0
            ]
        ctx.save_for_backward(images, weight, mean, variance)
        ctx.eps, ctx.count, ctx.processes = eps, count, processes
        ctx.mark_non_differentiable(mean, variance)
        return answer, mean, variance, count

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        images, weight, mean, variance = ctx.saved_tensors
        slope, own = gradient, torch.zeros(2, len(weight), dtype=weight.dtype)
        if len(images):
            # In evaluation mode mean and variance are constants: the rest is added below.
            slope, own[0], own[1] = torch.ops.aten.native_batch_norm_backward(
                gradient, images, weight, mean, variance, None, None, False, ctx.eps, [True] * 3
            )
        scaled, plain = summed(ctx.processes, own) / ctx.count
        if len(images):
            inverse = (variance + ctx.eps).rsqrt()
            factor = weight * inverse
            tilt = factor * inverse * scaled
            change = torch.addcmul(_wide(factor * plain - tilt * mean), images, _wide(tilt))
            slope = slope - change.to(slope.dtype)
        return slope, own[0], own[1], None, None


def _moments(images: Tensor, processes: Processes) -> tuple[Tensor, Tensor, float]:
    """Mean and biased variance (C,) over the images of all processes, and their pixels' number."""
    channels = images.shape[1]
    pixels = images.numel() // channels
    # A row for each process: from sums of squares, a large mean would take a variance's digits.
    table = torch.zeros(processes.count, 2 * channels + 1, dtype=torch.float64)
    if pixels:
        variance, mean = torch.var_mean(images.float(), (0, 2, 3), correction=0)
        table[processes.rank] = torch.cat((mean, variance, mean.new_tensor([pixels])))
    table = summed(processes, table)
    means, variances, weights = table[:, :channels], table[:, channels:-1], table[:, -1:]
    count = weights.sum()
    mean = (weights * means).sum(0) / count
    variance = (weights * (variances + (means - mean) ** 2)).sum(0) / count
    return mean.float(), variance.float(), float(count)


def _wide(channels: Tensor) -> Tensor:
    return channels[:, None, None]


class WholeDropout2d(nn.Module):
    """Spatial dropout that draws for the images of all processes and takes this one's.

    Every process draws the same numbers, those that one process alone would draw.

    Parameters
    ----------
    rate
        Share of the channels that are dropped.
    rows
        Which images are this process's.
    """

    def __init__(self, rate: float, rows: Rows) -> None:
        super().__init__()
        self._rate, self._rows = rate, rows

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W), some channels zero and the others scaled up."""
        if not self.training or not self._rate:
            return images
        kept = images.new_empty((self._rows.whole, images.shape[1], 1, 1))
        kept.bernoulli_(1 - self._rate).div_(1 - self._rate)
        return images * kept[self._rows.own]


def whole_sum(processes: Processes) -> Whole:
    """Makes sums over this process's images those over all processes', for the loss of a batch.

    Each process computes the one loss, and its images' gradient is that of the whole loss: there is
    nothing to add up on the way back.
    """

    def total(own: Tensor) -> Tensor:
        answer: Tensor = _Sum.apply(own, processes)  # type: ignore[no-untyped-call]
        return answer

    return total


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, processes: Processes) -> Tensor:
        return summed(processes, own)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None
