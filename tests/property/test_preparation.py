"""Preparation and its way back: labels return to their voxels, whatever the storage order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.grids import STORAGE_ORDERS, grids, rotated_grid, storage_orders
from tests.networks import SMALL, random_network

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import GeometryError, PlanError
from cardioseg.evaluation.overlap import dice
from cardioseg.prepare.plan import Plan
from cardioseg.prepare.preparation import Preparation, native_plane

few = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)
planes = st.sampled_from(["axial", "sagittal", "coronal"])


def plan_of(spacing_mm=1.5, size=(32, 32), plane="axial", intensity="percentile"):
    return Plan(
        plane=plane,
        spacing_mm=spacing_mm,
        size=size,
        intensity=intensity,
        network=SMALL,
        scheme="acdc",
    )


def one_hot(labels):
    """Scores (slices, classes, rows, columns) that are sure of prepared labels."""
    return np.moveaxis(np.eye(4, dtype=np.float32)[labels], -1, 1)


def random_labels(grid, seed):
    array = np.random.default_rng(seed).integers(0, 4, grid.shape).astype(np.uint8)
    return LabelMap(array, grid, ACDC)


def stored_as(order, volume):
    """The same image of the same patient, stored in another order."""
    return Volume(order.apply(volume.array), order.geometry(volume.geometry))


def thresholds(slices):
    """A network's stand-in: classes by intensity."""
    return one_hot((slices[:, 0] * 3.999).astype(np.uint8))


def network_engine(network):
    def scores(slices):
        with torch.inference_mode():
            return torch.softmax(network(torch.from_numpy(slices)), dim=1).numpy()

    return scores


def segment(engine, plan, volume):
    preparation = Preparation(volume.geometry, plan)
    return preparation.restore_labels([engine(preparation.slices(volume)[:, None])], ACDC)


@few
@given(grids(sides=(4, 40)), planes)
def test_whole_slices_leave_no_pixel_unseen(pose, plane):
    whole = plan_of(plane=plane, size=(8, 8)).model_copy(update={"whole_slices": True})
    preparation = Preparation(pose, whole)
    rows, columns = preparation.slices(Volume(np.ones(pose.shape, np.float32), pose)).shape[1:]
    assert rows % SMALL.stride == columns % SMALL.stride == 0
    assert rows >= 8
    assert columns >= 8
    sides = np.multiply(preparation.sliced.shape, preparation.sliced.spacing)[1:]
    for count, side in zip((rows, columns), sides, strict=True):
        assert 8 <= count < max(8, side / 1.5) + SMALL.stride + 1e-3
    # Scores without background come back everywhere: every native pixel has a source.
    scores = np.zeros((preparation.sliced.shape[0], 4, rows, columns), np.float32)
    scores[:, 3] = 1
    assert (preparation.restore_labels([scores], ACDC).array == 3).all()


def test_a_crop_leaves_the_margin_as_background_and_whole_slices_do_not():
    grid = Geometry((40, 40, 2), np.diag([1.5, 1.5, 8.0, 1.0]))
    sure = np.zeros((2, 4, 16, 16), np.float32)
    sure[:, 3] = 1
    cropped = Preparation(grid, plan_of(size=(16, 16))).restore_labels([sure], ACDC)
    assert (cropped.array == 3).mean() == pytest.approx(0.16)


@few
@given(grids(sides=(1, 24)), planes, seeds)
def test_at_the_plans_spacing_labels_return_exactly(pose, plane, seed):
    affine = pose.affine.copy()
    affine[:3, :3] = pose.directions * 1.5
    grid = Geometry(pose.shape, affine)
    labels = random_labels(grid, seed)
    preparation = Preparation(grid, plan_of(plane=plane, size=(24, 24)))
    prepared = preparation.label_slices(labels)
    restored = preparation.restore_labels([one_hot(prepared)], ACDC)
    np.testing.assert_array_equal(restored.array, labels.array)
    assert restored.geometry is grid
    assert (
        np.bincount(prepared.ravel())[1:].tolist() == np.bincount(labels.array.ravel())[1:].tolist()
    )


def ball(grid, radius_mm):
    indices = np.stack(np.indices(grid.shape), axis=-1)
    middle = grid.to_world((np.array(grid.shape) - 1) / 2)
    inside = np.linalg.norm(grid.to_world(indices) - middle, axis=-1) < radius_mm
    return LabelMap((3 * inside).astype(np.uint8), grid, ACDC)


@few
@given(grids(sides=(40, 48), spacings=(1.0, 1.9)), planes)
def test_at_other_spacings_a_structure_returns_almost_unchanged(grid, plane):
    labels = ball(grid, 18)
    preparation = Preparation(grid, plan_of(plane=plane, size=(64, 64)))
    restored = preparation.restore_labels([one_hot(preparation.label_slices(labels))], ACDC)
    assert dice(restored.array == 3, labels.array == 3) > 0.94
    assert restored.volume_ml("LV cavity") == pytest.approx(labels.volume_ml("LV cavity"), rel=0.05)


@few
@given(grids(sides=(2, 20), spacings=(0.8, 3.0)), planes, seeds)
def test_restored_scores_sum_to_one_and_agree_with_restored_labels(grid, plane, seed):
    preparation = Preparation(grid, plan_of(plane=plane, size=(16, 12)))
    shape = (preparation.sliced.shape[0], 4, 16, 12)
    raw = np.random.default_rng(seed).random(shape).astype(np.float32)
    scores = raw / raw.sum(axis=1, keepdims=True)
    restored = preparation.restore_scores(scores)
    assert restored.shape == (4, *grid.shape)
    np.testing.assert_allclose(restored.sum(axis=0), 1, atol=1e-5)
    labels = preparation.restore_labels([scores], ACDC)
    np.testing.assert_array_equal(restored.argmax(axis=0), labels.array)


@few
@given(grids(sheared=True, sides=(3, 14), spacings=(1.0, 4.0)), storage_orders, planes, seeds)
def test_the_storage_order_changes_no_label_in_the_patient(grid, order, plane, seed):
    image = Volume(np.random.default_rng(seed).normal(size=grid.shape), grid)
    plan = plan_of(plane=plane, size=(16, 16))
    answer = segment(thresholds, plan, image)
    other = segment(thresholds, plan, stored_as(order, image))
    np.testing.assert_array_equal(other.array, order.apply(answer.array))
    assert len(np.unique(answer.array)) > 1, "the stand-in sees something"


def test_a_network_gives_the_same_labels_for_all_storage_orders():
    grid = Geometry((20, 17, 5), rotated_grid((20, 17, 5), (1.3, 1.4, 8.0), 33, "x").affine)
    image = Volume(np.random.default_rng(3).normal(size=grid.shape), grid)
    plan, engine = plan_of(plane="native"), network_engine(random_network())
    answer = segment(engine, plan, image)
    assert len(np.unique(answer.array)) >= 3
    for order in STORAGE_ORDERS:
        other = segment(engine, plan, stored_as(order, image))
        np.testing.assert_array_equal(other.array, order.apply(answer.array))


@pytest.mark.parametrize("degrees", [45, 135])
def test_halfway_between_two_orientations_labels_still_do_not_depend_on_storage(degrees):
    grid = rotated_grid((12, 11, 4), (1.5, 1.5, 8.0), degrees)
    image = Volume(np.random.default_rng(5).normal(size=grid.shape), grid)
    answer = segment(thresholds, plan_of(plane="native"), image)
    for order in STORAGE_ORDERS:
        other = segment(thresholds, plan_of(plane="native"), stored_as(order, image))
        np.testing.assert_array_equal(other.array, order.apply(answer.array))


PIR = Geometry((4, 6, 8), np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]]))


@pytest.mark.parametrize(("plane", "world_axis"), [("axial", 2), ("coronal", 1), ("sagittal", 0)])
def test_slices_of_a_plane_follow_one_another_along_its_anatomical_axis(plane, world_axis):
    """On a P-I-R grid no index order gives the planes; anatomy does."""
    assert PIR.orientation == "PIR"
    world = PIR.to_world(np.stack(np.indices(PIR.shape), axis=-1))
    coordinate = Volume(world[..., world_axis], PIR)
    preparation = Preparation(
        PIR, plan_of(plane=plane, spacing_mm=1.0, intensity="zscore", size=(8, 8))
    )
    rows, columns = preparation.sliced.shape[1:]
    top, left = (8 - rows) // 2, (8 - columns) // 2
    slices = preparation.slices(coordinate)[:, top : top + rows, left : left + columns]
    assert np.ptp(slices, axis=(1, 2)).max() == 0, "constant within a slice"
    assert (np.diff(slices[:, 0, 0]) > 0).all(), "growing from slice to slice"


@pytest.mark.parametrize(
    ("plane", "slice_row_column"), [("axial", "SPL"), ("coronal", "AIL"), ("sagittal", "RIP")]
)
@pytest.mark.parametrize("grid", [PIR, rotated_grid((3, 4, 5), (1, 2, 3), 30)])
def test_pictures_lie_as_radiologists_show_them(grid, plane, slice_row_column):
    assert Preparation(grid, plan_of(plane=plane)).sliced.orientation == slice_row_column


@pytest.mark.parametrize(("thickest", "plane"), [(0, "sagittal"), (1, "coronal"), (2, "axial")])
def test_the_native_plane_is_perpendicular_to_the_largest_spacing(thickest, plane):
    spacing = [1.5, 1.5, 1.5]
    spacing[thickest] = 8.0
    grid = rotated_grid((3, 3, 3), spacing, 20)
    assert native_plane(grid) == plane
    assert Preparation(grid, plan_of(plane="native")).sliced.spacing[0] == pytest.approx(8)


def test_without_a_largest_spacing_the_native_plane_is_refused_with_the_remedy():
    grid = rotated_grid((4, 4, 4), (1.0, 1.0, 1.0), 10)
    with pytest.raises(GeometryError, match=r"name the plane \(--plane axial"):
        Preparation(grid, plan_of(plane="native")).slices(Volume(np.ones(grid.shape), grid))
    chosen = Preparation(grid, plan_of(plane="native"), plane="coronal")
    assert chosen.sliced.orientation == "AIL"


def test_an_orthogonal_plan_has_a_preparation_for_each_plane_and_none_for_all():
    plan = plan_of(plane="orthogonal")
    assert plan.planes == ("axial", "coronal", "sagittal")
    with pytest.raises(PlanError, match="in axial, coronal, sagittal; name one"):
        Preparation(PIR, plan).slices(Volume(np.ones(PIR.shape), PIR))
    orientations = [Preparation(PIR, plan, plane).sliced.orientation for plane in plan.planes]
    assert orientations == ["SPL", "AIL", "RIP"]


@few
@given(grids(sheared=True, sides=(3, 14), spacings=(1.0, 3.0)), storage_orders, seeds)
def test_the_mean_of_three_planes_moves_with_the_storage_order_bit_for_bit(grid, order, seed):
    image = Volume(np.random.default_rng(seed).normal(size=grid.shape), grid)
    plan = plan_of(plane="orthogonal", size=(16, 16))

    def mean_of_planes(volume):
        total = np.zeros((4, *volume.geometry.shape), np.float32)
        for plane in plan.planes:
            preparation = Preparation(volume.geometry, plan, plane)
            scores = thresholds(preparation.slices(volume)[:, None])
            for first in range(0, len(scores), 3):
                preparation.add_scores(scores[first : first + 3], first, total)
        return total / 3

    np.testing.assert_array_equal(
        mean_of_planes(stored_as(order, image)), order.apply(mean_of_planes(image))
    )


def test_another_volumes_grid_is_refused():
    other = Geometry(PIR.shape, PIR.affine @ np.diag([1, 1, 1.1, 1]))
    preparation = Preparation(PIR, plan_of())
    with pytest.raises(GeometryError, match="different grids"):
        preparation.slices(Volume(np.ones(PIR.shape), other))
    with pytest.raises(GeometryError, match="different grids"):
        preparation.label_slices(LabelMap(np.ones(PIR.shape, np.uint8), other, ACDC))


def test_slices_narrower_than_a_pixel_are_refused():
    grid = Geometry((1, 9, 9), np.eye(4))
    with pytest.raises(GeometryError, match="narrower than a pixel of 3 mm"):
        Preparation(grid, plan_of(spacing_mm=3.0)).slices(Volume(np.ones(grid.shape), grid))


def test_padding_takes_the_lowest_value_and_does_not_change_the_normalisation():
    grid = Geometry((8, 8, 2), np.diag([1.5, 1.5, 8.0, 1.0]))
    image = Volume(np.random.default_rng(0).normal(5, 1, grid.shape), grid)
    small, large = (
        Preparation(grid, plan_of(size=(n, n), intensity="zscore")).slices(image) for n in (8, 16)
    )
    np.testing.assert_array_equal(large[:, 4:12, 4:12], small)
    assert large[0, 0, 0] == small.min()


def test_outside_the_field_of_view_everything_is_background():
    grid = Geometry((20, 20, 2), np.diag([1.5, 1.5, 8.0, 1.0]))
    preparation = Preparation(grid, plan_of(size=(8, 8)))
    scores = preparation.restore_scores(one_hot(np.full((2, 8, 8), 3)))
    sure = np.zeros(grid.shape, bool)
    sure[6:14, 6:14] = True
    np.testing.assert_array_equal(scores[3], sure.astype(np.float32))
    np.testing.assert_array_equal(scores[0], (~sure).astype(np.float32))
