"""Laws that every metric keeps on any pair of masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap
from cardioseg.evaluation import Report, Row, combine, evaluate
from cardioseg.evaluation.overlap import cce_per_class, dice, jaccard
from cardioseg.evaluation.paired import holm, rank_biserial
from cardioseg.evaluation.statistics import bootstrap_interval
from cardioseg.evaluation.surface import boundary, surface_distances

quick = settings(max_examples=40, deadline=None)

spacings = st.tuples(*[st.floats(0.3, 12.0) for _ in range(3)])
shapes = st.tuples(*[st.integers(1, 6) for _ in range(3)])


@st.composite
def mask_pairs(draw):
    shape = draw(shapes)
    first, second = (draw(hnp.arrays(np.bool_, shape)) for _ in range(2))
    assume(first.any() and second.any())
    return first, second


def figures(distances):
    return (
        distances.hd_mm,
        distances.hd95_mm,
        distances.assd_mm,
        distances.average_boundary_distance_mm,
        distances.surface_dice(2.0),
    )


@quick
@given(mask_pairs())
def test_overlap_is_symmetric_and_jaccard_follows_from_dice(pair):
    first, second = pair
    overlap = dice(first, second)
    assert dice(second, first) == overlap
    assert jaccard(second, first) == jaccard(first, second)
    assert jaccard(first, second) == pytest.approx(overlap / (2 - overlap))
    assert 0 <= overlap <= 1


@quick
@given(mask_pairs(), spacings)
def test_surface_metrics_are_symmetric(pair, spacing):
    first, second = pair
    forward, backward = (
        surface_distances(a, b, spacing) for a, b in ((first, second), (second, first))
    )
    assert figures(forward) == pytest.approx(figures(backward))


@quick
@given(mask_pairs(), spacings)
def test_a_mask_equals_itself(pair, spacing):
    mask, _ = pair
    assert dice(mask, mask) == jaccard(mask, mask) == 1
    assert figures(surface_distances(mask, mask, spacing)) == (0, 0, 0, 0, 1)


@quick
@given(mask_pairs(), spacings)
def test_surface_metrics_are_ordered(pair, spacing):
    distances = surface_distances(*pair, spacing)
    most = distances.hd_mm * (1 + 1e-12)
    assert 0 <= distances.assd_mm <= most
    assert distances.hd95_mm <= most
    assert distances.surface_dice(0.1) <= distances.surface_dice(1.0) <= distances.surface_dice(5.0)
    assert distances.surface_dice(distances.hd_mm) == 1


@quick
@given(mask_pairs(), spacings, st.tuples(*[st.integers(1, 4) for _ in range(6)]))
def test_moving_both_changes_nothing(pair, spacing, margins):
    # A flat axis would become a stack, whose boundary is another one: start from a stack.
    first, second = (np.pad(mask, 1) for mask in pair)
    around = [(margins[2 * axis], margins[2 * axis + 1]) for axis in range(3)]
    moved = [np.pad(mask, around) for mask in (first, second)]
    assert figures(surface_distances(*moved, spacing)) == pytest.approx(
        figures(surface_distances(first, second, spacing))
    )
    assert dice(*moved) == dice(first, second)


@quick
@given(mask_pairs(), spacings, st.permutations(range(3)), st.sets(st.integers(0, 2)))
def test_turning_the_array_with_its_spacing_changes_nothing(pair, spacing, order, flipped):
    turned = [np.flip(np.transpose(mask, order), sorted(flipped)) for mask in pair]
    distances = surface_distances(*turned, [spacing[axis] for axis in order])
    assert figures(distances) == pytest.approx(figures(surface_distances(*pair, spacing)))


@quick
@given(mask_pairs(), spacings, st.floats(0.5, 3.0))
def test_distances_scale_with_the_spacing(pair, spacing, factor):
    once = surface_distances(*pair, spacing)
    scaled = surface_distances(*pair, [factor * s for s in spacing])
    assert scaled.hd95_mm == pytest.approx(factor * once.hd95_mm)
    assert scaled.assd_mm == pytest.approx(factor * once.assd_mm)


@quick
@given(mask_pairs(), spacings)
def test_distances_agree_with_brute_force(pair, spacing):
    points = [np.argwhere(boundary(mask)) * np.asarray(spacing) for mask in pair]
    table = cdist(*points)
    there, back = table.min(axis=1), table.min(axis=0)
    distances = surface_distances(*pair, spacing)
    assert distances.hd_mm == pytest.approx(max(there.max(), back.max()))
    expected = max(np.percentile(there, 95), np.percentile(back, 95))
    assert distances.hd95_mm == pytest.approx(expected)
    assert distances.assd_mm == pytest.approx(np.concatenate([there, back]).mean())
    within = np.concatenate([there, back]) <= 2.0
    borderline = np.isclose(np.concatenate([there, back]), 2.0)
    assume(not borderline.any())
    assert distances.surface_dice(2.0) == pytest.approx(within.mean())


@quick
@given(mask_pairs())
def test_boundary_agrees_with_counting_neighbours(pair):
    mask, _ = pair
    expected = np.zeros_like(mask)
    for place in np.argwhere(mask):
        for axis in range(3):
            if mask.shape[axis] == 1 < mask.size:
                continue
            for step in (-1, 1):
                neighbour = place.copy()
                neighbour[axis] += step
                inside = 0 <= neighbour[axis] < mask.shape[axis]
                expected[tuple(place)] |= not (inside and mask[tuple(neighbour)])
    assert np.array_equal(boundary(mask), expected)


@quick
@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_cross_entropy_is_least_for_the_true_frequencies(classes, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, 200)
    one_hot = labels == np.arange(classes)[:, None]
    truth = np.bincount(labels, minlength=classes) / 200
    other = rng.dirichlet(np.ones(classes))
    best, worse = (
        cce_per_class(np.repeat(p[:, None], 200, axis=1), one_hot).sum() for p in (truth, other)
    )
    assert 0 <= best <= worse + 1e-9


SCORED = {"dice": 1, "jaccard": 1, "surface_dice": 1, "hd95_mm": -1, "assd_mm": -1}
"""Metrics with a better direction: 1 where more is better."""

grids = Geometry((7, 6, 4), np.diag([1.5, 1.5, 8.0, 1.0]))
label_arrays = hnp.arrays(np.uint8, grids.shape, elements=st.integers(0, 3))


def label_map(array):
    return LabelMap(array, grids, ACDC)


def no_better(worse, than, sign):
    """Whether the first mean is not better than the second; a mean must not appear or vanish."""
    if than is None:
        return worse is None or sign * worse <= 0
    return worse is not None and sign * worse <= sign * than + 1e-9


@settings(max_examples=20, deadline=None)
@given(label_arrays, label_arrays, label_arrays)
def test_missing_a_structure_never_improves_a_mean(reference, prediction, other):
    reference = reference.copy()
    reference[0, 0] = 2  # in every slice, so that leaving it out is never right
    missed = np.where(prediction == 2, 0, prediction).astype(np.uint8)
    first = evaluate(label_map(other), label_map(reference), case="p1")
    found, lost = (
        combine([first, evaluate(label_map(p), label_map(reference), case="p2")])
        for p in (prediction, missed)
    )
    for metric, sign in SCORED.items():
        for level in ("volume", "slice"):
            means = [r.mean(metric, "myocardium", level=level) for r in (lost, found)]
            assert no_better(*means, sign)


@settings(max_examples=20, deadline=None)
@given(label_arrays, label_arrays)
def test_inventing_a_structure_never_improves_a_mean(reference, other):
    without = np.where(reference == 2, 0, reference).astype(np.uint8)
    invented = without.copy()
    invented[3, 3, 2] = 2
    first = evaluate(label_map(other), label_map(reference), case="p1")
    right, wrong = (
        combine([first, evaluate(label_map(p), label_map(without), case="p2")])
        for p in (without, invented)
    )
    for metric, sign in SCORED.items():
        for level in ("volume", "slice"):
            means = [r.mean(metric, "myocardium", level=level) for r in (wrong, right)]
            assert no_better(*means, sign)


@settings(max_examples=20, deadline=None)
@given(label_arrays, label_arrays)
def test_a_report_survives_json(reference, prediction):
    report = evaluate(label_map(prediction), label_map(reference))
    assert Report.from_json(report.to_json()) == report


@quick
@given(st.lists(st.floats(0, 1), min_size=2, max_size=12), st.integers(0, 1000))
def test_the_interval_lies_within_the_values(values, seed):
    interval = bootstrap_interval(values, np.random.default_rng(seed), resamples=200)
    assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9


@quick
@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_only_raises_and_keeps_the_order(p_values):
    adjusted = holm(p_values)
    assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
    assert all(a <= 1 for a in adjusted)
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.asarray(adjusted)[order]) >= 0).all()


@quick
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20))
def test_effect_size_changes_its_sign_with_the_order(differences):
    effect = rank_biserial(differences)
    assert -1 <= effect <= 1
    assert rank_biserial([-d for d in differences]) == pytest.approx(-effect)


@quick
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1)), min_size=1, max_size=9))
def test_a_cohort_s_mean_does_not_depend_on_the_order_of_cases(entries):
    rows = [Row(str(n), s, "LV cavity", "dice", v) for n, (s, v) in enumerate(entries)]
    means = [Report(tuple(order)).mean("dice", "LV cavity") for order in (rows, rows[::-1])]
    assert means[0] == pytest.approx(means[1])
