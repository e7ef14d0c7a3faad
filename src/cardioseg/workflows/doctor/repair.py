"""A repair: what mends one case, as steps on arrays; the input itself is never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.ops.grid import Reorientation, Scalar


@dataclass(frozen=True)
class Repair:
    """Steps that mend one case, taken in the order of the fields.

    Parameters
    ----------
    labels_on_image
        Lay the label array on the image's grid, after this reordering of its axes.
    move_labels
        Move the label array on its grid, so that it lies on the image's heart.
    values
        Renumber: label value to label value.
    move_both
        Move image and label arrays on their grid, so that they lie as the rest of the set.

    Examples
    --------
    >>> from cardioseg.core.labels import ACDC
    >>> grid = Geometry((2, 1, 1), np.eye(4))
    >>> image = Volume(np.zeros((2, 1, 1), np.float32), grid)
    >>> labels = LabelMap(np.array([1, 3], np.uint8).reshape(2, 1, 1), grid, ACDC)
    >>> Repair(values={1: 3, 3: 1}).apply(image, labels)[1].array.ravel().tolist()
    [3, 1]
    """

    labels_on_image: Reorientation | None = None
    move_labels: Reorientation | None = None
    values: Mapping[int, int] = field(default_factory=dict, hash=False)
    move_both: Reorientation | None = None

    def apply(self, image: Volume, labels: LabelMap) -> tuple[Volume, LabelMap]:
        """The mended image and labels.

        Raises
        ------
        GeometryError
            If the labels fit the image's grid neither as they are nor mended.
        """
        array, grid = labels.array, labels.geometry
        if self.labels_on_image is not None:
            array, grid = self.labels_on_image.apply(array), image.geometry
        labels = moved_labels(LabelMap(array, grid, labels.scheme), self.move_labels)
        if self.values:
            table = np.arange(labels.scheme.class_count, dtype=np.uint8)
            for old, new in self.values.items():
                table[old] = new
            labels = LabelMap(table[labels.array], labels.geometry, labels.scheme)
        if self.move_both is None:
            return image, labels
        pixels = self.move_both.apply(image.array)
        return Volume(pixels, _grid(pixels, image.geometry)), moved_labels(labels, self.move_both)


def moved_labels(labels: LabelMap, step: Reorientation | None) -> LabelMap:
    """The label array moved while its affine stays."""
    if step is None:
        return labels
    array = step.apply(labels.array)
    return LabelMap(array, _grid(array, labels.geometry), labels.scheme)


def moves(axes: tuple[int, int] | None) -> tuple[Reorientation, ...]:
    """The moves that turn a heart into its mirror image: each axis, and a swap of two.

    Parameters
    ----------
    axes
        The two array axes within the slices; None where there are no slices of its own.
    """
    straight = (0, 1, 2)
    flips = ((True, False, False), (False, True, False), (False, False, True))
    found = [Reorientation(straight, flip) for flip in flips]
    if axes is not None:
        order = [0, 1, 2]
        order[axes[0]], order[axes[1]] = axes[1], axes[0]
        found.append(Reorientation((order[0], order[1], order[2]), (False, False, False)))
    return tuple(found)


def move_words(step: Reorientation) -> str:
    """Which axes a move mirrors or swaps; counted from 1.

    Examples
    --------
    >>> move_words(Reorientation((1, 0, 2), (False, False, False)))
    'axes 1 and 2 swapped'
    >>> move_words(Reorientation((0, 1, 2), (False, False, True)))
    'axis 3 mirrored'
    """
    swapped = [str(axis + 1) for axis, source in enumerate(step.axes) if axis != source]
    flipped = [str(axis + 1) for axis, flip in enumerate(step.flips) if flip]
    words = [f"axes {' and '.join(swapped)} swapped"] * bool(swapped)
    words += [f"axis {axis} mirrored" for axis in flipped]
    return ", ".join(words)


def _grid(array: NDArray[Scalar], like: Geometry) -> Geometry:
    i, j, k = array.shape
    return Geometry((i, j, k), like.affine)
