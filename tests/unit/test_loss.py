"""The loss and its terms against numbers worked out by hand."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from cardioseg.nets.loss import Loss, total_loss
from cardioseg.nets.terms import (
    boundary_loss,
    cross_entropy,
    dice_loss,
    generalised_dice_loss,
    signed_distance,
    tversky_loss,
)

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
LOGITS = PROBABILITIES.log()
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

# Class sums: p 1.6, 1.6, 0.8; q 2, 2, 0; p q 1.2, 1.1, 0. Weights 1/4, 1/4 and, for the absent
# class, the largest of them.
GENERALISED_BY_HAND = 1 - 2 * (1.2 + 1.1) / (3.6 + 3.6 + 0.8)

# Class 1: TP 1.1, FP 0.2 + 0.3, FN 0.2 + 0.7; class 2: TP 0, FP 0.8, FN 0.
TVERSKY_BY_HAND = 1 - (1.1 / (1.1 + 0.3 * 0.5 + 0.7 * 0.9) + 0) / 2

FOCAL_BY_HAND = -(0.3**2 * log(0.7) + 0.2**2 * log(0.8) + 0.5**2 * log(0.5) + 0.7**2 * log(0.3)) / 4
WEIGHTED_BY_HAND = -(1 * log(0.7) + 3 * log(0.8) + 1 * log(0.5) + 3 * log(0.3)) / (1 + 3 + 1 + 3)

# Class 1 is the right column: half a pixel inside, half outside. Class 2 is absent: no boundary.
BOUNDARY_BY_HAND = (0.5 * (0.2 + 0.3) - 0.5 * (0.8 + 0.3)) / 8


def test_dice_loss_has_squared_denominators_and_averages_all_classes():
    assert float(dice_loss(PROBABILITIES, ONE_HOT)) == pytest.approx(DICE_LOSS_BY_HAND, abs=1e-12)


def test_the_default_is_cross_entropy_plus_dice_loss():
    expected = ENTROPY_BY_HAND + DICE_LOSS_BY_HAND
    assert float(total_loss(Loss(), LOGITS, LABELS)) == pytest.approx(expected, abs=1e-12)


def test_dice_is_taken_over_the_whole_batch_and_not_image_by_image():
    flipped = torch.cat((PROBABILITIES[..., :1], PROBABILITIES[..., 1:]), dim=0)
    target = torch.cat((ONE_HOT[..., :1], ONE_HOT[..., 1:]), dim=0)
    assert float(dice_loss(flipped, target)) == pytest.approx(DICE_LOSS_BY_HAND, abs=1e-12)
    generalised = float(generalised_dice_loss(flipped, target))
    assert generalised == pytest.approx(GENERALISED_BY_HAND, abs=1e-6)
    assert float(tversky_loss(flipped, target, 0.3, 0.7)) == pytest.approx(
        TVERSKY_BY_HAND, abs=1e-6
    )


def test_generalised_dice_weighs_by_the_reference_and_an_absent_class_as_the_smallest():
    found = float(generalised_dice_loss(PROBABILITIES, ONE_HOT))
    assert found == pytest.approx(GENERALISED_BY_HAND, abs=1e-6)


def test_generalised_dice_of_unequal_classes():
    """Reference 3 and 1 pixels: weights 1/9 and 1."""
    target = as_image([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    p = as_image([[0.9, 0.1], [0.8, 0.2], [1, 0], [0.4, 0.6]])
    expected = 1 - 2 * ((0.9 + 0.8 + 1) / 9 + 0.6) / ((3.1 + 3) / 9 + 0.9 + 1)
    assert float(generalised_dice_loss(p, target)) == pytest.approx(expected, abs=1e-6)


def test_tversky_leaves_out_background_and_tells_the_two_errors_apart():
    found = float(tversky_loss(PROBABILITIES, ONE_HOT, 0.3, 0.7))
    assert found == pytest.approx(TVERSKY_BY_HAND, abs=1e-6)
    target = as_image([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    spurious = as_image([[1.0, 0], [0, 1], [0, 1], [0, 1]])
    missed = as_image([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    assert float(tversky_loss(spurious, target, 0.3, 0.7)) == pytest.approx(1 - 2 / 2.3, abs=1e-6)
    assert float(tversky_loss(missed, target, 0.3, 0.7)) == pytest.approx(1 - 1 / 1.7, abs=1e-6)


def test_focal_loss():
    found = float(cross_entropy(LOGITS, LABELS, gamma=2.0))
    assert found == pytest.approx(FOCAL_BY_HAND, abs=1e-12)
    loss = Loss(pixel="focal", focal_gamma=2.0, region_weight=0)
    assert float(total_loss(loss, LOGITS, LABELS)) == pytest.approx(FOCAL_BY_HAND, abs=1e-12)


def test_class_weights():
    weights = torch.tensor([1.0, 3.0, 7.0], dtype=torch.float64)
    found = float(cross_entropy(LOGITS, LABELS, weights))
    assert found == pytest.approx(WEIGHTED_BY_HAND, abs=1e-12)
    nearly = float(cross_entropy(LOGITS, LABELS, weights, gamma=1e-9))
    assert nearly == pytest.approx(WEIGHTED_BY_HAND, abs=1e-6), "weights of focal are the same"
    equal = torch.full((3,), 5.0, dtype=torch.float64)
    for gamma in (0.0, 2.0):
        weighted, plain = (cross_entropy(LOGITS, LABELS, w, gamma) for w in (equal, None))
        assert float(weighted) == pytest.approx(float(plain), abs=1e-12)


def test_boundary_loss():
    found = float(boundary_loss(PROBABILITIES, ONE_HOT))
    assert found == pytest.approx(BOUNDARY_BY_HAND, abs=1e-12)


def test_the_signed_distance_is_negative_inside_and_symmetric():
    mask = np.zeros((5, 5), np.bool_)
    mask[2, 2] = True
    distance = signed_distance(mask)
    assert distance[2, 2] == -0.5
    assert distance[2, 3] == 0.5
    assert distance[0, 0] == pytest.approx(2 * sqrt(2) - 0.5)
    assert np.allclose(signed_distance(~mask), -distance)
    for nothing in (np.zeros((3, 3), np.bool_), np.ones((3, 3), np.bool_)):
        assert not signed_distance(nothing).any()


def test_the_boundary_loss_is_least_where_the_reference_is_covered_and_nothing_else():
    target = torch.zeros(1, 2, 8, 8)
    target[:, 1, 2:6, 2:6] = 1
    target[:, 0] = 1 - target[:, 1]
    right = boundary_loss(target, target)
    for rows in (slice(2, 5), slice(2, 7)):
        other = torch.zeros_like(target)
        other[:, 1, rows, 2:6] = 1
        assert boundary_loss(other, target) > right


@pytest.mark.parametrize("term", ["dice", "generalised_dice", "tversky"])
def test_a_class_absent_from_both_costs_nothing(term):
    certain = torch.where(as_image([[1.0, 0, 0]] * 4) > 0, 0.0, -1e4)
    loss = Loss(region=term, boundary=1.0)
    labels = torch.zeros(1, 2, 2, dtype=torch.int64)
    assert float(total_loss(loss, certain, labels)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("term", ["dice", "generalised_dice", "tversky"])
def test_a_class_found_where_the_reference_has_none_costs(term):
    wrong = torch.where(as_image([[1.0, 0, 0]] * 3 + [[0, 0, 1.0]]) > 0, 0.0, -1e4)
    loss = Loss(region=term, pixel_weight=0)
    assert float(total_loss(loss, wrong, torch.zeros(1, 2, 2, dtype=torch.int64))) > 0.2


VARIANTS = [
    Loss(),
    Loss(pixel="focal"),
    Loss(pixel="focal", focal_gamma=0.5),
    Loss(class_weights=(0.1, 1, 2)),
    Loss(pixel="focal", class_weights=(0.1, 1, 2)),
    Loss(region="generalised_dice"),
    Loss(region="tversky", boundary=0.1),
    Loss(pixel_weight=0, region="tversky", tversky_alpha=0),
    Loss(region_weight=0, boundary=0.1),
]


@pytest.mark.parametrize("loss", VARIANTS)
@pytest.mark.parametrize("logit", [0.0, 1e4, -1e4])
def test_the_gradient_is_finite_with_an_empty_class_and_extreme_logits(loss, logit):
    logits = torch.zeros(1, 3, 2, 2)
    logits[:, 0] = logit
    logits.requires_grad_()
    value = total_loss(loss, logits, torch.zeros(1, 2, 2, dtype=torch.int64))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("loss", VARIANTS)
def test_the_gradient_is_the_losss_slope(loss):
    logits = LOGITS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: total_loss(loss, x, LABELS), logits)


def test_the_terms_are_weighed_and_added():
    loss = Loss(pixel_weight=0.5, region="tversky", region_weight=2, boundary=0.25)
    expected = 0.5 * ENTROPY_BY_HAND + 2 * TVERSKY_BY_HAND + 0.25 * BOUNDARY_BY_HAND
    assert float(total_loss(loss, LOGITS, LABELS)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"region": "jaccard"}, "region"),
        ({"pixel": "hinge"}, "pixel"),
        ({"focal_gamma": -1}, "focal_gamma"),
        ({"focal_gamma": float("nan")}, "focal_gamma"),
        ({"tversky_alpha": 11}, "tversky_alpha"),
        ({"tversky_alpha": 0, "tversky_beta": 0}, "tversky_alpha and tversky_beta are both 0"),
        ({"boundary": -0.1}, "boundary"),
        ({"boundary": float("inf")}, "boundary"),
        ({"class_weights": (1, 0)}, "class_weights"),
        ({"pixel_weight": 0, "region_weight": 0, "boundary": 1}, "both 0; set one above 0"),
        ({"gamma": 2}, "gamma"),
    ],
)
def test_values_out_of_range_are_refused(values, told):
    with pytest.raises(ValidationError, match=told):
        Loss(**values)
