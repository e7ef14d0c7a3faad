"""The depthwise convolutions that are timed do the same; tables tell what the file has."""

from __future__ import annotations

import pytest
import torch
from benchmarks.speed import depthwise
from benchmarks.speed.depthwise import TENSORS, WAYS, Passes, Way
from benchmarks.speed.results import Results

from cardioseg.training.native import kernels_problem

SHAPE = (2, 8, 6, 10)


def ways():
    """Those that compile nothing by `torch.compile`, which takes a minute."""
    found = {name: way for name, way in WAYS.items() if not way.compiled}
    if kernels_problem():
        del found[depthwise.OURS]
    return found


@pytest.mark.parametrize("name", ways())
def test_every_way_is_the_same_function_forward_and_backward(name):
    generator = torch.Generator().manual_seed(0)
    images, weight = (torch.rand(s, generator=generator) for s in (SHAPE, (8, 1, 3, 3)))
    slope = torch.rand(SHAPE, generator=generator)

    def run(way: Way) -> tuple[torch.Tensor, ...]:
        first = images.clone(memory_format=way.layout).requires_grad_()
        second = weight.clone().requires_grad_()
        answer = way.function(first, second)
        return answer, *torch.autograd.grad(answer, (first, second), slope)

    for found, wanted in zip(run(WAYS[name]), run(WAYS["PyTorch"]), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_a_pass_back_follows_a_pass_forward_and_both_are_timed():
    passes = Passes(WAYS["PyTorch"], torch.rand(SHAPE), torch.rand(8, 1, 3, 3))
    assert passes.forward() > 0
    assert passes.backward() > 0


def test_levels_halve_the_side_and_have_the_widths_of_the_network():
    assert depthwise.levels(256)[0] == (32, 256)
    assert depthwise.levels(256)[-1] == (1024, 8)


def test_bytes_are_the_least_and_shares_are_of_the_copy(monkeypatch):
    monkeypatch.setattr(depthwise, "WAYS", {depthwise.OURS: WAYS["PyTorch"]})
    seconds = {"ours/forward": [0.001, 0.002, 0.004], "ours/backward": [0.003] * 3}
    monkeypatch.setattr(depthwise, "take_turns", lambda *_, **__: seconds)
    found = depthwise.measured("bfloat16", (1, 1000, 10, 10), rounds=3, copy_gb_per_s=0.4)
    forward, backward = (found["ways"]["ours"][direction] for direction in TENSORS)
    assert found["megabytes"] == 0.2
    assert (forward["gb_per_s"], forward["of_copy"]) == (0.2, 0.5)
    assert (backward["gb_per_s"], backward["times_as_long_as_ours"]["median"]) == (0.2, 1.0)


def test_tables_sum_the_levels_and_tell_ours_beside_the_next(monkeypatch):
    way = {d: {"ms": {"median": 5.0}, "of_copy": 0.5} for d in TENSORS}
    slow = {d: {"ms": {"median": 9.0}, "of_copy": 0.25} for d in TENSORS}
    levels = [
        {
            "type": "float32",
            "shape": [8, 4, side, side],
            "megabytes": 50.0,
            "copy_gb_per_s": 40.0,
            "ways": {**dict.fromkeys(WAYS, slow), "ours": way},
        }
        for side in (32, 16)
    ]
    results = Results({"depthwise": {"found": {"levels": levels}}})
    # 2 x 50 MB at each of two levels in 10 ms in all: 20 GB/s, half of the copy's 40.
    assert "10.0 (0.50)" in depthwise.depthwise_table(results)
    assert depthwise.levels_table(results).count("0.50 (others 0.25)") == 4
    assert depthwise.depthwise_table(Results({})) == depthwise.levels_table(Results({}))
