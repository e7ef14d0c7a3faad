"""Metrics of two masks, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap
from cardioseg.errors import GeometryError
from cardioseg.evaluation.calibration import expected_calibration_error, reliability_bins
from cardioseg.evaluation.overlap import cce_per_class, dice, jaccard
from cardioseg.evaluation.surface import boundary, surface_distances
from cardioseg.evaluation.volumetry import (
    ejection_fraction_percent,
    myocardial_mass_g,
    slice_regions,
    volume_error_ml,
    volume_ml,
)


def points(shape, *places):
    mask = np.zeros(shape, bool)
    for place in places:
        mask[place] = True
    return mask


class TestOverlap:
    def test_three_of_four_and_two_voxels(self):
        prediction = np.array([True, True, True, True, False, False])
        reference = np.array([False, False, False, True, True, False])
        assert dice(prediction, reference) == pytest.approx(2 * 1 / (4 + 2))
        assert jaccard(prediction, reference) == pytest.approx(1 / 5)

    def test_empty_masks_are_undefined(self):
        empty = np.zeros((3, 3), bool)
        assert dice(empty, empty) is None
        assert jaccard(empty, empty) is None

    def test_shapes_must_agree(self):
        with pytest.raises(GeometryError, match=r"\(2,\).*\(3,\)"):
            dice(np.ones(2, bool), np.ones(3, bool))


class TestCrossEntropy:
    def test_hand_computed(self):
        scores = np.array([[0.8, 0.1, 0.3, 0.5], [0.2, 0.9, 0.7, 0.5]])
        one_hot = np.array([[True, False, False, True], [False, True, True, False]])
        expected = [-(np.log(0.8) + np.log(0.5)) / 4, -(np.log(0.9) + np.log(0.7)) / 4]
        assert cce_per_class(scores, one_hot) == pytest.approx(expected)

    def test_a_score_of_zero_counts_as_1e_7(self):
        scores = np.array([[0.0], [1.0]], np.float32)
        one_hot = np.array([[True], [False]])
        assert cce_per_class(scores, one_hot) == pytest.approx([-np.log(1e-7), 0.0])

    def test_classes_add_up_to_the_mean_over_pixels(self):
        rng = np.random.default_rng(1)
        scores = rng.dirichlet(np.ones(4), size=(5, 6)).transpose(2, 0, 1)
        labels = rng.integers(0, 4, (5, 6))
        one_hot = labels[None] == np.arange(4)[:, None, None]
        picked = np.take_along_axis(scores, labels[None], axis=0)
        assert cce_per_class(scores, one_hot).sum() == pytest.approx(-np.log(picked).mean())

    def test_shapes_must_agree(self):
        with pytest.raises(GeometryError, match="one-hot"):
            cce_per_class(np.ones((2, 3)), np.ones((2, 4), bool))


class TestSurface:
    def test_two_voxels_apart(self):
        shape = (9, 9, 9)
        distances = surface_distances(
            points(shape, (1, 1, 1)), points(shape, (4, 5, 1)), (2.0, 1.0, 7.0)
        )
        expected = np.hypot(3 * 2.0, 4 * 1.0)
        assert distances.hd_mm == pytest.approx(expected)
        assert distances.hd95_mm == pytest.approx(expected)
        assert distances.assd_mm == pytest.approx(expected)
        assert distances.average_boundary_distance_mm == pytest.approx(expected)
        assert distances.surface_dice(expected - 0.01) == 0
        assert distances.surface_dice(expected + 0.01) == 1

    def test_averages_weigh_points_or_directions(self):
        # From the pair: 0 and 3 mm. From the single voxel: 0 mm.
        pair, single = points((5, 1, 1), 0, 3), points((5, 1, 1), 0)
        distances = surface_distances(pair, single, (1.0, 1.0, 1.0))
        assert distances.hd_mm == 3
        assert distances.assd_mm == pytest.approx(3 / 3)
        assert distances.average_boundary_distance_mm == pytest.approx((1.5 + 0) / 2)
        assert distances.surface_dice(1.0) == pytest.approx(2 / 3)

    def test_hd95_is_the_larger_directed_percentile_not_the_pooled_one(self):
        # Prediction: 10 points at 0 mm and one at 10 mm. Reference: 10 points at 0 mm.
        prediction = points((30, 1, 1), slice(0, 10), 19)
        distances = surface_distances(prediction, points((30, 1, 1), slice(0, 10)), (1, 1, 1))
        # Only ends of a line are boundary in 1-D; count what there is.
        assert sorted(distances.from_prediction) == [0, 0, 10]
        assert distances.hd95_mm == pytest.approx(np.percentile([0, 0, 10], 95))
        pooled = np.percentile([0, 0, 10, 0, 0], 95)
        assert distances.hd95_mm > pooled

    def test_boundary_of_a_cube_is_its_shell(self):
        cube = points((7, 7, 7), np.s_[1:6, 1:6, 1:6])
        assert np.count_nonzero(boundary(cube)) == 5**3 - 3**3

    def test_voxels_at_the_edge_of_the_array_are_boundary(self):
        assert np.count_nonzero(boundary(np.ones((4, 4, 4), bool))) == 4**3 - 2**3

    def test_a_single_slice_is_compared_within_its_plane(self):
        disc = points((7, 7, 1), np.s_[1:6, 1:6, 0])
        assert np.count_nonzero(boundary(disc)) == 5**2 - 3**2
        other = np.roll(disc, 1, axis=0)
        thick = surface_distances(disc, other, (1.5, 1.5, 8.0))
        plane = surface_distances(disc[..., 0], other[..., 0], (1.5, 1.5))
        assert thick.assd_mm == plane.assd_mm
        assert thick.hd95_mm == plane.hd95_mm

    def test_a_structure_in_one_slice_of_a_stack_is_all_boundary(self):
        disc = points((7, 7, 3), np.s_[1:6, 1:6, 1])
        assert np.array_equal(boundary(disc), disc)

    @pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 0.0, 1.0), (1.0, np.nan, 1.0)])
    def test_bad_spacing_is_refused(self, spacing):
        mask = np.ones((2, 2, 2), bool)
        with pytest.raises(GeometryError, match="spacing"):
            surface_distances(mask, mask, spacing)

    def test_an_empty_mask_has_no_boundary(self):
        mask = np.ones((2, 2, 2), bool)
        with pytest.raises(ValueError, match="reference is empty"):
            surface_distances(mask, np.zeros_like(mask), (1, 1, 1))


class TestVolumetry:
    def test_volume_is_voxels_times_the_determinant(self):
        affine = np.diag([2.0, 2.0, 5.0, 1.0])
        affine[0, 1] = 1.0  # a shear leaves the volume alone
        grid = Geometry((5, 5, 5), affine)
        mask = points(grid.shape, np.s_[0, :, :2])
        assert volume_ml(mask, grid) == pytest.approx(10 * 20 / 1000)
        assert volume_error_ml(mask, np.ones(grid.shape, bool), grid) == pytest.approx(-115 * 0.02)

    def test_mass_and_ejection_fraction(self):
        assert myocardial_mass_g(200.0) == pytest.approx(210.0)
        assert ejection_fraction_percent(120.0, 48.0) == pytest.approx(60.0)
        with pytest.raises(ValueError, match="ejection fraction"):
            ejection_fraction_percent(0.0, 0.0)


class TestRegions:
    def stack(self, counts, scheme=ACDC, value=3):
        array = np.zeros((10, 1, len(counts)), np.uint8)
        for index, count in enumerate(counts):
            array[:count, 0, index] = value
        return LabelMap(array, Geometry(array.shape, np.eye(4)), scheme)

    def test_base_is_the_end_with_more_cavity_and_takes_the_rest(self):
        regions = slice_regions(self.stack([0, 1, 2, 3, 5, 0]), 2)
        assert regions == ("", "apex", "mid", "base", "base", "")

    def test_the_other_way_up(self):
        regions = slice_regions(self.stack([0, 5, 3, 2, 1, 0]), 2)
        assert regions == ("", "base", "base", "mid", "apex", "")

    @pytest.mark.parametrize(
        "labels",
        [
            pytest.param(([3, 2, 3],), id="equal ends"),
            pytest.param(([0, 3, 2],), id="two slices"),
            pytest.param(([1, 2, 3], MYOCARDIUM_BLOOD, 2), id="no left ventricle"),
        ],
    )
    def test_nothing_is_guessed(self, labels):
        assert slice_regions(self.stack(*labels), 2) == ("", "", "")


class TestCalibration:
    def test_hand_computed(self):
        scores = np.array([[0.95, 0.85, 0.35], [0.05, 0.15, 0.65]])
        bins = reliability_bins(scores, np.array([0, 1, 1]), bins=10)
        assert [b.count for b in bins] == [0, 0, 0, 0, 0, 0, 1, 0, 1, 1]
        expected = (abs(0.95 - 1) + abs(0.85 - 0) + abs(0.65 - 1)) / 3
        assert expected_calibration_error(bins) == pytest.approx(expected)

    def test_region_and_nothing_counted(self):
        scores, labels = np.array([[0.9, 0.6], [0.1, 0.4]]), np.array([0, 0])
        bins = reliability_bins(scores, labels, where=np.array([True, False]))
        assert sum(b.count for b in bins) == 1
        none = reliability_bins(scores, labels, where=np.zeros(2, bool))
        assert expected_calibration_error(none) is None

    def test_bad_input(self):
        with pytest.raises(GeometryError, match="one grid"):
            reliability_bins(np.ones((2, 3)), np.zeros(4, int))
        with pytest.raises(ValueError, match="at least one"):
            reliability_bins(np.ones((2, 3)), np.zeros(3, int), bins=0)
