"""From labelled cases to the models of base, mid and apex."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cardioseg.baselines.appearance.landmarks import LV, MYOCARDIUM, RV, LabelledSlice, landmarks
from cardioseg.baselines.appearance.learn import Example, learn_model
from cardioseg.baselines.appearance.search import THIRDS, Third, ThirdModels, smoothed, thirds
from cardioseg.baselines.region import HeartRegion
from cardioseg.baselines.stack import RegionStack
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.prepare.plan import SinglePlane


def learn_thirds(
    pairs: Iterable[tuple[Volume, LabelMap]],
    plane: SinglePlane,
    region: HeartRegion,
    rng: np.random.Generator,
) -> ThirdModels:
    """Models of the thirds of the heart, from every slice that shows RV, myocardium and LV.

    Parameters
    ----------
    pairs
        Images and labels (scheme `acdc`) of training cases.
    plane, region
        How their slices are taken.
    rng
        Draws the displacements that teach the regressions.

    Raises
    ------
    DatasetError
        If a third has too few slices.
    """
    found: dict[Third, list[Example]] = {third: [] for third in THIRDS}
    for image, labels in pairs:
        for third, example in examples(image, labels, RegionStack(image.geometry, plane, region)):
            found[third].append(example)
    base, mid, apex = (learn_model(found[third], rng) for third in THIRDS)
    return ThirdModels(base, mid, apex)


def examples(image: Volume, labels: LabelMap, stack: RegionStack) -> list[tuple[Third, Example]]:
    """The training slices of one case, each with its third of the heart."""
    images = smoothed(stack.slices(image))
    lv = stack.shares(labels.array == LV)
    heart = stack.shares((labels.array == LV) | (labels.array == MYOCARDIUM))
    rv = stack.shares(labels.array == RV)
    found = []
    for k, third in thirds((lv > 0.5).sum(axis=(1, 2)).tolist()).items():
        points = landmarks(LabelledSlice(lv[k], heart[k], rv[k]))
        if points is not None:
            found.append((third, Example(images[k], points)))
    return found
