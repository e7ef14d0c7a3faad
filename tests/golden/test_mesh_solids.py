"""Meshes of solids whose volumes and areas are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from tests.grids import rotated_grid

from cardioseg.core.geometry import Geometry
from cardioseg.ops.mesh_check import check, displacement
from cardioseg.ops.mesh_cut import Plane, halves
from cardioseg.ops.mesh_field import field_of
from cardioseg.ops.mesh_shell import shell_of
from cardioseg.ops.mesh_surface import area_mm2, surface_of, surface_with_volume


def centred(shape, spacing, degrees=0.0):
    grid = rotated_grid(shape, spacing, degrees, "x")
    affine = grid.affine.copy()
    affine[:3, 3] = -grid.to_world((np.array(shape) - 1) / 2)
    return Geometry(shape, affine)


def ball(grid, radius, inner=0.0):
    world = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    distance = np.linalg.norm(world, axis=-1)
    return (distance <= radius) & (distance >= inner)


def model(mask, grid, **options):
    volume = mask.sum() * grid.voxel_volume_mm3
    field = field_of(mask, grid, **options)
    return field, surface_with_volume(field, volume)


def test_a_ball_has_its_volume_and_area():
    grid = centred((48, 48, 48), (1.0, 1.0, 1.0))
    mask = ball(grid, 18.0)
    _, surface = model(mask, grid)
    found = check(surface.vertices, surface.faces)
    assert found.watertight
    assert found.volume_ml == pytest.approx(4 / 3 * np.pi * 18**3 / 1000, rel=0.01)
    # A staircase of voxels has 1.5 times the area.
    assert area_mm2(surface.vertices, surface.faces) == pytest.approx(4 * np.pi * 18**2, rel=0.02)
    assert np.abs(np.linalg.norm(surface.vertices, axis=1) - 18).max() < 0.6


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("degrees", [0.0, 33.0])
def test_thick_slices_are_no_staircase(smooth, degrees):
    grid = centred((48, 48, 9), (1.25, 1.25, 8.0), degrees)
    mask = ball(grid, 26.0)
    _, surface = model(mask, grid, smooth=smooth)
    found = check(surface.vertices, surface.faces)
    assert found.watertight
    assert found.volume_ml == pytest.approx(mask.sum() * grid.voxel_volume_mm3 / 1000, rel=0.002)
    # Cuboids would give 1.5 times the ball's area; flat caps are all that is left of the slices.
    area = area_mm2(surface.vertices, surface.faces)
    assert area == pytest.approx(4 * np.pi * 26**2, rel=0.06)
    assert displacement(surface.index, mask, grid).largest_voxels <= 1


def test_a_wall_keeps_both_sides():
    grid = centred((44, 44, 44), (1.0, 1.0, 1.0))
    mask = ball(grid, 17.0, inner=12.0)
    _, surface = model(mask, grid)
    found = check(surface.vertices, surface.faces)
    assert found.watertight
    assert (found.bodies, found.cavities) == (1, 1)
    assert found.volume_ml == pytest.approx(4 / 3 * np.pi * (17**3 - 12**3) / 1000, rel=0.01)


def test_a_wall_between_slices_has_no_gap_where_rings_overlap_little():
    grid = Geometry((48, 48, 4), np.diag([1.0, 1.0, 10.0, 1.0]))
    mask = np.zeros(grid.shape, bool)
    x, y = np.indices((48, 48)) - 23.5
    radius = np.hypot(x, y)
    for k, outer in ((1, 20.0), (2, 16.5)):
        mask[:, :, k] = (radius <= outer) & (radius > outer - 4)
    _, surface = model(mask, grid)
    found = check(surface.vertices, surface.faces)
    assert found.watertight
    assert found.bodies == 1


def test_a_wall_of_one_voxel_survives_smoothing():
    grid = Geometry((24, 24, 24), np.eye(4))
    mask = np.zeros(grid.shape, bool)
    mask[3:21, 3:21, 12] = True
    _, surface = model(mask, grid)
    found = check(surface.vertices, surface.faces)
    assert found.watertight
    assert (found.bodies, found.cavities) == (1, 0)
    moved = displacement(surface.index, mask, grid)
    assert moved.covered == 1
    assert moved.largest_voxels <= 1
    # A hole through the plate would give it a handle.
    assert found.vertices - found.faces / 2 == 2


def test_a_shell_has_the_thickness_that_was_asked_for():
    grid = centred((36, 36, 36), (1.0, 1.0, 1.0))
    field, solid = model(ball(grid, 12.0), grid)
    vertices, faces = shell_of(field, solid, 2.5)
    found = check(vertices, faces)
    assert found.watertight
    assert (found.bodies, found.cavities) == (1, 1)
    assert found.volume_ml == pytest.approx(4 / 3 * np.pi * (14.5**3 - 12**3) / 1000, rel=0.03)
    outer = np.linalg.norm(vertices[: len(vertices) - len(solid.vertices)], axis=1)
    assert outer == pytest.approx(14.5, abs=0.6)


def test_cuts_are_closed_by_caps_and_lose_nothing():
    grid = centred((36, 36, 36), (1.0, 1.0, 1.0))
    field, solid = model(ball(grid, 14.0), grid)
    vertices, faces = shell_of(field, solid, 2.0)
    plane = Plane((1.0, 2.0, 2.0), 3.0)
    below, above = (check(*part) for part in halves(vertices, faces, plane))
    assert below.watertight
    assert above.watertight
    whole = check(vertices, faces).volume_ml
    assert below.volume_ml + above.volume_ml == pytest.approx(whole, rel=1e-5)
    # A cap of a hollow ball cut open is a ring: one body, no hollow left inside.
    assert (below.bodies, below.cavities, above.bodies, above.cavities) == (1, 0, 1, 0)
    low = halves(vertices, faces, plane)[0][0]
    assert plane.heights(low).max() <= 1e-3


def test_smoothing_makes_no_spikes():
    rng = np.random.default_rng(3)
    grid = Geometry((30, 30, 30), np.diag([1.0, 1.3, 0.8, 1.0]))
    index = np.indices(grid.shape) - 14.5
    mask = (index**2).sum(axis=0) + rng.normal(0, 30, grid.shape) < 100
    _, surface = model(mask, grid)
    assert check(surface.vertices, surface.faces).watertight
    assert displacement(surface.index, mask, grid).largest_voxels <= 1
    corners = surface.vertices[surface.faces]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    # No edge leaves the cell that it was made in.
    assert edges.max() <= np.linalg.norm(grid.spacing) + 1e-6


def test_no_two_faces_of_a_mesh_cross():
    """By brute force on a small rough mesh: no edge passes through a face."""
    rng = np.random.default_rng(5)
    grid = Geometry((9, 9, 9), np.eye(4))
    mask = np.zeros(grid.shape, bool)
    mask[2:7, 2:7, 2:7] = rng.random((5, 5, 5)) < 0.5
    surface = surface_of(field_of(mask, grid))
    corners = surface.vertices[surface.faces]
    edges = np.unique(np.sort(surface.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
    a, b, c = (corners[:, n] for n in range(3))
    normals = np.cross(b - a, c - a)
    crossings = 0
    for edge in edges:
        start, end = surface.vertices[edge]
        slope = normals @ (end - start)
        apart = ~np.isin(surface.faces, edge).any(axis=1) & (np.abs(slope) > 1e-9)
        t = ((a - start) * normals).sum(axis=1) / np.where(apart, slope, 1)
        point = start + t[:, None] * (end - start)
        inside = np.logical_and.reduce(
            [
                (np.cross(q - p, point - p) * normals).sum(axis=1) > 1e-9
                for p, q in ((a, b), (b, c), (c, a))
            ]
        )
        crossings += int((apart & inside & (t > 0) & (t < 1)).sum())
    assert crossings == 0
