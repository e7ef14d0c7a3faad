"""Slices are read around the heart only where that gives the same answer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardioseg.inference.window import (
    GRID,
    LARGEST_BATCH,
    MARGIN,
    PROBES,
    WORTHWHILE,
    Window,
    scores_of,
    window_around,
)

SIDE = 224


@dataclass
class Bright:
    """An engine that takes bright for a structure, pixel by pixel, and counts what it reads."""

    name: str = "bright"
    asked: list = field(default_factory=list)

    def __call__(self, slices):
        self.asked.append(slices.shape)
        heart = (slices[:, 0] > 0.5).astype(np.float32)
        return np.stack([1 - heart, heart], axis=1)

    @property
    def pixels(self):
        return sum(np.prod(shape) for shape in self.asked)


def stack(count, boxes):
    """Dark slices with a bright box (rows, columns) in some of them."""
    slices = np.zeros((count, SIDE, SIDE), np.float32)
    for index, (rows, columns) in boxes.items():
        slices[index][slice(*rows), slice(*columns)] = 1
    return slices


def answer(engine, slices, smallest=(32, 32), stride=16, one_heart=False):
    firsts, scores = zip(*scores_of(engine, slices, stride, smallest, one_heart), strict=True)
    assert list(firsts) == list(np.cumsum([0, *map(len, scores[:-1])]))
    return np.concatenate(scores)


HEART = dict.fromkeys(range(2, 10), ((100, 130), (90, 125)))


def test_the_answer_is_the_whole_slices_and_costs_less():
    slices = stack(12, HEART)
    whole, located = Bright(), Bright()
    np.testing.assert_array_equal(answer(located, slices), answer(whole, slices, smallest=None))
    assert whole.pixels == slices.size
    assert located.pixels == 3 * SIDE**2 + 9 * 160 * 160
    assert located.pixels < 0.65 * whole.pixels


def test_no_window_is_smaller_than_what_the_network_was_trained_on():
    slices = stack(12, HEART)
    for smallest in ((32, 192), (192, 32), (190, 190), (SIDE, 160)):
        engine = Bright()
        np.testing.assert_array_equal(answer(engine, slices, smallest)[:, 1], slices)
        read = np.array([shape[2:] for shape in engine.asked])
        assert (read >= smallest).all()
    engine = Bright()
    answer(engine, slices, (SIDE + 32, SIDE + 32))
    assert engine.pixels == slices.size


@pytest.mark.parametrize("index", range(12))
def test_a_structure_that_leaves_the_window_is_read_whole(index):
    slices = stack(12, {**HEART, index: ((100, SIDE), (90, 125))})
    np.testing.assert_array_equal(answer(Bright(), slices)[:, 1], slices)


def test_a_heart_at_the_slices_own_border_is_not_read_twice():
    slices = stack(12, dict.fromkeys(range(12), ((0, 30), (0, 30))))
    engine = Bright()
    np.testing.assert_array_equal(answer(engine, slices)[:, 1], slices)
    assert engine.pixels == 3 * SIDE**2 + 9 * 96**2


@pytest.mark.parametrize("slices", [stack(12, {}), stack(12, {6: ((0, SIDE), (0, SIDE))})])
def test_nothing_found_and_too_much_found_are_read_whole_and_once(slices):
    engine = Bright()
    np.testing.assert_array_equal(answer(engine, slices)[:, 1], slices)
    assert engine.pixels == slices.size


def test_a_speck_widens_the_window_only_where_it_will_be_kept():
    slices = stack(12, HEART)
    slices[6, 0, -1] = slices[6, -1, 0] = 1  # in a slice that is read whole
    kept, dropped = Bright(), Bright()
    np.testing.assert_array_equal(answer(kept, slices)[:, 1], slices)
    np.testing.assert_array_equal(answer(dropped, slices, one_heart=True)[:, 1], slices)
    assert kept.pixels == slices.size
    assert dropped.pixels == 3 * SIDE**2 + 9 * 160 * 160


def test_few_slices_are_read_as_they_are():
    engine = Bright()
    answer(engine, stack(2 * PROBES[0] - 1, {2: ((100, 130), (90, 125))}))
    assert engine.asked == [(5, 1, SIDE, SIDE)]


def test_batches_hold_no_more_slices_and_pixels_than_they_may():
    engine = Bright()
    answer(engine, stack(40, dict.fromkeys(range(40), ((100, 130), (90, 125)))))
    assert max(shape[0] for shape in engine.asked) <= LARGEST_BATCH
    wide = Bright()
    answer(wide, np.zeros((9, 520, 520), np.float32))
    assert {shape[0] for shape in wide.asked} == {1}


@given(
    st.integers(0, SIDE - 2),
    st.integers(0, SIDE - 2),
    st.integers(1, SIDE),
    st.integers(1, SIDE),
    st.tuples(st.integers(1, 2 * SIDE), st.integers(1, 2 * SIDE)),
)
def test_a_window_holds_what_was_found_with_its_margin(row, column, rows, columns, smallest):
    found = np.zeros((SIDE, SIDE), bool)
    found[row : row + rows, column : column + columns] = True
    window = window_around(found, smallest)
    inside = np.zeros_like(found)
    # Everything within the margin that the slice has.
    low = max(row - MARGIN, 0), max(column - MARGIN, 0)
    inside[low[0] : row + rows + MARGIN, low[1] : column + columns + MARGIN] = True
    if window is None:
        sides = np.array([inside.any(axis=1).sum(), inside.any(axis=0).sum()])
        least = np.minimum(np.maximum(sides, smallest), SIDE) + 2 * GRID
        assert least.prod() > WORTHWHILE * SIDE**2
        return
    assert window.share <= WORTHWHILE
    inside[window.rows, window.columns] = False
    assert not inside.any()
    for part, least in zip((window.rows, window.columns), smallest, strict=True):
        assert part.stop - part.start >= min(least, SIDE)
        assert part.start % GRID == 0
        assert part.stop % GRID == 0
        assert part.stop <= SIDE


def test_a_network_of_a_larger_stride_gets_multiples_of_it():
    engine = Bright()
    slices = np.zeros((12, 384, 384), np.float32)
    slices[:, 186:198, 186:198] = 1
    np.testing.assert_array_equal(answer(engine, slices, stride=64)[:, 1], slices)
    assert {shape[2:] for shape in engine.asked} == {(384, 384), (128, 128)}


def test_scores_around_a_window_are_background():
    window = Window(slice(2, 34), slice(4, 36), (64, 48))
    scores = np.full((1, 2, 32, 32), 0.5, np.float32)
    placed = window.placed(scores)
    np.testing.assert_array_equal(placed.sum(axis=1), 1)
    assert placed[0, 1].sum() == scores[0, 1].sum()
    np.testing.assert_array_equal(placed[:, :, window.rows, window.columns], scores)
