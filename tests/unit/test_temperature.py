"""Temperature scaling: an over-confident network's temperature is found again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cardioseg.data.slices import SliceEntry, SliceStore
from cardioseg.errors import GeometryError
from cardioseg.evaluation.calibration import fit_temperature, negative_log_likelihood
from cardioseg.training import temperature as module
from cardioseg.training.temperature import calibrate


def honest(shape, seed=0):
    """Logits (classes, *shape) and labels that are drawn with exactly their probabilities."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (3, *shape))
    # The largest of logits plus Gumbel noise has the distribution of softmax.
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=0)
    return logits, labels.astype(np.uint8)


@pytest.mark.parametrize("factor", [0.4, 1.0, 2.5])
def test_the_factor_of_wrong_confidence_is_the_temperature(factor):
    logits, labels = honest((100_000,))
    assert fit_temperature(factor * logits, labels) == pytest.approx(factor, rel=0.03)


def test_the_likelihood_is_the_hand_computed_one():
    logits = np.log([[0.5, 0.2], [0.25, 0.2], [0.25, 0.6]])
    expected = -(np.log(0.25) + np.log(0.6)) / 2
    assert negative_log_likelihood(logits, np.array([1, 2])) == pytest.approx(expected)


def test_a_network_without_a_mistake_gets_the_lowest_temperature():
    logits = np.array([[3.0, 0.0], [0.0, 3.0]])
    assert fit_temperature(logits, np.array([0, 1])) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("labels", [np.zeros(3, int), np.zeros(0, int)])
def test_logits_and_labels_that_do_not_fit_are_refused(labels):
    with pytest.raises(GeometryError, match="no pixels to fit on"):
        fit_temperature(np.zeros((2, len(labels) and 2)), labels)


class Fixed(torch.nn.Module):
    """A network that reads a slice's number from its first pixel and knows the logits."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.from_numpy(logits.astype(np.float32))

    def forward(self, images):
        return self.logits[:, images[:, 0, 0, 0].long()].movedim(0, 1)


def over_confident(factor, count=12, side=64):
    logits, labels = honest((count, side, side))
    images = np.zeros((count, side, side), np.float16)
    images[:, 0, 0] = np.arange(count)
    entries = tuple(SliceEntry(f"c{k // 6}", f"c{k // 6}", k % 6, (0, 0)) for k in range(count))
    return Fixed(factor * logits), SliceStore(images, labels, entries)


def test_an_over_confident_network_is_calibrated():
    network, store = over_confident(3.0)
    found = calibrate(network, 1.5, store)
    assert found.temperature == pytest.approx(3.0, rel=0.05)
    assert found.pixels == store.labels.size
    assert found.ece_before > 0.1
    assert found.ece_after < 0.02
    assert found.nll_after < found.nll_before


def test_only_the_neighbourhood_of_the_heart_counts():
    """Far from the labels the network is sure and wrong; it is not asked there."""
    network, store = over_confident(2.0)
    labels = store.labels.copy()
    labels[:, :, 32:] = 0
    network.logits[0, :, :, 48:] = -50
    store = SliceStore(store.images, labels, store.entries)
    found = calibrate(network, 1.0, store)
    assert found.pixels == 12 * 64 * (32 + 10)
    everywhere = calibrate(network, 0.01, store)
    assert everywhere.pixels == store.labels.size
    assert everywhere.nll_before > 2 * found.nll_before


def test_many_pixels_are_thinned_evenly(monkeypatch):
    network, store = over_confident(2.0)
    monkeypatch.setattr(module, "MOST_PIXELS", store.labels.size // 4)
    found = calibrate(network, 1.5, store)
    assert found.pixels <= store.labels.size // 4 + 4
    assert found.temperature == pytest.approx(2.0, rel=0.1)


def test_without_slices_there_is_nothing_to_fit():
    network, store = over_confident(2.0)
    with pytest.raises(GeometryError, match="no slices to fit a temperature on"):
        calibrate(network, 1.5, store.take(np.array([], int)))


def test_a_volume_without_labels_counts_as_a_whole():
    network, store = over_confident(2.0)
    empty = SliceStore(store.images, np.zeros_like(store.labels), store.entries)
    assert calibrate(network, 1.5, empty).pixels == store.labels.size
