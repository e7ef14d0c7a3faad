"""Where the heart lies in a slice: a window learnt from training cases, or a central square."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap
from cardioseg.errors import DatasetError
from cardioseg.ops.grid import Reorientation
from cardioseg.prepare.plan import FrozenModel, SinglePlane
from cardioseg.prepare.preparation import slice_orientation

Millimetres = Annotated[float, Field(allow_inf_nan=False)]
Pair = tuple[Millimetres, Millimetres]

DEFAULT_SIDE_MM = 180.0
"""Side of the central square where nothing was fitted: a dilated heart 30 mm off centre fits."""

COVERAGE = 0.95
"""Share of the training cases whose heart each edge of a learnt window takes in."""

MARGIN_MM = 6.0
"""Added at every edge, so that the surroundings of an outermost wall are seen too."""


class HeartRegion(FrozenModel):
    """A window in the slices of one plane, in mm from the slice's middle: (row, column).

    Parameters
    ----------
    centre_mm
        Where the LV cavity (or, without one, the heart) is expected.
    low_mm, high_mm
        First and last edge of the window.
    """

    centre_mm: Pair = (0.0, 0.0)
    low_mm: Pair = (-DEFAULT_SIDE_MM / 2, -DEFAULT_SIDE_MM / 2)
    high_mm: Pair = (DEFAULT_SIDE_MM / 2, DEFAULT_SIDE_MM / 2)


def learn_region(cases: Iterable[LabelMap], plane: SinglePlane) -> HeartRegion:
    """The window that holds the heart of nearly every training case.

    Parameters
    ----------
    cases
        Reference labels of training cases; those without any label are passed over.
    plane
        The slices' plane.

    Raises
    ------
    DatasetError
        If no case has a labelled voxel.
    GeometryError
        If the native plane is asked for and a case has none.

    Examples
    --------
    >>> from cardioseg.phantom import cohort
    >>> region = learn_region((case.labels() for case in cohort(2, seed=0)), "native")
    >>> region.low_mm[0] < region.centre_mm[0] < region.high_mm[0]
    True
    """
    found = [box for labels in cases for box in _boxes(labels, plane)]
    if not found:
        raise DatasetError("no training case has a labelled voxel: no heart region can be learnt")
    centres, lows, highs = (np.array(each) for each in zip(*found, strict=True))
    centre = np.median(centres, axis=0)
    low = np.quantile(lows, 1 - COVERAGE, axis=0) - MARGIN_MM
    high = np.quantile(highs, COVERAGE, axis=0) + MARGIN_MM
    return HeartRegion(centre_mm=_pair(centre), low_mm=_pair(low), high_mm=_pair(high))


Float64Array = NDArray[np.float64]


def _boxes(labels: LabelMap, plane: SinglePlane) -> Iterator[tuple[Float64Array, ...]]:
    """Centre and edges of the labelled pixels of a case, in mm from the slice's middle."""
    step = slice_orientation(labels.geometry, plane)
    spacing = np.array(step.geometry(labels.geometry).spacing[1:])
    heart = _positions(labels.array > 0, step, spacing)
    if not len(heart):
        return
    cavity = ACDC.structures[2].name
    names = [structure.name for structure in labels.scheme.structures]
    inner = _positions(labels.mask(cavity), step, spacing) if cavity in names else heart
    centre = (inner if len(inner) else heart).mean(axis=0)
    yield centre, heart.min(axis=0), heart.max(axis=0)


def _positions(mask: NDArray[np.bool_], step: Reorientation, spacing: Float64Array) -> Float64Array:
    """Row and column (n, 2) of a mask's pixels, in mm from the slice's middle."""
    sliced = step.apply(mask)
    middle = (np.array(sliced.shape[1:]) - 1) / 2
    positions: Float64Array = (np.argwhere(sliced)[:, 1:] - middle) * spacing
    return positions


def _pair(values: Float64Array) -> Pair:
    row, column = np.round(values, 1).tolist()
    return row, column
