"""How a slice of a volume is laid out as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class View:
    """How a slice becomes rows and columns of a picture.

    Parameters
    ----------
    slice_axis, row_axis, column_axis
        Array axes: the one to cut along, the one that runs down, the one that runs to the right.
    flip_rows, flip_columns
        Whether that axis is reversed.
    """

    slice_axis: int
    row_axis: int
    column_axis: int
    flip_rows: bool = False
    flip_columns: bool = False

    def slice(self, array: NDArray[Scalar], index: int) -> NDArray[Scalar]:
        """One slice of an array (I, J, K) as rows and columns."""
        order = (self.slice_axis, self.row_axis, self.column_axis)
        rows, columns = (-1 if flip else 1 for flip in (self.flip_rows, self.flip_columns))
        picture: NDArray[Scalar] = np.transpose(array, order)[index, ::rows, ::columns]
        return picture

    def aspect(self, geometry: Geometry) -> float:
        """Height of a pixel divided by its width."""
        return geometry.spacing[self.row_axis] / geometry.spacing[self.column_axis]


def view(geometry: Geometry, slice_axis: int, orientation_known: bool = True) -> View:
    """The view that radiologists are used to, or the array as it is stored.

    Feet are down, else the patient's back is down; the patient's left is on the right side, else
    the back is. Where the orientation isn't known, the first in-plane array axis runs to the right
    and the second down, as most files store a slice.

    Parameters
    ----------
    geometry
        The grid.
    slice_axis
        Array axis to cut along.
    orientation_known
        Whether the affine's directions can be trusted.

    Examples
    --------
    >>> view(Geometry((4, 5, 6), np.eye(4)), slice_axis=2)
    View(slice_axis=2, row_axis=1, column_axis=0, flip_rows=True, flip_columns=True)
    """
    first, second = (axis for axis in range(3) if axis != slice_axis)
    if not orientation_known:
        return View(slice_axis, second, first)
    letters = geometry.orientation
    row, column = sorted((first, second), key=lambda axis: "SIAPLR".index(letters[axis]) // 2)
    return View(slice_axis, row, column, letters[row] in "SAR", letters[column] in "SAR")
