"""STAPLE against SimpleITK's."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK
from numpy.typing import NDArray

from cardioseg.evaluation.staple import staple
from cardioseg.phantom import cohort

Labels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def raters() -> list[Labels]:
    """A heart, two shifted readings of it and a noisy one."""
    labels = cohort(1, seed=0)[0].labels()
    found = np.nonzero(labels.array)
    array = labels.array[tuple(slice(int(p.min()), int(p.max()) + 1) for p in found)]
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(array.shape) < 0.02, rng.integers(0, 4, array.shape), array)
    return [array, np.roll(array, 1, 0), np.roll(array, -2, 1), noisy.astype(np.uint8)]


@pytest.mark.parametrize("value", [1, 2, 3])
def test_binary_staple_is_that_of_simpleitk(raters: list[Labels], value: int) -> None:
    masks = [(each == value).astype(np.uint8) for each in raters]
    ours = staple(masks)
    theirs = SimpleITK.STAPLEImageFilter()
    theirs.SetForegroundValue(1)
    answer = theirs.Execute([SimpleITK.GetImageFromArray(mask) for mask in masks])
    np.testing.assert_allclose(ours.probability[1], SimpleITK.GetArrayFromImage(answer), atol=1e-6)
    np.testing.assert_allclose(ours.sensitivity(1), theirs.GetSensitivity(), atol=1e-6)
    np.testing.assert_allclose(ours.specificity(1), theirs.GetSpecificity(), atol=1e-6)


def test_multi_label_staple_is_that_of_simpleitk(raters: list[Labels]) -> None:
    three = [raters[0], raters[1], raters[3]]
    ours = staple(three, class_count=4)
    theirs = SimpleITK.MultiLabelSTAPLEImageFilter()
    answer = theirs.Execute([SimpleITK.GetImageFromArray(each) for each in three])
    assert (SimpleITK.GetArrayFromImage(answer) != ours.consensus.labels).mean() < 1e-4
    for rater, table in enumerate(ours.performance):
        matrix = np.array(theirs.GetConfusionMatrix(rater)).reshape(-1, 4)[:4]
        np.testing.assert_allclose(table, matrix, atol=2e-3)
