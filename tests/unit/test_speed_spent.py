"""A step's time is told by kind of operation, whole; a pass back counts for what it undoes."""

from __future__ import annotations

import sys
from dataclasses import asdict
from types import SimpleNamespace

import pytest
from benchmarks.speed import spent
from benchmarks.speed.results import Results
from benchmarks.speed.steps import Child, Way, step_of

from cardioseg.prepare.plan import NetworkPlan
from cardioseg.training.native import kernels_problem

PLAN = NetworkPlan(convolution="separable", widths=(8, 16), dropout=0.1)
BOTH = {"1 x 1", "depthwise 3 x 3", "transposed 2 x 2", "dropout", "pooling", "loss", "optimiser"}
APART = {"norm", "ReLU", "concatenation"}


def event(name, parent=None, number=-1, shapes=()):
    return SimpleNamespace(
        name=name, cpu_parent=parent, sequence_nr=number, input_shapes=list(shapes)
    )


def test_every_kind_of_a_separable_network_is_told_by_pytorchs_kernels():
    found = spent.by_kind(step_of(PLAN, Way("PyTorch"), 2, 32))
    assert {kind for kind, ms in found.items() if ms > 0} >= BOTH | APART
    assert set(found) <= set(spent._ORDER)


@pytest.mark.skipif(bool(kernels_problem()), reason="the kernels cannot be compiled here")
def test_our_kernels_do_norm_and_what_follows_in_one():
    found = spent.by_kind(step_of(PLAN, Way("ours"), 2, 32))
    assert BOTH | {spent.FUSED} <= {kind for kind, ms in found.items() if ms > 0}
    assert not {"norm", "ReLU"} & set(found)


def test_a_pass_back_and_what_it_calls_count_for_what_they_undo():
    back = event("autograd::engine::evaluate_function: MulBackward0", number=7)
    inner = event("aten::mul", parent=event("MulBackward0", parent=back))
    assert spent._kind(inner, {7: "dropout"}) == "dropout"
    assert spent._kind(inner, {}) == "other"


def test_the_outermost_operation_names_what_it_calls():
    loss = event("loss", parent=event("step"))
    assert spent._kind(event("aten::cat", parent=loss), {}) == "loss"
    assert spent._kind(event("step"), {}) == "other"


@pytest.mark.parametrize(
    ("images", "weight", "kind"),
    [
        ([2, 8, 4, 4], [8, 1, 3, 3], "depthwise 3 x 3"),
        ([2, 1, 4, 4], [8, 1, 3, 3], "3 x 3"),
        ([2, 1, 4, 4], [8, 1, 1, 1], "1 x 1"),
    ],
)
def test_convolutions_are_told_by_their_weight(images, weight, kind):
    assert spent._own_kind(event("aten::conv2d", shapes=(images, weight, []))) == kind


@pytest.mark.skipif(sys.platform == "win32", reason="page faults are counted on Unix")
def test_a_step_in_a_process_apart_tells_its_seconds_and_its_page_faults():
    with Child(PLAN, Way("PyTorch", keeps_memory=False), 1, 16, threads=1) as child:
        assert child() > 0
        assert child() > 0
    assert len(child.faults) == 2
    assert all(count >= 0 for count in child.faults)


def test_tables_tell_shares_of_the_step_and_page_faults():
    way = {"network": "unet-2", **asdict(Way())}
    steps = [{**way, "ms": {"1 x 1": 30.0, "loss": 10.0}}]
    apart = [
        {
            **way,
            "keeps_memory": False,
            "seconds": {"min": 1.0, "median": 2.0, "max": 3.0},
            "page_faults": {"min": 1, "median": 123456, "max": 200000},
        }
    ]
    results = Results({"spent": {"found": {"steps": steps, "processes": apart}}})
    table = spent.spent_table(results)
    assert "| 1 x 1 | 30 (75) |" in table
    assert "| all | 40 |" in table
    assert "2.00 (1.00 to 3.00) | 123,456 |" in spent.faults_table(results)
    assert "given back" in spent.faults_table(results)
    assert spent.spent_table(Results({})) == spent.faults_table(Results({}))
