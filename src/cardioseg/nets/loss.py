"""The loss of the method: categorical cross-entropy plus Dice loss with squared denominators."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-7
"""Added to numerator and denominator of the Dice coefficient, so that an empty class is defined."""


def dice_loss(probabilities: Tensor, target: Tensor) -> Tensor:
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
    pixels = (0, 2, 3)
    product = (probabilities * target).sum(pixels)
    squares = (probabilities * probabilities).sum(pixels) + (target * target).sum(pixels)
    coefficient = (2 * product + EPSILON) / (squares + EPSILON)
    return 1 - coefficient.mean()


def cross_entropy_dice(logits: Tensor, labels: Tensor) -> Tensor:
    """CCE + DL of logits (N, C, H, W) against label values (N, H, W) int64.

    CCE is the mean over pixels of -ln p of the reference class.
    """
    target = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
    entropy = functional.cross_entropy(logits, labels)
    return entropy + dice_loss(torch.softmax(logits, dim=1), target)
