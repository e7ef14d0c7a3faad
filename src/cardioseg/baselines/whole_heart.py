"""Whole-heart volumes, slice by slice: bright is blood, muscle is what lies around it."""

from __future__ import annotations

import numpy as np

from cardioseg.baselines.active_contour import contour_in_blood
from cardioseg.baselines.imaging import Mask, dilated, opened, otsu_levels
from cardioseg.baselines.stack import Float32Array, LabelArray
from cardioseg.core.labels import MYOCARDIUM_BLOOD
from cardioseg.ops.components import largest_component

MYOCARDIUM, BLOOD = (structure.value for structure in MYOCARDIUM_BLOOD.structures)

WALL_MM = 12.0
"""No muscle is farther from blood than this: a left ventricle's wall with its trabeculae."""

OPENING_MM = 1.5
"""Bright bridges and muscle films narrower than twice this are cut."""


def segment_by_otsu(slices: Float32Array) -> LabelArray:
    """Labels (scheme `myocardium_blood`) by a three-class threshold of the heart region.

    Blood is the largest connected piece of the bright class; muscle the middle class within a
    wall's thickness of it.

    Parameters
    ----------
    slices
        Intensities of the heart region (slices, rows, columns).

    References
    ----------
    Otsu 1979, doi:10.1109/TSMC.1979.4310076
    """
    labels = np.zeros(slices.shape, np.uint8)
    levels = otsu_levels(slices, 3)
    if not levels.size:
        return labels
    return _with_muscle(slices, _blood(slices, float(levels[1])), float(levels[0]))


def segment_by_contours(slices: Float32Array) -> LabelArray:
    """Labels (scheme `myocardium_blood`): Otsu's blood, its border moved by contours without edges.

    Parameters
    ----------
    slices
        Intensities of the heart region (slices, rows, columns).

    References
    ----------
    Chan and Vese 2001, doi:10.1109/83.902291
    """
    levels = otsu_levels(slices, 3)
    if not levels.size:
        return np.zeros(slices.shape, np.uint8)
    seeds = _blood(slices, float(levels[1]))
    pairs = zip(slices, seeds, strict=True)
    blood = np.stack([contour_in_blood(image, seed) for image, seed in pairs])
    return _with_muscle(slices, blood, float(levels[0]))


def _blood(slices: Float32Array, level: float) -> Mask:
    return largest_component(np.stack([opened(each > level, OPENING_MM) for each in slices]))


def _with_muscle(slices: Float32Array, blood: Mask, level: float) -> LabelArray:
    near = np.stack([dilated(each, WALL_MM) for each in blood])
    muscle = near & ~blood & (slices > level)
    labels = np.zeros(slices.shape, np.uint8)
    labels[np.stack([opened(each, OPENING_MM) for each in muscle])] = MYOCARDIUM
    labels[blood] = BLOOD
    return labels
