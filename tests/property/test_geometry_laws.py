"""Laws of grids, on random oblique, mirrored, anisotropic ones."""

from __future__ import annotations

from itertools import permutations, product

import nibabel as nib
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.property.strategies_geometry import grids, sheared_grids

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap

LAWS = settings(max_examples=60, deadline=None)
ORDERS = st.sampled_from(list(permutations(range(3))))
FLIPS = st.tuples(st.booleans(), st.booleans(), st.booleans())
MOST_OBLIQUE = 0.85
OPPOSITE = dict(zip("LRPAIS", "RLAPSI", strict=True))


def turned(grid: Geometry, order: tuple[int, ...], flips: tuple[bool, ...]) -> Geometry:
    """The grid of an array after `transpose(order)` and flips: an oracle without the package."""
    change = np.zeros((4, 4))
    change[3, 3] = 1
    for new, (old, flip) in enumerate(zip(order, flips, strict=True)):
        change[old, new] = -1 if flip else 1
        change[old, 3] = (grid.shape[old] - 1) * flip
    i, j, k = (grid.shape[old] for old in order)
    return Geometry((i, j, k), grid.affine @ change)


def flipped(array: np.ndarray, order: tuple[int, ...], flips: tuple[bool, ...]) -> np.ndarray:
    return array.transpose(order)[tuple(slice(None, None, -1 if f else 1) for f in flips)]


@LAWS
@given(grids() | sheared_grids(), st.lists(st.floats(-50, 50), min_size=6, max_size=6))
def test_world_and_index_undo_each_other(grid: Geometry, numbers: list[float]) -> None:
    points = np.reshape(numbers, (2, 3))
    np.testing.assert_allclose(grid.to_index(grid.to_world(points)), points, atol=1e-6)
    np.testing.assert_allclose(grid.to_world(grid.to_index(points)), points, atol=1e-6)


@LAWS
@given(grids() | sheared_grids())
def test_neighbours_are_one_spacing_apart(grid: Geometry) -> None:
    for axis, spacing in enumerate(grid.spacing):
        step = np.eye(3)[axis]
        way = grid.to_world(step) - grid.to_world((0, 0, 0))
        assert np.isclose(np.linalg.norm(way), spacing)
        np.testing.assert_allclose(way / spacing, grid.directions[:, axis], atol=1e-9)


@LAWS
@given(grids())
def test_a_turned_and_mirrored_grid_is_orthogonal(grid: Geometry) -> None:
    assert grid.is_orthogonal
    assert np.isclose(grid.voxel_volume_mm3, np.prod(grid.spacing))


@LAWS
@given(sheared_grids())
def test_a_sheared_grid_is_seen(grid: Geometry) -> None:
    assert not grid.is_orthogonal
    assert grid.voxel_volume_mm3 < np.prod(grid.spacing)


@LAWS
@given(grids())
def test_orientation_agrees_with_nibabel_where_it_is_clear(grid: Geometry) -> None:
    # Near 45 degrees two answers are right.
    assume(np.abs(grid.directions).max(axis=0).min() > MOST_OBLIQUE)
    assert grid.orientation == "".join(nib.aff2axcodes(grid.affine))


@LAWS
@given(grids())
def test_orientation_names_each_pair_once(grid: Geometry) -> None:
    pairs = {frozenset({letter, OPPOSITE[letter]}) for letter in grid.orientation}
    assert len(pairs) == 3


@LAWS
@given(grids() | sheared_grids(), ORDERS, FLIPS)
def test_orientation_follows_permutations_and_flips(
    grid: Geometry, order: tuple[int, ...], flips: tuple[bool, ...]
) -> None:
    expected = [
        OPPOSITE[grid.orientation[old]] if flip else grid.orientation[old]
        for old, flip in zip(order, flips, strict=True)
    ]
    assert turned(grid, order, flips).orientation == "".join(expected)


@LAWS
@given(st.permutations(range(3)), FLIPS)
def test_orientation_follows_even_at_45_degrees(order: list[int], flips: tuple[bool, ...]) -> None:
    half = np.sqrt(0.5)
    affine = np.array([[half, -half, 0, 0], [half, half, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    grid = Geometry((3, 4, 5), affine)
    expected = [
        OPPOSITE[grid.orientation[old]] if flip else grid.orientation[old]
        for old, flip in zip(order, flips, strict=True)
    ]
    assert turned(grid, tuple(order), flips).orientation == "".join(expected)


@LAWS
@given(grids() | sheared_grids(), ORDERS, FLIPS, st.integers(0, 2**32 - 1))
def test_volume_does_not_depend_on_the_order_of_the_axes(
    grid: Geometry, order: tuple[int, ...], flips: tuple[bool, ...], seed: int
) -> None:
    array = np.random.default_rng(seed).integers(0, 4, grid.shape, np.uint8)
    before = LabelMap(array, grid, ACDC)
    after = LabelMap(flipped(array, order, flips), turned(grid, order, flips), ACDC)
    for structure in ACDC.structures:
        volumes = before.volume_ml(structure.name), after.volume_ml(structure.name)
        assert np.isclose(*volumes, rtol=1e-9)


@LAWS
@given(grids(), ORDERS, FLIPS)
def test_no_voxel_moves_when_axes_are_reordered(
    grid: Geometry, order: tuple[int, ...], flips: tuple[bool, ...]
) -> None:
    points = np.stack(np.meshgrid(*(range(n) for n in grid.shape), indexing="ij"), axis=-1)
    world = np.stack([flipped(grid.to_world(points)[..., n], order, flips) for n in range(3)], -1)
    other = turned(grid, order, flips)
    again = np.stack(np.meshgrid(*(range(n) for n in other.shape), indexing="ij"), axis=-1)
    np.testing.assert_allclose(other.to_world(again), world, atol=1e-9)


@LAWS
@given(grids(), st.floats(0.02, 50.0), st.integers(0, 2))
def test_sameness_is_the_distance_that_the_corners_moved(
    grid: Geometry, shift: float, axis: int
) -> None:
    affine = grid.affine.copy()
    affine[axis, 3] += shift
    moved = Geometry(grid.shape, affine)
    assert grid.is_same(grid)
    assert not grid.is_same(moved)
    assert np.isclose(grid.distance_mm(moved), shift)
    assert np.isclose(moved.distance_mm(grid), shift)
    assert grid.is_same(moved, tolerance_mm=shift * 1.001)


@LAWS
@given(grids() | sheared_grids())
def test_corners_are_the_corner_voxels(grid: Geometry) -> None:
    expected = [grid.to_world(index) for index in product(*((0, n - 1) for n in grid.shape))]
    np.testing.assert_allclose(grid.corners(), expected)
    inner = grid.to_world((np.array(grid.shape) - 1) / 2)
    assert np.linalg.norm(grid.corners() - inner, axis=1).max() <= grid.diagonal_mm + 1e-9
