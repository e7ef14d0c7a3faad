"""Laws that hold for any observers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap
from cardioseg.evaluation.readings import DICE, DIFFERENCE, read_case
from cardioseg.evaluation.reliability import intraclass_correlation, variation_percent
from cardioseg.evaluation.staple import majority, staple

Labels = NDArray[np.uint8]

maps = arrays(np.uint8, (4, 3, 2), elements=st.integers(0, 2))
several = st.lists(maps, min_size=2, max_size=5)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(maps, st.integers(2, 5))
def test_identical_raters_are_the_truth(labels: Labels, count: int) -> None:
    found = staple([labels] * count, class_count=3)
    assert (found.consensus.labels == labels).all()
    assert found.consensus.tied == 0
    for value in np.unique(labels):
        np.testing.assert_allclose(found.sensitivity(int(value)), 1.0)
    assert (majority([labels] * count).labels == labels).all()


@settings(max_examples=25, deadline=None, derandomize=True)
@given(several, st.randoms(use_true_random=False))
def test_the_order_of_the_raters_does_not_matter(readings: list[Labels], random: object) -> None:
    order = list(range(len(readings)))
    random.shuffle(order)  # type: ignore[attr-defined]
    one, other = staple(readings, 3), staple([readings[i] for i in order], 3)
    np.testing.assert_allclose(one.probability, other.probability, atol=1e-6)
    np.testing.assert_allclose(one.performance[order], other.performance, atol=1e-6)
    first, second = majority(readings), majority([readings[i] for i in order])
    assert (first.labels == second.labels).all()
    assert first.tied == second.tied


@settings(max_examples=40, deadline=None, derandomize=True)
@given(several)
def test_probabilities_add_up_and_the_majority_is_a_vote(readings: list[Labels]) -> None:
    np.testing.assert_allclose(staple(readings, 3).probability.sum(axis=0), 1.0)
    voted = majority(readings).labels
    votes = np.stack([(np.stack(readings) == value).sum(axis=0) for value in range(3)])
    chosen = np.take_along_axis(votes, voted[None].astype(int), axis=0)[0]
    assert (chosen == votes.max(axis=0)).all()


@settings(max_examples=25, deadline=None, derandomize=True)
@given(maps, maps)
def test_agreement_is_symmetric_and_differences_change_sign(one: Labels, two: Labels) -> None:
    grid = Geometry((4, 3, 2), np.diag([1.5, 1.5, 8.0, 1.0]))
    a, b = (LabelMap(each, grid, MYOCARDIUM_BLOOD) for each in (one, two))
    forth = {(r.structure, r.metric): r.value for r in read_case({"A": a, "B": b}, "c", "s")}
    back = {(r.structure, r.metric): r.value for r in read_case({"B": b, "A": a}, "c", "s")}
    for (structure, metric), value in forth.items():
        if metric == DIFFERENCE and value is not None:
            assert value == -(back[structure, metric] or 0.0)
        elif metric in {DICE, "hd95_mm", "assd_mm"}:
            assert value == back[structure, metric]


positive = arrays(np.float64, (5, 3), elements=st.floats(10, 300, allow_subnormal=False))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(positive, st.permutations(range(3)))
def test_reliability_does_not_depend_on_the_order_of_observers(
    table: NDArray[np.float64], order: list[int]
) -> None:
    for statistic in (intraclass_correlation, variation_percent):
        one, other = statistic(table), statistic(table[:, order])
        assert (one is None) == (other is None)
        if one is not None and abs(one) < 1e3:
            assert one == pytest.approx(other, abs=1e-6)
