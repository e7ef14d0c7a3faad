"""Laws of the solids and of their painting, on random solids and random oblique grids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from cardioseg.core.geometry import Geometry
from cardioseg.phantom import Acquisition, Tissue, refined
from cardioseg.phantom.raster import Layer, coordinates, paint
from cardioseg.phantom.shapes import Capsule, Ellipsoid, Frame, Lobe, Shape, tube

lengths = st.floats(5.0, 14.0)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def grids(draw: st.DrawFn) -> Geometry:
    """Oblique, anisotropic, possibly mirrored grids of about 40 mm around the origin."""
    rotation = Rotation.random(rng=np.random.default_rng(draw(seeds))).as_matrix()
    signs = np.array([draw(st.sampled_from((-1, 1))) for _ in range(3)])
    spacing = np.array([draw(st.floats(0.8, 3.0)) for _ in range(3)])
    i, j, k = np.ceil(40 / spacing).astype(int).tolist()
    affine = np.eye(4)
    affine[:3, :3] = rotation * signs * spacing
    affine[:3, 3] = -affine[:3, :3] @ ((np.array((i, j, k)) - 1) / 2)
    return Geometry((i, j, k), affine)


@st.composite
def ellipsoids(draw: st.DrawFn) -> Ellipsoid:
    rotation = Rotation.random(rng=np.random.default_rng(draw(seeds))).as_matrix()
    a, b, c = ((float(x), float(y), float(z)) for x, y, z in rotation.T)
    semi_axes = (draw(lengths), draw(lengths), draw(lengths))
    floor = draw(st.none() | st.floats(-0.9, 0.9).map(lambda share: share * semi_axes[2]))
    lobes = tuple(
        Lobe(order, draw(st.floats(0, 0.2)), draw(st.floats(0, 360)), draw(st.floats(-3, 3)))
        for order in draw(st.sets(st.integers(1, 6), max_size=3))
    )
    bend = draw(st.floats(-0.02, 0.02))
    return Ellipsoid(Frame((0.5, -1.0, 2.0), (a, b, c)), semi_axes, floor, lobes, bend)


@st.composite
def capsules(draw: st.DrawFn) -> Capsule:
    ends = np.random.default_rng(draw(seeds)).uniform(-8, 8, (2, 3))
    (x, y, z), (p, q, r) = ends.tolist()
    radius = draw(st.floats(3, 8))
    length = float(np.linalg.norm(ends[0] - ends[1]))
    return Capsule((x, y, z), (p, q, r), radius, max(radius - 0.3 * length, 1.0))


def cloud(shape: Shape, count: int = 60_000) -> tuple[np.ndarray, float]:
    """Points inside of a solid among random ones in a generous box, and the share that is."""
    rng = np.random.default_rng(0)
    low, high = shape.hull.min(axis=0) - 3, shape.hull.max(axis=0) + 3
    points = rng.uniform(low, high, (count, 3)).astype(np.float32)
    inside = shape.contains(points[:, 0], points[:, 1], points[:, 2])
    return points[inside], float(inside.mean() * np.prod(high - low))


@settings(max_examples=25, deadline=None)
@given(shape=ellipsoids() | capsules())
def test_the_closed_form_volume_is_the_share_of_random_points(
    shape: Ellipsoid | Capsule,
) -> None:
    inside, volume_mm3 = cloud(shape)
    spread = 5 / np.sqrt(len(inside))
    assert volume_mm3 / 1000 == pytest.approx(shape.volume_ml, rel=max(spread, 0.01))


@settings(max_examples=25, deadline=None)
@given(shape=ellipsoids() | capsules())
def test_the_hull_holds_the_solid(shape: Ellipsoid | Capsule) -> None:
    inside, _ = cloud(shape, 20_000)
    rng = np.random.default_rng(1)
    for way in rng.normal(size=(8, 3)):
        assert (inside @ way).max() <= (shape.hull @ way).max() + 1e-3


@settings(max_examples=25, deadline=None)
@given(shape=ellipsoids() | capsules(), geometry=grids())
def test_painting_visits_every_voxel_that_the_solid_holds(
    shape: Ellipsoid | Capsule, geometry: Geometry
) -> None:
    canvas = np.zeros(geometry.shape, np.uint8)
    paint(canvas, geometry, Layer(shape, Tissue.LV))
    everything = (slice(0, canvas.shape[0]), slice(0, canvas.shape[1]), slice(0, canvas.shape[2]))
    inside = shape.contains(*coordinates(geometry, everything))
    assert ((canvas == Tissue.LV) == inside).all()


@settings(max_examples=10, deadline=None)
@given(shape=ellipsoids(), geometry=grids())
def test_painting_over_one_tissue_leaves_the_others(shape: Ellipsoid, geometry: Geometry) -> None:
    before = np.random.default_rng(0).integers(1, 3, geometry.shape).astype(np.uint8)
    canvas = before.copy()
    paint(canvas, geometry, Layer(shape, Tissue.LV, over=Tissue.LUNG))
    assert (canvas[before == Tissue.FAT] == Tissue.FAT).all()
    assert set(np.unique(canvas)) <= {Tissue.LUNG, Tissue.FAT, Tissue.LV}


@settings(max_examples=25, deadline=None)
@given(geometry=grids(), factors=st.tuples(*[st.integers(1, 4)] * 3))
def test_the_scanner_s_grid_undoes_the_refinement(
    geometry: Geometry, factors: tuple[int, int, int]
) -> None:
    fine = refined(geometry, factors)
    assert fine.voxel_volume_mm3 * np.prod(factors) == pytest.approx(geometry.voxel_volume_mm3)
    assert Acquisition(spacing_mm=geometry.spacing).grid(fine).is_same(geometry, 1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, count=st.integers(2, 6))
def test_a_tube_is_connected_and_passes_through_its_points(seed: int, count: int) -> None:
    points = np.random.default_rng(seed).uniform(-30, 30, (count, 3))
    rods = tube(tuple((x, y, z) for x, y, z in points.tolist()), 4.0, 2.0, bends=3)
    assert [rod.start for rod in rods[1:]] == [rod.end for rod in rods[:-1]]
    knots = np.array([rods[0].start, *(rod.end for rod in rods)])
    assert np.allclose(knots[::3], points)
    assert (rods[0].start_radius_mm, rods[-1].end_radius_mm) == (4.0, 2.0)
