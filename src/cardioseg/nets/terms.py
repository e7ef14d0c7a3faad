"""The terms that a loss is made of, each a function of tensors; `loss` weighs and adds them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-7
"""Added to numerator and denominator of an overlap, so that an empty class is defined."""

Whole = Callable[[Tensor], Tensor]
"""Makes sums over the pixels that are here those of the whole batch, where others have a share."""

_PIXELS = (0, 2, 3)
_HALF_PIXEL = 0.5


def cross_entropy(
    logits: Tensor,
    labels: Tensor,
    class_weights: Tensor | None = None,
    gamma: float = 0.0,
    whole: Whole | None = None,
) -> Tensor:
    """Cross-entropy of the reference class, focal and weighted by class where asked for.

    sum(w (1 - p)^gamma (-ln p)) / sum(w) over all pixels of the batch, p the probability of the
    pixel's reference class, w that class's weight. Without weights and with gamma 0: CCE, the mean
    over pixels of -ln p, natural logarithm.

    Parameters
    ----------
    logits
        (N, C, H, W), before softmax.
    labels
        (N, H, W) int64.
    class_weights
        (C,), above 0; none weighs all classes alike.
    gamma
        0 or more: how much less a pixel counts that is right already.
    whole
        Adds what other processes have of the batch, in every term; none if it is all here.

    References
    ----------
    T.-Y. Lin et al., Focal loss for dense object detection, ICCV 2017, DOI 10.1109/ICCV.2017.324.

    Examples
    --------
    >>> undecided = torch.zeros(1, 2, 1, 1)
    >>> label = torch.zeros(1, 1, 1, dtype=torch.int64)
    >>> print(f"{float(cross_entropy(undecided, label)):.4f}")
    0.6931
    >>> print(f"{float(cross_entropy(undecided, label, gamma=2.0)):.4f}")
    0.1733
    """
    if gamma == 0 and whole is None:
        return functional.cross_entropy(logits, labels, class_weights)
    each = functional.cross_entropy(logits, labels, reduction="none")
    if gamma:
        # From ln p, and not from p: exp(-x) near 1 loses the digits of 1 - p.
        wrong = (-torch.expm1(-each)).clamp_min(EPSILON)  # 0 ** gamma has no slope if gamma < 1
        each = wrong**gamma * each
    if class_weights is None:
        return _mean(each, whole)
    weights = class_weights[labels]
    total, weight = _whole(whole, (weights * each).sum(), weights.sum())
    return total / weight


def dice_loss(probabilities: Tensor, target: Tensor, whole: Whole | None = None) -> Tensor:
    """1 - DC, DC = 2 sum(p q) / (sum p^2 + sum q^2) of each class over the batch, class mean.

    Parameters
    ----------
    probabilities
        (N, C, H, W), after softmax.
    target
        One-hot reference (N, C, H, W).

    Returns
    -------
    Tensor
        A scalar from 0 to 1; background is one of the classes.

    References
    ----------
    F. Milletari et al., V-Net, 3DV 2016, DOI 10.1109/3DV.2016.79.

    Examples
    --------
    >>> certain = torch.eye(2).reshape(1, 2, 1, 2)
    >>> float(dice_loss(certain, certain))
    0.0
    """
    product = (probabilities * target).sum(_PIXELS)
    squares = (probabilities * probabilities).sum(_PIXELS) + (target * target).sum(_PIXELS)
    product, squares = _whole(whole, product, squares)
    coefficient = (2 * product + EPSILON) / (squares + EPSILON)
    return 1 - coefficient.mean()


def generalised_dice_loss(
    probabilities: Tensor, target: Tensor, whole: Whole | None = None
) -> Tensor:
    """1 - 2 sum_c w_c sum(p q) / sum_c w_c sum(p + q), w_c = 1 / (sum q)^2 over the batch.

    A large and a small class weigh alike. A class that the reference lacks has no weight by the
    formula; it takes the largest of the others, so that its false positives still cost.

    Parameters
    ----------
    probabilities
        (N, C, H, W), after softmax.
    target
        One-hot reference (N, C, H, W).

    Returns
    -------
    Tensor
        A scalar from 0 to 1; background is one of the classes.

    References
    ----------
    C. H. Sudre et al., Generalised Dice overlap as a deep learning loss function for highly
    unbalanced segmentations, DLMIA 2017, DOI 10.1007/978-3-319-67558-9_28.

    Examples
    --------
    >>> certain = torch.eye(2).reshape(1, 2, 1, 2)
    >>> float(generalised_dice_loss(certain, certain))
    0.0
    """
    products, totals = (
        each.sum(_PIXELS) for each in (probabilities * target, probabilities + target)
    )
    sizes, products, totals = _whole(whole, target.sum(_PIXELS), products, totals)
    present = sizes > 0
    smallest = sizes[present].min()
    # Divided by the largest weight, which cancels: 1 / size^2 of a whole batch is near EPSILON.
    weights = torch.where(present, smallest / sizes.clamp_min(1), torch.ones_like(sizes)) ** 2
    product, total = (weights * products).sum(), (weights * totals).sum()
    return 1 - (2 * product + EPSILON) / (total + EPSILON)


def tversky_loss(
    probabilities: Tensor, target: Tensor, alpha: float, beta: float, whole: Whole | None = None
) -> Tensor:
    """1 - TP / (TP + alpha FP + beta FN) of each structure over the batch, mean of structures.

    TP = sum(p q), FP = sum(p (1 - q)), FN = sum((1 - p) q). Background is left out: its misses are
    the structures' false positives, and would be weighed the other way round.

    Parameters
    ----------
    probabilities
        (N, C, H, W), after softmax; class 0 is background.
    target
        One-hot reference (N, C, H, W).
    alpha, beta
        Weights of false positives and of misses, 0 or more, not both 0. 0.5 and 0.5 is Dice,
        1 and 1 is Jaccard; beta above alpha favours finding over sparing.

    Returns
    -------
    Tensor
        A scalar from 0 to 1. A structure that is absent from both costs nothing.

    References
    ----------
    S. S. M. Salehi et al., Tversky loss function for image segmentation using 3D fully
    convolutional deep networks, MLMI 2017, DOI 10.1007/978-3-319-67389-9_44.

    Examples
    --------
    >>> certain = torch.eye(2).reshape(1, 2, 1, 2)
    >>> float(tversky_loss(certain, certain, 0.3, 0.7))
    0.0
    """
    p, q = probabilities[:, 1:], target[:, 1:]
    found, marked, wanted = _whole(whole, *(each.sum(_PIXELS) for each in (p * q, p, q)))
    spurious, missed = marked - found, wanted - found
    index = (found + EPSILON) / (found + alpha * spurious + beta * missed + EPSILON)
    return 1 - index.mean()


def boundary_loss(probabilities: Tensor, target: Tensor, whole: Whole | None = None) -> Tensor:
    """Mean over pixels and structures of p phi, phi the signed distance to the boundary.

    phi comes from the reference alone; no gradient goes through it. Background is left out: its
    boundary is the structures'.

    Parameters
    ----------
    probabilities
        (N, C, H, W), after softmax; class 0 is background.
    target
        One-hot reference (N, C, H, W).

    Returns
    -------
    Tensor
        A scalar in pixels: negative where the reference is covered, positive where more is.

    References
    ----------
    H. Kervadec et al., Boundary loss for highly unbalanced segmentation, Medical Image Analysis
    2021, DOI 10.1016/j.media.2020.101851.

    Examples
    --------
    >>> stripe = torch.tensor([[[[1.0, 1, 0, 0]], [[0.0, 0, 1, 1]]]])
    >>> float(boundary_loss(stripe, stripe))
    -0.5
    """
    masks = target[:, 1:].detach().cpu().numpy() > 0
    distances = np.array([[signed_distance(mask) for mask in image] for image in masks])
    phi = torch.from_numpy(distances.reshape(masks.shape)).to(probabilities)
    return _mean(probabilities[:, 1:] * phi, whole)


def signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance of each pixel's centre to the mask's boundary, in pixels; negative inside.

    The boundary runs between pixels, half a pixel from the nearest centre on its other side. It is
    0 everywhere where the mask is empty or full: there is no boundary.

    Examples
    --------
    >>> signed_distance(np.array([[True, True, False]])).tolist()
    [[-1.5, -0.5, 0.5]]
    """
    if mask.all() or not mask.any():
        return np.zeros(mask.shape)
    outside: NDArray[np.float64] = ndimage.distance_transform_edt(~mask) - _HALF_PIXEL
    inside: NDArray[np.float64] = ndimage.distance_transform_edt(mask) - _HALF_PIXEL
    return np.where(mask, -inside, outside)


def _whole(whole: Whole | None, *sums: Tensor) -> tuple[Tensor, ...]:
    """Sums of one shape over the whole batch."""
    return sums if whole is None else tuple(whole(torch.stack(sums)))


def _mean(each: Tensor, whole: Whole | None) -> Tensor:
    """Mean over the whole batch."""
    if whole is None:
        return each.mean()
    total, count = _whole(whole, each.sum(), each.new_tensor(each.numel()))
    return total / count
