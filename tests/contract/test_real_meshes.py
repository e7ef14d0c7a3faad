"""Models of real hearts: closed, of the labels' volume, within one voxel of them."""

from __future__ import annotations

import pytest

from cardioseg.core.volume import LabelMap
from cardioseg.datasets.acdc import read_acdc
from cardioseg.datasets.hvsmr import read_hvsmr_labels
from cardioseg.ops.grid import Window
from cardioseg.workflows.mesh import MeshOptions, heart_meshes


def require_sound(models):
    assert models
    for each in models:
        assert each.problems == (), each.mesh.name
        assert each.difference_percent == pytest.approx(0, abs=1)
        assert each.displacement.largest_voxels <= 1


@pytest.mark.parametrize("index", [0, 20])
def test_acdc(acdc_root, index):
    case = read_acdc(acdc_root)[index]
    models = heart_meshes(case.load_labels(), MeshOptions(shell_mm=2.0))
    require_sound(models[:3])
    assert models[3].problems == ()


def test_hvsmr(hvsmr_root):
    """A block out of the heart's middle: cut vessels touch every side of the grid."""
    labels = read_hvsmr_labels(hvsmr_root)["training_axial_full_pat4"]()
    window = Window((100, 100, 40), (64, 64, 48), labels.geometry.shape)
    array = window.apply(labels.array)
    part = LabelMap(array, window.geometry(labels.geometry), labels.scheme)
    require_sound(heart_meshes(part))
