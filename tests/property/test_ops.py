"""Steps on a grid: exact inverses, and no voxel moves in the patient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from tests.grids import STORAGE_ORDERS, grids, rotated_grid, storage_orders

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import GeometryError
from cardioseg.ops import intensity
from cardioseg.ops.components import keep_largest, keep_one_heart, largest_component
from cardioseg.ops.grid import Window, centred_window, reorientation
from cardioseg.ops.intensity import scale_moments, scale_percentiles
from cardioseg.ops.pieces import connected_pieces, without_holes
from cardioseg.ops.resample import (
    axis_positions,
    interpolation_matrix,
    resample_labels,
    resample_volume,
)

few = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 2**32 - 1)
boxes = st.tuples(*[st.integers(-4, 6)] * 3), st.tuples(*[st.integers(1, 8)] * 3)


def marked(shape, seed):
    """An array with a single 1, and where it is."""
    index = tuple(int(i) for i in np.random.default_rng(seed).integers(0, shape))
    array = np.zeros(shape, np.float32)
    array[index] = 1
    return array, index


def world_of_mark(array, geometry):
    (index,) = np.argwhere(array == 1)
    return geometry.to_world(index)


@few
@given(grids(), storage_orders, seeds)
def test_reorientation_moves_no_voxel_and_is_undone_exactly(grid, step, seed):
    array, index = marked(grid.shape, seed)
    turned, turned_grid = step.apply(array), step.geometry(grid)
    assert turned.shape == turned_grid.shape
    assert world_of_mark(turned, turned_grid) == pytest.approx(grid.to_world(index), abs=1e-9)
    np.testing.assert_array_equal(step.invert(turned), array)
    channels = np.stack([array, array + 2])
    np.testing.assert_array_equal(step.invert(step.apply(channels)), channels)


@few
@given(grids(), st.sampled_from(["RAS", "LPS", "SPL", "PIR", "AIL", "IRP"]))
def test_reorientation_reaches_the_orientation_that_was_asked_for(grid, orientation):
    assert reorientation(grid, orientation).geometry(grid).orientation == orientation


@pytest.mark.parametrize("wrong", ["RA", "RASL", "RAX", "RAL", "ras", ""])
def test_what_is_no_orientation_is_refused(wrong):
    with pytest.raises(GeometryError):
        reorientation(Geometry((1, 1, 1), np.eye(4)), wrong)


def assert_one_canonical_grid(grid):
    canonical = reorientation(grid, "RAS").geometry(grid)
    for order in STORAGE_ORDERS:
        stored = order.geometry(grid)
        again = reorientation(stored, "RAS").geometry(stored)
        assert again.shape == canonical.shape
        np.testing.assert_allclose(again.affine, canonical.affine, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(grids(sheared=True, sides=(2, 5)))
def test_the_canonical_grid_does_not_depend_on_the_storage_order(grid):
    assert_one_canonical_grid(grid)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
@pytest.mark.parametrize("degrees", [45, 135, -45, 225])
def test_a_grid_halfway_between_two_orientations_has_one_canonical_grid(axis, degrees):
    assert_one_canonical_grid(rotated_grid((2, 3, 4), (1.0, 2.0, 3.0), degrees, axis))


@pytest.mark.parametrize("noise", [0.0, 1e-12])
def test_an_axis_perpendicular_to_its_world_axis_has_one_canonical_grid(noise):
    """Such an axis has no sign of its own; only strong shear makes one."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([[noise, 1, 1], [0.1, 0.995, 0], [0.1, 0, 0.995]]).T
    affine[:3, :3] /= np.linalg.norm(affine[:3, :3], axis=0)
    assert_one_canonical_grid(Geometry((2, 3, 4), affine))


@few
@given(grids(), *boxes, seeds)
def test_a_window_moves_no_voxel_and_gives_back_what_it_kept(grid, start, shape, seed):
    array, index = marked(grid.shape, seed)
    window = Window(start, shape, grid.shape)
    cut = window.apply(array, fill=-1)
    inside = all(s <= i < s + n for i, s, n in zip(index, start, shape, strict=True))
    assert cut.shape == shape
    assert (cut == 1).sum() == inside
    if inside:
        there = world_of_mark(cut, window.geometry(grid))
        assert there == pytest.approx(grid.to_world(index), abs=1e-9)
    kept = window.invert(np.ones(shape), fill=0).astype(bool)
    back = window.invert(cut, fill=-2)
    np.testing.assert_array_equal(back[kept], array[kept])
    assert (back[~kept] == -2).all()


@few
@given(st.tuples(*[st.integers(1, 9)] * 3), st.tuples(*[st.integers(0, 5)] * 3), seeds)
def test_padding_around_the_middle_is_undone_exactly(source, more, seed):
    array = np.random.default_rng(seed).normal(size=source)
    larger = tuple(n + m for n, m in zip(source, more, strict=True))
    window = centred_window(source, larger)
    np.testing.assert_array_equal(window.invert(window.apply(array)), array)


@few
@given(grids(sheared=True, sides=(2, 5)), storage_orders, seeds)
def test_volume_in_ml_does_not_depend_on_the_storage_order(grid, order, seed):
    array = np.random.default_rng(seed).integers(0, 4, grid.shape).astype(np.uint8)
    stored = LabelMap(order.apply(array), order.geometry(grid), ACDC)
    for structure in ACDC.structures:
        expected = (array == structure.value).sum() * abs(np.linalg.det(grid.affine)) / 1000
        assert stored.volume_ml(structure.name) == pytest.approx(expected, rel=1e-9)


@few
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.3, 4), st.floats(0.3, 4))
def test_interpolation_rows_sum_to_one_or_are_empty(count, length, spacing, source):
    matrix = interpolation_matrix(axis_positions(count, spacing, length, source), length)
    sums = matrix.sum(axis=1)
    assert matrix.shape == (count, length)
    assert (matrix >= 0).all()
    assert ((sums == 0) | (np.abs(sums - 1) < 1e-5)).all()
    if length * source > spacing:
        assert sums.any(), "a side of at least one sample has a sample in it"


@few
@given(st.integers(1, 30), st.integers(1, 30))
def test_one_spacing_gives_an_exact_crop_or_pad_and_its_inverse(count, length):
    forward = interpolation_matrix(axis_positions(count, 1.3, length, 1.3), length)
    backward = interpolation_matrix(axis_positions(length, 1.3, count, 1.3), count)
    assert set(np.unique(forward)) <= {0.0, 1.0}
    assert forward.sum() == min(count, length)
    np.testing.assert_array_equal(backward, forward.T)


@few
@given(st.integers(2, 20), st.floats(0.2, 3.0))
def test_interpolation_keeps_a_linear_ramp(length, step):
    positions = np.arange(1, length - 1, step, dtype=np.float32)
    inner = positions[(positions >= step) & (positions <= length - 1 - step)]
    ramp = interpolation_matrix(positions, length) @ np.arange(length, dtype=np.float32)
    picked = ramp[np.isin(positions, inner)]
    # Averaging over a width that is no whole number of samples is linear only on average.
    np.testing.assert_allclose(picked, inner, atol=1e-4 if step <= 1 else 0.26)


@few
@given(grids(sides=(3, 6)), grids(sides=(3, 6)), st.tuples(*[st.floats(-1, 1)] * 3))
def test_resampling_keeps_a_linear_function_of_the_place_in_the_patient(source, pose, slope):
    middle = source.to_world((np.array(source.shape) - 1) / 2)
    affine = pose.affine.copy()
    affine[:3, 3] = middle - affine[:3, :3] @ ((np.array(pose.shape) - 1) / 2)
    target = Geometry(pose.shape, affine)

    def field(grid):
        indices = np.stack(np.indices(grid.shape), axis=-1)
        return (grid.to_world(indices) - middle) @ np.array(slope)

    sampled = resample_volume(Volume(field(source), source), target).array
    indices = source.to_index(target.to_world(np.stack(np.indices(target.shape), axis=-1)))
    inside = ((indices >= 0) & (indices <= np.array(source.shape) - 1)).all(axis=-1)
    np.testing.assert_allclose(sampled[inside], field(target)[inside], atol=1e-3)


@few
@given(grids(sheared=True, sides=(2, 5)), storage_orders, seeds)
def test_resampling_onto_another_storage_order_is_the_reorientation(grid, order, seed):
    array = np.random.default_rng(seed).integers(0, 4, grid.shape).astype(np.uint8)
    target = order.geometry(grid)
    image = resample_volume(Volume(array.astype(np.float32), grid), target)
    labels = resample_labels(LabelMap(array, grid, ACDC), target)
    np.testing.assert_allclose(image.array, order.apply(array), atol=1e-5)
    np.testing.assert_array_equal(labels.array, order.apply(array))


@few
@given(grids(sides=(2, 5)), seeds)
def test_resampling_to_half_the_spacing_is_undone_exactly(grid, seed):
    rng = np.random.default_rng(seed)
    fine = Geometry(
        tuple(2 * n - 1 for n in grid.shape), grid.affine @ np.diag([0.5, 0.5, 0.5, 1.0])
    )
    image = Volume(rng.normal(size=grid.shape), grid)
    labels = LabelMap(rng.integers(0, 4, grid.shape).astype(np.uint8), grid, ACDC)
    there_and_back = resample_volume(resample_volume(image, fine), grid)
    np.testing.assert_allclose(there_and_back.array, image.array, atol=1e-5)
    back = resample_labels(resample_labels(labels, fine), grid)
    np.testing.assert_array_equal(back.array, labels.array)


@few
@given(seeds, st.floats(0.01, 100), st.floats(-100, 100))
def test_normalising_forgets_the_scanners_unit(seed, factor, offset):
    values = np.random.default_rng(seed).normal(size=200).astype(np.float32)
    other = (values * factor + offset).astype(np.float32)
    tolerance = 1e-4 + 1e-5 * abs(offset) / factor
    np.testing.assert_allclose(scale_percentiles(values), scale_percentiles(other), atol=tolerance)
    np.testing.assert_allclose(scale_moments(values), scale_moments(other), atol=5 * tolerance)


def test_a_constant_image_normalises_to_zero_and_extremes_are_clipped():
    flat = np.full(50, 7.0, np.float32)
    assert not scale_percentiles(flat).any()
    assert not scale_moments(flat).any()
    scaled = scale_percentiles(np.arange(1000, dtype=np.float32))
    assert (scaled.min(), scaled.max()) == (0, 1)
    assert 9 <= (scaled == 0).sum() <= 11


def test_the_largest_piece_stays_and_other_structures_are_untouched():
    array = np.zeros((6, 6, 1), np.uint8)
    array[0:2, 0:2, 0] = 3
    array[2, 2, 0] = 3  # joined at a corner only: another piece
    array[5, 0:3, 0] = 1
    labels = LabelMap(array, Geometry(array.shape, np.eye(4)), ACDC)
    kept = keep_largest(labels, "LV cavity")
    assert kept.mask("LV cavity").sum() == 4
    np.testing.assert_array_equal(kept.mask("RV cavity"), labels.mask("RV cavity"))
    assert labels.mask("LV cavity").sum() == 5, "the argument is not changed"
    assert not largest_component(np.zeros((2, 2, 2), bool)).any()


@few
@given(grids(sheared=True, sides=(2, 6)), storage_orders, seeds)
def test_of_equal_pieces_the_same_one_stays_whatever_the_storage_order(grid, order, seed):
    sparse = np.random.default_rng(seed).random(grid.shape) < 0.15
    array = 3 * sparse.astype(np.uint8)
    stored = LabelMap(order.apply(array), order.geometry(grid), ACDC)
    kept = keep_largest(LabelMap(array, grid, ACDC), "LV cavity")
    again = keep_largest(stored, "LV cavity")
    np.testing.assert_array_equal(again.array, order.apply(kept.array))
    one = keep_one_heart(LabelMap(array, grid, ACDC))
    np.testing.assert_array_equal(keep_one_heart(stored).array, order.apply(one.array))


def test_an_island_larger_than_the_structure_at_the_heart_does_not_win():
    array = np.zeros((20, 8, 3), np.uint8)
    array[1:7, 1:7] = 2
    array[2:4, 2:4] = 3
    array[7, 2:4, 0] = 1  # what was found of the right ventricle, at the heart
    array[14:19, 2:7] = 1  # and far away
    array[10, 1, 0] = 2
    labels = LabelMap(array, Geometry(array.shape, np.eye(4)), ACDC)
    assert keep_largest(labels, "RV cavity").array[7].sum() == 0, "by itself the island wins"
    kept = keep_one_heart(labels)
    assert kept.array[10:].sum() == 0
    np.testing.assert_array_equal(kept.array[:8], array[:8])
    np.testing.assert_array_equal(keep_one_heart(kept).array, kept.array)


def test_every_piece_of_a_structure_that_lies_apart_stays_where_it_is_of_the_heart():
    array = np.zeros((20, 8, 3), np.uint8)
    array[1:9, 1:7] = 2
    array[9, 2:4] = 1
    array[2:4, 2:4] = array[6:8, 2:4] = 1
    array[14:19, 2:7] = 1  # far away
    labels = LabelMap(array, Geometry(array.shape, np.eye(4)), ACDC)
    kept = keep_one_heart(labels, apart=("RV cavity",))
    np.testing.assert_array_equal(kept.array[:10], array[:10])
    assert not kept.array[10:].any()
    np.testing.assert_array_equal(keep_one_heart(kept, apart=("RV cavity",)).array, kept.array)


def test_slices_that_touch_at_a_corner_are_one_heart_and_nothing_stays_nothing():
    array = np.zeros((6, 6, 2), np.uint8)
    array[0:3, 0:3, 0] = 2
    array[3:6, 3:6, 1] = 3
    labels = LabelMap(array, Geometry(array.shape, np.eye(4)), ACDC)
    np.testing.assert_array_equal(keep_one_heart(labels).array, array)
    empty = LabelMap(np.zeros((2, 2, 2), np.uint8), Geometry((2, 2, 2), np.eye(4)), ACDC)
    assert not keep_one_heart(empty).array.any()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=3), st.floats(0, 1), st.booleans(), seeds)
def test_pieces_and_holes_are_scipys(shape, share, corners, seed):
    mask = np.random.default_rng(seed).random(shape) < share
    mask = mask[::-1].T if seed % 2 else mask  # however it lies in memory
    structure = ndimage.generate_binary_structure(mask.ndim, mask.ndim if corners else 1)
    numbered, count = ndimage.label(mask, structure)
    pieces = connected_pieces(mask, corners=corners)
    assert pieces.sizes.tolist() == np.bincount(numbered.ravel(), minlength=count + 1)[1:].tolist()
    for number in range(count):
        kept = pieces.mask(np.arange(count) == number)
        np.testing.assert_array_equal(kept, numbered == number + 1)
    if mask.size and mask.ndim > 1:
        np.testing.assert_array_equal(without_holes(mask), ndimage.binary_fill_holes(mask))


def test_more_pieces_than_sixteen_bits_count():
    mask = np.zeros((600, 600), bool)
    mask[::2, ::2] = True
    mask[100:103, 100:104] = True
    kept = largest_component(mask)
    assert kept[100:103, 100:104].all()
    assert kept.sum() == 14


def test_percentiles_of_very_many_values_come_from_a_sample(monkeypatch):
    values = np.random.default_rng(0).normal(size=(40, 50, 60)).astype(np.float32)
    whole = scale_percentiles(values)
    monkeypatch.setattr(intensity, "LARGEST_SAMPLE", values.size // 10)
    sampled = scale_percentiles(values)
    np.testing.assert_allclose(sampled, whole, atol=0.02)
    assert (sampled != whole).any()


@pytest.mark.parametrize("normalise", [scale_percentiles, scale_moments])
def test_intensities_can_be_scaled_in_place(normalise):
    values = np.random.default_rng(1).normal(3, 2, size=(4, 5, 6)).astype(np.float32)
    expected = normalise(values)
    assert normalise(values, out=values) is values
    np.testing.assert_array_equal(values, expected)
