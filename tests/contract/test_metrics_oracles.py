"""The metrics against independent libraries, on random and on real masks."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap
from cardioseg.evaluation import evaluate
from cardioseg.evaluation.overlap import dice, jaccard
from cardioseg.evaluation.surface import boundary, surface_distances

SPACINGS = [(1.0, 1.0, 1.0), (1.37, 1.37, 10.0), (0.7, 2.3, 1.1)]


def blobs(seed, shape=(24, 20, 9)):
    """Two irregular masks that overlap in part, some touching the edge of the array."""
    rng = np.random.default_rng(seed)
    first, noise = (ndimage.gaussian_filter(rng.normal(size=shape), 2) for _ in range(2))
    limit = np.quantile(first, 0.7)
    return first > limit, (first + 0.6 * noise) > limit


def acdc_masks(acdc_root, patient="patient002", frame=1):
    folder = acdc_root / "training" / patient
    file = nib.load(folder / f"{patient}_frame{frame:02d}_gt.nii.gz")
    array = np.asarray(file.dataobj).astype(np.uint8)
    spacing = [float(s) for s in file.header.get_zooms()[:3]]
    return array, Geometry(array.shape, np.diag([*spacing, 1.0]))


CASES = [(seed, SPACINGS[seed % 3]) for seed in range(6)]


class TestSimpleITK:
    """SimpleITK measures whole masks for overlap, and boundary images for distances."""

    @pytest.fixture(scope="class")
    def sitk(self):
        return pytest.importorskip("SimpleITK")

    def image(self, sitk, mask, spacing):
        # SimpleITK's arrays are (z, y, x), its spacing (x, y, z).
        image = sitk.GetImageFromArray(np.ascontiguousarray(mask.T).astype(np.uint8))
        image.SetSpacing(spacing)
        return image

    @pytest.mark.parametrize(("seed", "spacing"), CASES)
    def test_overlap(self, sitk, seed, spacing):
        pair = blobs(seed)
        measures = sitk.LabelOverlapMeasuresImageFilter()
        measures.Execute(*(self.image(sitk, mask, spacing) for mask in pair))
        assert dice(*pair) == pytest.approx(measures.GetDiceCoefficient(1))
        assert jaccard(*pair) == pytest.approx(measures.GetJaccardCoefficient(1))

    @pytest.mark.parametrize(("seed", "spacing"), CASES)
    def test_hausdorff_and_average_of_boundaries(self, sitk, seed, spacing):
        pair = blobs(seed)
        edges = [self.image(sitk, boundary(mask), spacing) for mask in pair]
        measures = sitk.HausdorffDistanceImageFilter()
        measures.Execute(*edges)
        distances = surface_distances(*pair, spacing)
        assert distances.hd_mm == pytest.approx(measures.GetHausdorffDistance(), rel=1e-4)
        average = measures.GetAverageHausdorffDistance()
        assert distances.average_boundary_distance_mm == pytest.approx(average, rel=1e-4)

    @pytest.mark.parametrize(("seed", "spacing"), CASES)
    def test_boundary_and_average_surface_distance(self, sitk, seed, spacing):
        # Its contour filter leaves the array's edge alone, so the masks get a margin.
        pair = [np.pad(mask, 1) for mask in blobs(seed)]
        edges, far = [], []
        for mask in pair:
            contour = sitk.LabelContour(self.image(sitk, mask, spacing), fullyConnected=False)
            edges.append(sitk.GetArrayFromImage(contour).T > 0)
            mapped = sitk.SignedMaurerDistanceMap(
                contour, squaredDistance=False, useImageSpacing=True
            )
            far.append(np.maximum(sitk.GetArrayFromImage(mapped).T, 0))
            assert np.array_equal(edges[-1], boundary(mask))
        all_distances = np.concatenate([far[1][edges[0]], far[0][edges[1]]])
        distances = surface_distances(*pair, spacing)
        assert distances.assd_mm == pytest.approx(all_distances.mean(), rel=1e-4)
        directed = (far[1][edges[0]], far[0][edges[1]])
        assert distances.hd95_mm == pytest.approx(
            max(np.percentile(d, 95) for d in directed), rel=1e-4
        )


@pytest.mark.filterwarnings("ignore::FutureWarning")
class TestMonai:
    @pytest.fixture(scope="class")
    def metrics(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pytest.importorskip("monai", exc_type=ImportError)
            return pytest.importorskip("monai.metrics", exc_type=ImportError)

    def batch(self, mask):
        torch = pytest.importorskip("torch")
        return torch.from_numpy(mask.copy())[None, None].float()

    def check(self, metrics, pair, spacing):
        prediction, reference = (self.batch(mask) for mask in pair)
        options = {"include_background": True, "spacing": list(spacing)}
        ours = surface_distances(*pair, spacing)
        hd95 = metrics.compute_hausdorff_distance(prediction, reference, percentile=95, **options)
        assert ours.hd95_mm == pytest.approx(hd95.item(), rel=1e-4)
        assd = metrics.compute_average_surface_distance(
            prediction, reference, symmetric=True, **options
        )
        assert ours.assd_mm == pytest.approx(assd.item(), rel=1e-4)
        tolerance = 2.05  # no distance on these grids is that
        nsd = metrics.compute_surface_dice(prediction, reference, [tolerance], **options)
        assert ours.surface_dice(tolerance) == pytest.approx(nsd.item(), rel=1e-5)
        dices = metrics.compute_dice(prediction, reference)
        assert dice(*pair) == pytest.approx(dices.item(), rel=1e-5)

    @pytest.mark.parametrize(("seed", "spacing"), CASES)
    def test_volumes(self, metrics, seed, spacing):
        self.check(metrics, blobs(seed), spacing)

    @pytest.mark.parametrize("seed", range(3))
    def test_slices(self, metrics, seed):
        pair = [mask[..., 4] for mask in blobs(seed)]
        self.check(metrics, pair, (1.37, 1.9))

    @pytest.mark.parametrize("value", [1, 2, 3])
    def test_real_masks(self, metrics, acdc_root, value):
        array, grid = acdc_masks(acdc_root)
        mask = array == value
        self.check(metrics, (np.roll(mask, (2, 1), (0, 2)), mask), grid.spacing)


class TestRealMasks:
    def test_a_shift_by_one_voxel(self, acdc_root):
        array, grid = acdc_masks(acdc_root)
        reference = LabelMap(array, grid, ACDC)
        shifted = LabelMap(np.roll(array, 1, axis=0), grid, ACDC)
        report = evaluate(shifted, reference, case="patient002_frame01")
        assert report.subjects == ("patient002",)
        step = grid.spacing[0]
        for structure in report.structures:
            mask = reference.mask(structure)
            moved = np.count_nonzero(mask & ~np.roll(mask, 1, axis=0))
            expected = 1 - moved / np.count_nonzero(mask)
            assert report.mean("dice", structure) == pytest.approx(expected)
            assert report.mean("hd95_mm", structure) == pytest.approx(step)
            assert report.mean("volume_error_ml", structure) == pytest.approx(0)
            assert report.mean("surface_dice", structure) == 1
            assert 0 < report.mean("assd_mm", structure) < step

    def test_against_itself(self, acdc_root):
        array, grid = acdc_masks(acdc_root)
        reference = LabelMap(array, grid, ACDC)
        report = evaluate(reference, reference)
        for level in ("volume", "slice"):
            assert report.mean("dice", level=level) == 1
            assert report.mean("hd95_mm", level=level) == 0
        regions = dict.fromkeys(r.region for r in report.select("dice", "LV cavity").rows)
        assert {"base", "mid", "apex"} <= regions.keys()
