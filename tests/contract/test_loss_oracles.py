"""The terms of the loss against MONAI, where its definitions are ours."""

from __future__ import annotations

import warnings

import pytest
import torch

from cardioseg.nets.terms import cross_entropy, generalised_dice_loss, tversky_loss

CLASSES = 4


@pytest.fixture(scope="module")
def losses():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("monai", exc_type=ImportError)
        return pytest.importorskip("monai.losses", exc_type=ImportError)


def batch(seed, classes=CLASSES):
    """Logits, labels and one-hot labels; with seed 0 the reference lacks the last class."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, classes, 12, 10, generator=generator)
    highest = classes - (seed == 0)
    labels = torch.randint(0, highest, (3, 12, 10), generator=generator)
    target = torch.nn.functional.one_hot(labels, classes).movedim(-1, 1).float()
    return logits, labels, target


@pytest.mark.parametrize("seed", range(4))
def test_generalised_dice(losses, seed):
    logits, _, target = batch(seed)
    theirs = losses.GeneralizedDiceLoss(softmax=True, batch=True, smooth_nr=0, smooth_dr=0)
    ours = generalised_dice_loss(torch.softmax(logits, 1), target)
    assert float(ours) == pytest.approx(float(theirs(logits, target)), abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.7), (0.5, 0.5), (1.0, 0.2)])
def test_tversky(losses, seed, alpha, beta):
    logits, _, target = batch(seed)
    theirs = losses.TverskyLoss(
        include_background=False, softmax=True, batch=True, alpha=alpha, beta=beta
    )
    ours = tversky_loss(torch.softmax(logits, 1), target, alpha, beta)
    assert float(ours) == pytest.approx(float(theirs(logits, target)), abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal(losses, seed, gamma):
    """MONAI's mean also counts the classes, of which all but one add 0."""
    logits, labels, target = batch(seed)
    theirs = losses.FocalLoss(use_softmax=True, gamma=gamma)
    ours = cross_entropy(logits, labels, gamma=gamma)
    assert float(ours) == pytest.approx(CLASSES * float(theirs(logits, target)), abs=1e-5)
