"""Laws of meshes: any mask, any pose and any storage order give a sound mesh."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.grids import grids, storage_orders

from cardioseg.core.geometry import Geometry
from cardioseg.ops.mesh_check import check, displacement
from cardioseg.ops.mesh_field import field_of
from cardioseg.ops.mesh_surface import surface_of, surface_with_volume

few = settings(max_examples=30, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def noise(shape, seed):
    """Voxels at random: borders, diagonals, crumbs and hollows, and at least one voxel."""
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < rng.uniform(0.05, 0.95)
    mask.flat[int(rng.integers(mask.size))] = True
    return mask


@few
@given(grids(sides=(1, 6), spacings=(0.8, 4.0)), seeds, st.booleans())
def test_any_mask_gives_a_closed_manifold_mesh_near_its_voxels(grid, seed, smooth):
    mask = noise(grid.shape, seed)
    surface = surface_of(field_of(mask, grid, smooth=smooth))
    assert check(surface.vertices, surface.faces).problems == ()
    moved = displacement(surface.index, mask, grid)
    assert moved.largest_voxels <= 1


@few
@given(grids(sides=(3, 5), spacings=(1.0, 1.0)), storage_orders)
def test_storage_order_and_handedness_change_nothing(grid, step):
    shape = (12, 11, 10)
    grid = Geometry(shape, grid.affine)
    index = np.moveaxis(np.indices(shape), 0, -1) - np.array([5.0, 5.0, 4.5])
    mask = (index**2 / np.array([16, 20, 10])).sum(axis=-1) <= 1
    volume = mask.sum() * grid.voxel_volume_mm3
    one = surface_with_volume(field_of(mask, grid), volume)
    turned = np.ascontiguousarray(step.apply(mask))
    other = surface_with_volume(field_of(turned, step.geometry(grid)), volume)
    first, second = (check(s.vertices, s.faces) for s in (one, other))
    assert first.problems == second.problems == ()
    assert second.volume_ml == pytest.approx(first.volume_ml, rel=1e-4)
    assert other.vertices.mean(axis=0) == pytest.approx(one.vertices.mean(axis=0), abs=0.02)


@few
@given(seeds, st.floats(0.5, 2.0))
def test_volume_is_that_of_the_voxels(seed, resolution):
    rng = np.random.default_rng(seed)
    grid = Geometry((20, 20, 7), np.diag([1.5, 1.5, 6.0, 1.0]))
    radii = rng.uniform([5, 5, 1.6], [9, 9, 3.0])
    index = np.moveaxis(np.indices(grid.shape), 0, -1) - np.array([9.5, 9.5, 3.0])
    mask = ((index / radii) ** 2).sum(axis=-1) <= 1
    volume = mask.sum() * grid.voxel_volume_mm3
    surface = surface_with_volume(field_of(mask, grid, resolution_mm=resolution), volume)
    found = check(surface.vertices, surface.faces)
    assert found.problems == ()
    assert found.volume_ml * 1000 == pytest.approx(volume, rel=0.01)
    assert displacement(surface.index, mask, grid).largest_voxels <= 1


@few
@given(seeds)
def test_displacement_agrees_with_brute_force(seed):
    rng = np.random.default_rng(seed)
    grid = Geometry((5, 5, 5), np.diag([1.0, 1.5, 2.5, 1.0]))
    mask = noise((3, 3, 3), seed)
    mask = np.pad(mask, 1)
    points = rng.uniform(0.2, 3.8, (5, 3))
    padded = np.pad(mask, 3)
    dense = np.argwhere(np.ones_like(padded)) - 3
    for point in points:
        home = tuple(np.floor(point + 0.5).astype(int) + 3)
        others = dense[padded.ravel() != padded[home]]
        apart = np.maximum(np.abs(point - others) - 0.5, 0)
        found = displacement(point[None], mask, grid)
        voxels = np.linalg.norm(apart, axis=1).min()
        if voxels < 1.5:
            assert found.largest_voxels == pytest.approx(voxels)
            millimetres = np.linalg.norm(apart * grid.spacing, axis=1).min()
            if millimetres < 2 * min(grid.spacing):
                assert found.largest_mm == pytest.approx(millimetres)
            else:
                # A voxel that is farther off in voxels may be nearer in mm: never told too small.
                assert found.largest_mm >= millimetres - 1e-9
        else:
            # Farther off, distances are told to the middle of a face.
            assert voxels - 1e-9 <= found.largest_voxels < voxels + 1
