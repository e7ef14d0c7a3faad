"""The loss as values: which terms of `terms`, and how much each counts."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional

from cardioseg.nets.terms import (
    Whole,
    boundary_loss,
    cross_entropy,
    dice_loss,
    generalised_dice_loss,
    tversky_loss,
)
from cardioseg.prepare.plan import FrozenModel

Weight = Annotated[float, Field(ge=0, le=1000)]
ClassWeight = Annotated[float, Field(gt=0, le=1_000_000)]


class Loss(FrozenModel):
    """pixel_weight * pixel + region_weight * region + boundary * boundary loss.

    The default is the method's: categorical cross-entropy plus Dice loss with squared denominators.

    Parameters
    ----------
    pixel
        `cross_entropy`, or `focal`: pixels that are right already count less.
    pixel_weight
        Factor of the pixel term, 0 to 1000; 0 leaves it out.
    class_weights
        One weight above 0 for each class, background first, for the pixel term; none weighs all
        alike.
    focal_gamma
        Exponent of `focal`, 0 to 10; 0 is cross-entropy.
    region
        `dice`, `generalised_dice` or `tversky`.
    region_weight
        Factor of the region term, 0 to 1000; 0 leaves it out.
    tversky_alpha, tversky_beta
        Weights of false positives and of misses in `tversky`, 0 to 10, not both 0.
    boundary
        Factor of the boundary loss, 0 to 1000; 0 leaves it out. It is constant: the paper's
        schedule, which raises it every epoch, is not built. The boundary loss is in pixels, so
        0.01 is a place to start.

    References
    ----------
    DOI 10.1109/3DV.2016.79 (Dice), 10.1109/ICCV.2017.324 (focal), 10.1007/978-3-319-67558-9_28
    (generalised Dice), 10.1007/978-3-319-67389-9_44 (Tversky), 10.1016/j.media.2020.101851
    (boundary).
    """

    pixel: Literal["cross_entropy", "focal"] = "cross_entropy"
    pixel_weight: Weight = 1.0
    class_weights: tuple[ClassWeight, ...] | None = None
    focal_gamma: Annotated[float, Field(ge=0, le=10)] = 2.0
    region: Literal["dice", "generalised_dice", "tversky"] = "dice"
    region_weight: Weight = 1.0
    tversky_alpha: Annotated[float, Field(ge=0, le=10)] = 0.3
    tversky_beta: Annotated[float, Field(ge=0, le=10)] = 0.7
    boundary: Weight = 0.0

    @model_validator(mode="after")
    def _is_a_loss(self) -> Loss:
        if not (self.pixel_weight or self.region_weight):
            # The boundary loss alone says nothing of a structure that is absent.
            raise ValueError("pixel_weight and region_weight are both 0; set one above 0")
        if not (self.tversky_alpha or self.tversky_beta):
            raise ValueError("tversky_alpha and tversky_beta are both 0; set one above 0")
        return self


def total_loss(loss: Loss, logits: Tensor, labels: Tensor, whole: Whole | None = None) -> Tensor:
    """The loss of a batch, a scalar.

    Parameters
    ----------
    loss
        Which terms, and how much each counts.
    logits
        (N, C, H, W), before softmax.
    labels
        (N, H, W) int64, 0 to C - 1.
    whole
        Where other processes have a share of the batch: adds a tensor of sums over theirs. The loss
        is then that of the whole batch, in each of them. None if the batch is all here.

    Examples
    --------
    >>> logits = torch.tensor([[[[9.0, -9.0]], [[-9.0, 9.0]]]])
    >>> labels = torch.tensor([[[0, 1]]])
    >>> bool(total_loss(Loss(), logits, labels) < 1e-6)
    True
    """
    terms = []
    if loss.pixel_weight:
        terms.append(loss.pixel_weight * _pixel(loss, logits, labels, whole))
    if loss.region_weight or loss.boundary:
        target = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
        probabilities = torch.softmax(logits, dim=1)
        if loss.region_weight:
            terms.append(loss.region_weight * _region(loss, probabilities, target, whole))
        if loss.boundary:
            terms.append(loss.boundary * boundary_loss(probabilities, target, whole))
    return torch.stack(terms).sum()


def _pixel(loss: Loss, logits: Tensor, labels: Tensor, whole: Whole | None) -> Tensor:
    weights = None
    if loss.class_weights is not None:
        weights = logits.new_tensor(loss.class_weights)
    gamma = loss.focal_gamma if loss.pixel == "focal" else 0.0
    return cross_entropy(logits, labels, weights, gamma, whole)


def _region(loss: Loss, probabilities: Tensor, target: Tensor, whole: Whole | None) -> Tensor:
    if loss.region == "dice":
        return dice_loss(probabilities, target, whole)
    if loss.region == "generalised_dice":
        return generalised_dice_loss(probabilities, target, whole)
    return tversky_loss(probabilities, target, loss.tversky_alpha, loss.tversky_beta, whole)
