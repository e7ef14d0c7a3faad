"""The most likely labels of several planes together, without holding their scores."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap
from cardioseg.engines.engine import Float32Array
from cardioseg.prepare.preparation import Preparation

LARGEST_SCORES_BYTES = 1 << 28
"""Scores are held whole up to this size: to add those of several planes, and to judge an answer."""

LARGEST_SUM = int(np.iinfo(np.uint16).max)


def scores_bytes(scheme: LabelScheme, geometry: Geometry) -> int:
    """What scores of all classes on a grid take.

    Examples
    --------
    >>> from cardioseg.core.labels import ACDC
    >>> scores_bytes(ACDC, Geometry((10, 10, 2), np.eye(4)))
    3200
    """
    return scheme.class_count * int(np.prod(geometry.shape)) * np.dtype(np.float32).itemsize


def labels_of_planes(
    slices: Iterable[tuple[Preparation, Iterable[Float32Array]]],
    planes: int,
    geometry: Geometry,
    scheme: LabelScheme,
) -> LabelMap:
    """The class with the highest sum of the planes' scores; ties go to the lower value.

    Sums are whole numbers of two bytes, of structures only: the scores of a voxel sum to one, so
    the background has the rest. Each score of three planes is rounded to a multiple of 1/21845:
    only where the means of two classes are less than 1e-4 apart can another class be the highest
    than :meth:`Predictor.predict_scores` says. Whole numbers have one sum in every order.

    Parameters
    ----------
    slices
        Of one plane after another, its preparation and its scores (slices, classes, rows, columns)
        of all slices in order, in parts of any length: one part is held at a time.
    planes
        How many there are.
    geometry
        Grid of the volume.
    scheme
        What the classes mean.
    """
    one = LARGEST_SUM // planes
    sums = np.zeros((scheme.class_count - 1, *geometry.shape), np.uint16)
    for preparation, batches in slices:
        sliced = preparation.reorientation.apply(sums)
        for index, scores in enumerate(preparation.restored(batches)):
            sliced[:, index] += np.rint(scores[1:] * np.float32(one)).astype(np.uint16)
    return _highest(sums, one * planes, geometry, scheme)


def _highest(
    sums: NDArray[np.uint16], whole: int, geometry: Geometry, scheme: LabelScheme
) -> LabelMap:
    """The highest of the structures' sums (structures, I, J, K) and what they leave of `whole`."""
    labels = np.empty(geometry.shape, np.uint8)
    for index in range(geometry.shape[0]):
        structures = sums[:, index].astype(np.int32)
        background = whole - structures.sum(axis=0, dtype=np.int32)
        labels[index] = np.concatenate([background[None], structures]).argmax(axis=0)
    labels.setflags(write=False)
    return LabelMap(labels, geometry, scheme)
