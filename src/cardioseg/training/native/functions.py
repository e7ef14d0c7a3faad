"""The compiled kernels as functions that PyTorch differentiates; equal to its own to rounding.

Tensors (N, C, H, W) are float32 or bfloat16 on the CPU, C a multiple of 8, and channels_last, or
made so. A constant that is added before batch norm (`offset`) has no effect but on the running
mean: it is added there, and its gradient is 0.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from cardioseg.training.native.build import load_kernels

CHANNELS = 8
"""Kernels take a multiple of so many channels."""

_LAYOUT = torch.channels_last


def depthwise(images: Tensor, weight: Tensor) -> Tensor:
    """3 x 3 'same' depthwise convolution of (N, C, H, W) by (C, 1, 3, 3), without bias."""
    answer: Tensor = _Depthwise.apply(images, weight)  # type: ignore[no-untyped-call]
    return answer


def norm_relu(
    images: Tensor,
    norm: nn.BatchNorm2d,
    offset: Tensor | None = None,
    keep: Tensor | None = None,
    smooth: Tensor | None = None,
) -> Tensor:
    """Batch norm of a training step, ReLU, dropout of whole channels, depthwise convolution.

    Parameters
    ----------
    images
        (N, C, H, W).
    norm
        Its running statistics move, as they do in PyTorch.
    offset
        (C,), added to the images.
    keep
        (N, C) float32: what each channel of each image is multiplied by, 0 or more; None without
        dropout.
    smooth
        (C, 1, 3, 3): weight of a depthwise convolution of the answer, which then is never written.
    """
    return _norm(norm, offset, True, keep, smooth, images, None)


def norm_joined(
    skip: Tensor,
    squares: Tensor,
    norm: nn.BatchNorm2d,
    offset: Tensor | None = None,
    smooth: Tensor | None = None,
) -> Tensor:
    """Batch norm of two tensors joined along their channels, which are never copied together.

    Parameters
    ----------
    skip
        (N, C, H, W).
    squares
        (N, H / 2, W / 2, 4 D), as :func:`expanded` makes them: D more channels.
    norm, offset, smooth
        As :func:`norm_relu`; offset (C + D,).
    """
    return _norm(norm, offset, False, None, smooth, skip, squares)


def expanded(images: Tensor, weight: Tensor) -> Tensor:
    """Transposed convolution 2 x 2 of stride 2, without bias, as one matrix product.

    Parameters
    ----------
    images
        (N, C, H, W).
    weight
        (C, D, 2, 2).

    Returns
    -------
    Tensor
        (N, H, W, 4 D): for each pixel its 2 x 2 square, row by row, D channels each.
    """
    matrix = weight.permute(0, 2, 3, 1).reshape(len(weight), -1)
    return _laid_out(images).permute(0, 2, 3, 1) @ matrix


def pool(images: Tensor) -> Tensor:
    """2 x 2 max-pooling of (N, C, H, W), H and W even; no index is stored for the way back."""
    answer: Tensor = _Pool.apply(images)  # type: ignore[no-untyped-call]
    return answer


def _norm(
    norm: nn.BatchNorm2d,
    offset: Tensor | None,
    relu: bool,
    keep: Tensor | None,
    *others: Tensor | None,
) -> Tensor:
    answer, mean, variance = _Norm.apply(  # type: ignore[no-untyped-call]
        norm.weight, norm.bias, offset, norm.eps, relu, keep, *others
    )
    if norm.running_mean is not None and norm.running_var is not None:
        count = answer.numel() // len(mean)
        with torch.no_grad():
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked += 1
            share = norm.momentum or 0.0
            norm.running_mean.lerp_(mean if offset is None else mean + offset, share)
            norm.running_var.lerp_(variance * (count / max(count - 1, 1)), share)
    joined: Tensor = answer
    return joined


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor) -> Tensor:
        images, taps = _laid_out(images), _taps(weight)
        answer = torch.empty_like(images)
        _call("depthwise_forward", images, (images, taps, answer), _sizes(images))
        ctx.save_for_backward(images, taps)
        return answer

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, Tensor]:
        images, taps = ctx.saved_tensors
        slope = _laid_out(slope)
        change = torch.empty_like(images) if ctx.needs_input_grad[0] else None
        sums = torch.empty_like(taps)
        tensors = (images, slope, taps, change, sums)
        _call("depthwise_backward", images, tensors, _sizes(images))
        return change, _weight(sums)


class _Norm(torch.autograd.Function):
    """Batch norm over `first`, or over it and `squares` joined; with ReLU, dropout, smoothing."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 (what is differentiated has to be an argument)
        ctx: Any,
        weight: Tensor,
        bias: Tensor,
        offset: Tensor | None,
        eps: float,
        relu: bool,
        keep: Tensor | None,
        smooth: Tensor | None,
        first: Tensor,
        squares: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        first = _laid_out(first)
        squares = None if squares is None else squares.contiguous()
        taps = None if smooth is None else _taps(smooth)
        mean, variance = _moments(first, squares, len(weight))
        inverse = (variance + eps).rsqrt()
        scale = weight.detach() * inverse
        shift = bias.detach() - mean * scale
        count, own, height, width = first.shape
        shape = (count, len(weight), height, width)
        answer = torch.empty(shape, dtype=first.dtype, memory_format=_LAYOUT)
        sizes = (*_sizes(answer), own)
        tensors = (first, squares, scale, shift, keep, taps, answer)
        _call("norm_forward", first, tensors, sizes, relu, squares is not None)
        ctx.save_for_backward(first, squares, scale, shift, keep, taps, mean, inverse)
        ctx.relu, ctx.sizes, ctx.has_offset = relu, sizes, offset is not None
        ctx.mark_non_differentiable(mean, variance)
        return answer, mean, variance

    @staticmethod
    def backward(ctx: Any, slope: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        first, squares, scale, shift, keep, taps, mean, inverse = ctx.saved_tensors
        slope = _laid_out(slope)
        of_weight, of_bias = torch.empty_like(scale), torch.empty_like(scale)
        of_offset = torch.zeros_like(scale) if ctx.has_offset else None
        of_taps, *changes = (
            None if like is None else torch.empty_like(like) for like in (taps, first, squares)
        )
        tensors = (first, squares, *changes, scale, shift, keep, taps, slope)
        tensors = (*tensors, mean, inverse, of_weight, of_bias, of_taps)
        _call("norm_backward", first, tensors, ctx.sizes, ctx.relu, squares is not None)
        of_smooth = None if of_taps is None else _weight(of_taps)
        return of_weight, of_bias, of_offset, None, None, None, of_smooth, *changes


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        images = _laid_out(images)
        count, channels, height, width = images.shape
        if height % 2 or width % 2:
            raise ValueError(f"pooling {height} x {width} pixels: needs even sides")
        shape = (count, channels, height // 2, width // 2)
        answer = torch.empty(shape, dtype=images.dtype, memory_format=_LAYOUT)
        _call("pool_forward", images, (images, answer), _sizes(answer))
        ctx.save_for_backward(images)
        return answer

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        (images,) = ctx.saved_tensors
        slope, change = _laid_out(slope), torch.empty_like(images)
        _call("pool_backward", images, (images, slope, change), _sizes(slope))
        return change


def _moments(first: Tensor, squares: Tensor | None, channels: int) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (C,); the order of pixels does not matter."""
    mean, variance = torch.empty(channels), torch.empty(channels)
    own, pixels = first.shape[1], first.numel() // first.shape[1]
    _call("moments", first, (first, mean, variance), (pixels, own))
    if squares is not None:
        tensors = (squares, mean[own:], variance[own:])
        _call("moments", squares, tensors, (pixels, channels - own))
    return mean, variance


def _call(
    name: str,
    images: Tensor,
    tensors: tuple[Tensor | None, ...],
    sizes: tuple[int, ...],
    *flags: bool,
) -> None:
    """Run a kernel on tensors, told by where they begin."""
    half = images.dtype == torch.bfloat16
    places = (None if tensor is None else tensor.data_ptr() for tensor in tensors)
    kernel = getattr(load_kernels(), f"cardioseg_{name}")
    kernel(half, *flags, *places, *sizes, torch.get_num_threads())


def _sizes(images: Tensor) -> tuple[int, int, int, int]:
    count, channels, height, width = images.shape
    return count, height, width, channels


def _laid_out(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=_LAYOUT)


def _taps(weight: Tensor) -> Tensor:
    """(9, C) of (C, 1, 3, 3): a tap's channels lie together, as a pixel's do."""
    return weight.detach().reshape(len(weight), 9).t().float().contiguous()


def _weight(taps: Tensor) -> Tensor:
    """Undoes :func:`_taps`."""
    return taps.t().reshape(-1, 1, 3, 3)
