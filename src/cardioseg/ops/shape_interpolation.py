"""Corrections of some slices carried to their neighbours by signed distances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cardioseg.errors import GeometryError

Labels = NDArray[np.uint8]
Distances = NDArray[np.float64]


def propagate(
    parent: Labels,
    corrected: Labels,
    axis: int,
    spacing: tuple[float, float],
    reach: int = 2,
) -> Labels:
    """Carry corrected slices to the slices between and beside them.

    A slice counts as corrected where it differs from the parent's. A slice between two corrected
    ones, at most `reach` slices from each, takes the shape between theirs: the signed distance to
    every structure's outline is interpolated, and the nearest structure wins; a structure that only
    one of the two has stays as it is. A slice with one corrected neighbour within `reach` keeps its
    own shape, moved as its neighbour was: the change of the signed distances fades to nothing at
    `reach + 1` slices. A structure that a correction brought into its slice or took out of it has
    not moved: it changes nothing beside it.

    Parameters
    ----------
    parent
        Labels (I, J, K) before the correction.
    corrected
        Labels (I, J, K) with some slices corrected; these are returned unchanged.
    axis
        Array axis along which the slices lie, 0 to 2.
    spacing
        Distance between pixels of a slice along its two axes, in mm.
    reach
        Slices on either side that a correction can change.

    Returns
    -------
    Labels
        New labels (I, J, K).

    Raises
    ------
    GeometryError
        If the shapes differ.

    References
    ----------
    Raya and Udupa 1990, doi:10.1109/42.52980

    Examples
    --------
    >>> before = np.zeros((9, 9, 3), np.uint8)
    >>> before[3:6, 3:6] = 1
    >>> after = before.copy()
    >>> after[1:8, 1:8, 0] = after[1:8, 1:8, 2] = 1
    >>> int(propagate(before, after, 2, (1.0, 1.0))[..., 1].sum())
    49
    """
    if parent.shape != corrected.shape or parent.ndim != 3:
        raise GeometryError(
            f"labels {corrected.shape} and their parent {parent.shape} differ in shape"
        )
    before, after = np.moveaxis(parent, axis, 0), np.moveaxis(corrected, axis, 0)
    answer = after.copy()
    changed = [k for k in range(len(after)) if (before[k] != after[k]).any()]
    for k, near, other in _open_slices(changed, len(after), reach):
        if other is not None:
            share = abs(k - near) / abs(other - near)
            answer[k] = _between(before[k], after[near], after[other], share, spacing)
        else:
            fade = 1 - abs(k - near) / (reach + 1)
            moved = _without_newcomers(before[near], after[near])
            answer[k] = _beside(before[k], before[near], moved, fade, spacing)
    return np.ascontiguousarray(np.moveaxis(answer, 0, axis))


def _open_slices(
    changed: Sequence[int], count: int, reach: int
) -> Iterator[tuple[int, int, int | None]]:
    """Slices to compute, each with a corrected slice within reach and the one opposite to it."""
    for k in range(count):
        below = [n for n in changed if k - reach <= n < k][-1:]
        above = [n for n in changed if k < n <= k + reach][:1]
        found = [*below, *above]
        if k not in changed and found:
            yield k, found[0], found[1] if len(found) == 2 else None


def _between(
    labels: Labels, first: Labels, second: Labels, share: float, spacing: tuple[float, float]
) -> Labels:
    """The shape at a share of the way from one slice to another; what one of them lacks stays."""
    values = np.intersect1d(first, second)
    distances = (1 - share) * _distances(first, values, spacing)
    distances += share * _distances(second, values, spacing)
    return _nearest(labels, values, distances)


def _beside(
    labels: Labels, before: Labels, after: Labels, fade: float, spacing: tuple[float, float]
) -> Labels:
    """A slice moved by a share of what moved beside it; what is not there stays."""
    values = np.unique(before)
    distances = _distances(labels, values, spacing)
    distances += fade * (_distances(after, values, spacing) - _distances(before, values, spacing))
    return _nearest(labels, values, distances)


def _nearest(labels: Labels, values: Labels, distances: Distances) -> Labels:
    """The structure that each pixel is deepest in; pixels of others keep what they are."""
    if not len(values):
        return labels
    return np.where(np.isin(labels, values), values[distances.argmax(axis=0)], labels)


def _without_newcomers(before: Labels, after: Labels) -> Labels:
    """A corrected slice with the structures that only one of both has as they were before.

    Where there is no outline, there is no distance that could have changed.
    """
    while (odd := np.setxor1d(before, after)).size:
        after = np.where(np.isin(before, odd) | np.isin(after, odd), before, after)
    return after


def _distances(
    labels: Labels, values: NDArray[np.uint8], spacing: tuple[float, float]
) -> Distances:
    """Signed distance (values, rows, columns) to each structure's outline in mm, inside positive.

    A structure that is not in the slice is as far away as the slice is long.
    """
    far = float(np.hypot(*(n * s for n, s in zip(labels.shape, spacing, strict=True))))
    found = np.full((len(values), *labels.shape), -far)
    for index, value in enumerate(values):
        mask = labels == value
        if mask.all():
            found[index] = far
        elif mask.any():
            inside = ndimage.distance_transform_edt(mask, sampling=spacing)
            outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
            found[index] = inside - outside
    return found
