"""The loss against numbers worked out by hand."""

from __future__ import annotations

from math import log

import pytest
import torch

from cardioseg.nets.loss import cross_entropy_dice, dice_loss

# A 2 x 2 image and three classes: probabilities of each pixel, and its label. Class 2 is in the
# reference nowhere.
PIXELS = [
    ((0.7, 0.2, 0.1), 0),
    ((0.1, 0.8, 0.1), 1),
    ((0.5, 0.3, 0.2), 0),
    ((0.3, 0.3, 0.4), 1),
]


def as_image(rows):
    """(1, C, 2, 2) of four pixels."""
    return torch.tensor(rows, dtype=torch.float64).T.reshape(1, -1, 2, 2)


PROBABILITIES = as_image([p for p, _ in PIXELS])
LABELS = torch.tensor([label for _, label in PIXELS]).reshape(1, 2, 2)
ONE_HOT = as_image([[float(label == c) for c in range(3)] for _, label in PIXELS])

EPS = 1e-7
DICE_BY_HAND = [
    (2 * (0.7 + 0.5) + EPS) / (0.49 + 0.01 + 0.25 + 0.09 + 2 + EPS),
    (2 * (0.8 + 0.3) + EPS) / (0.04 + 0.64 + 0.09 + 0.09 + 2 + EPS),
    EPS / (0.01 + 0.01 + 0.04 + 0.16 + EPS),
]
DICE_LOSS_BY_HAND = 1 - sum(DICE_BY_HAND) / 3
ENTROPY_BY_HAND = -(log(0.7) + log(0.8) + log(0.5) + log(0.3)) / 4


def test_dice_loss_has_squared_denominators_and_averages_all_classes():
    assert float(dice_loss(PROBABILITIES, ONE_HOT)) == pytest.approx(DICE_LOSS_BY_HAND, abs=1e-12)


def test_the_loss_is_cross_entropy_plus_dice_loss():
    loss = cross_entropy_dice(PROBABILITIES.log(), LABELS)
    assert float(loss) == pytest.approx(ENTROPY_BY_HAND + DICE_LOSS_BY_HAND, abs=1e-12)


def test_dice_is_taken_over_the_whole_batch_and_not_image_by_image():
    flipped = torch.cat((PROBABILITIES[..., :1], PROBABILITIES[..., 1:]), dim=0)
    target = torch.cat((ONE_HOT[..., :1], ONE_HOT[..., 1:]), dim=0)
    assert float(dice_loss(flipped, target)) == pytest.approx(DICE_LOSS_BY_HAND, abs=1e-12)


def test_a_class_absent_from_both_costs_nothing():
    certain = as_image([[1.0, 0, 0]] * 4)
    assert float(dice_loss(certain, certain)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("logit", [0.0, 1e4])
def test_the_gradient_is_finite_with_an_empty_class_and_extreme_logits(logit):
    logits = torch.zeros(1, 3, 2, 2)
    logits[:, 0] = logit
    logits.requires_grad_()
    loss = cross_entropy_dice(logits, torch.zeros(1, 2, 2, dtype=torch.int64))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_the_gradient_is_the_losss_slope():
    logits = PROBABILITIES.log().clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: cross_entropy_dice(x, LABELS), logits)
