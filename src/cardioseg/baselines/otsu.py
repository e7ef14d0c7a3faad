"""Otsu's thresholds: bright is blood, the ring of the middle class around the LV is muscle."""

from __future__ import annotations

import numpy as np

from cardioseg.baselines.cavities import find_lv, find_rv
from cardioseg.baselines.stack import Float32Array, LabelArray
from cardioseg.baselines.wall import grow_wall, wall_levels
from cardioseg.core.labels import ACDC

RV, MYOCARDIUM, LV = (structure.value for structure in ACDC.structures)


def segment_short_axis(slices: Float32Array, expected: tuple[float, float]) -> LabelArray:
    """Labels (scheme `acdc`) of a short-axis stack.

    Parameters
    ----------
    slices
        Intensities of the heart region (slices, rows, columns).
    expected
        Pixel (row, column) where the LV is expected.

    Returns
    -------
    labels
        (slices, rows, columns) uint8; all background where no LV is found.

    References
    ----------
    Otsu 1979, doi:10.1109/TSMC.1979.4310076
    """
    labels = np.zeros(slices.shape, np.uint8)
    lv = find_lv(slices, expected)
    if lv is None:
        return labels
    levels = wall_levels(slices, lv)
    heart = np.stack([grow_wall(*pair, levels) for pair in zip(slices, lv, strict=True)])
    labels[find_rv(slices, heart, levels)] = RV
    labels[heart] = MYOCARDIUM
    labels[lv] = LV
    return labels
