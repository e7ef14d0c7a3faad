"""Batches that a thread makes ahead: the same in the same order; a table of what it takes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from benchmarks.speed.augmenting import AHEAD, IN_TURN, ahead, augmenting_table, noise_slices
from benchmarks.speed.results import Results
from tests.unit.test_training import CONFIG, TRAINING

from cardioseg.training.batches import batches
from cardioseg.training.distributed import ALONE


def made():
    return batches(CONFIG, TRAINING, np.random.default_rng(1), ALONE)


@pytest.mark.parametrize("threads", [1, 2])
def test_batches_made_ahead_are_those_made_in_turn_and_threads_stay_as_they_were(threads):
    before = torch.get_num_threads()
    try:
        pairs = list(zip(made(), ahead(made(), threads), strict=True))
        assert torch.get_num_threads() == before
    finally:
        torch.set_num_threads(before)
    assert len(pairs) == 4
    for (first,), (second,) in pairs:
        assert torch.equal(first.images, second.images)
        assert torch.equal(first.labels, second.labels)
    assert not any(torch.equal(a.images, b.images) for (a,), (b,) in pairwise(b for _, b in pairs))


def test_what_goes_wrong_in_the_thread_is_told_where_the_batch_is_asked_for():
    def broken():
        yield from made()
        raise ValueError("slice 7 is broken")

    with pytest.raises(ValueError, match="slice 7 is broken"):
        list(ahead(broken(), 1))


def test_slices_of_noise_are_as_large_as_the_plan_says_and_mapped(tmp_path):
    store = noise_slices(3, CONFIG, tmp_path)
    assert store.images.shape == store.labels.shape == (3, *CONFIG.plan.size)
    assert isinstance(store.images, np.memmap)
    assert store.labels.max() < CONFIG.plan.network.classes


def test_the_table_tells_the_share_that_waits_and_what_is_missing():
    def spread(value):
        return {"min": value, "median": value, "max": value}

    each = {
        "preset": "fast",
        "step_ms": {IN_TURN: spread(200.0), AHEAD: spread(190.0)},
        "waiting_share": {IN_TURN: spread(0.06), AHEAD: spread(0.01)},
        "times_as_fast": {AHEAD: spread(1.05)},
    }
    table = augmenting_table(Results({"augmenting": {"found": [each]}}))
    assert "| fast | in turn | 200.0 / 200.0 / 200.0 | 6.0 % | 1 |" in table
    assert "| fast | ahead | 190.0 / 190.0 / 190.0 | 1.0 % | 1.050 / 1.050 / 1.050 |" in table
    assert augmenting_table(Results({})) == "not measured"
