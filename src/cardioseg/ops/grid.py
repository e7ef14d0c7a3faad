"""Exact steps on a grid, each with its inverse: reorient (permute, flip) and window (crop, pad)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry, Shape
from cardioseg.errors import GeometryError

Scalar = TypeVar("Scalar", bound=np.generic)

_OPPOSITE = dict(zip("LRPAIS", "RLAPSI", strict=True))


@dataclass(frozen=True)
class Reorientation:
    """A permutation and flips of the array axes: no value changes, no voxel moves in the patient.

    Parameters
    ----------
    axes
        Axis a of the result comes from axis `axes[a]` of the input.
    flips
        Whether axis a of the result runs against its source axis.

    Examples
    --------
    >>> grid = Geometry((2, 3, 4), np.diag([1.0, 1.0, 8.0, 1.0]))
    >>> step = reorientation(grid, "SPL")
    >>> step.apply(np.zeros((2, 3, 4))).shape, step.geometry(grid).orientation
    ((4, 3, 2), 'SPL')
    """

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def apply(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """The array (..., I, J, K) in the new axis order; a view."""
        lead = array.ndim - 3
        turned = array.transpose(*range(lead), *(lead + axis for axis in self.axes))
        return self._flip(turned)

    def invert(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """Undo :meth:`apply`; a view."""
        lead = array.ndim - 3
        back = np.argsort(self.axes)
        return self._flip(array).transpose(*range(lead), *(lead + int(axis) for axis in back))

    def geometry(self, geometry: Geometry) -> Geometry:
        """The grid of the reoriented array."""
        change = np.zeros((4, 4))
        change[3, 3] = 1
        for new, (old, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            change[old, new] = -1 if flip else 1
            change[old, 3] = geometry.shape[old] - 1 if flip else 0
        i, j, k = (geometry.shape[axis] for axis in self.axes)
        return Geometry((i, j, k), geometry.affine @ change)

    def _flip(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        i, j, k = (slice(None, None, -1 if flip else 1) for flip in self.flips)
        return array[..., i, j, k]


def reorientation(geometry: Geometry, orientation: str) -> Reorientation:
    """The permutation and flips that bring a grid closest to an orientation such as 'RAS'.

    Parameters
    ----------
    geometry
        The grid as it is.
    orientation
        Three letters, one of each pair L/R, P/A and I/S: where each axis of the result points.

    Raises
    ------
    GeometryError
        If `orientation` is not three such letters.
    """
    found = geometry.orientation
    try:
        pairs = [_matching_axis(found, letter) for letter in orientation]
        (i, a), (j, b), (k, c) = pairs
    except (KeyError, ValueError) as error:
        raise GeometryError(f"{orientation!r} is not an orientation such as 'RAS'") from error
    if len({i, j, k}) != 3:
        raise GeometryError(f"orientation {orientation!r} names one direction twice")
    return Reorientation((i, j, k), (a, b, c))


def _matching_axis(orientation: str, letter: str) -> tuple[int, bool]:
    """Axis of `orientation` along `letter`, and whether it points the other way."""
    if letter in orientation:
        return orientation.index(letter), False
    return orientation.index(_OPPOSITE[letter]), True


@dataclass(frozen=True)
class Window:
    """A box of the index grid; where it reaches past the array it pads, elsewhere it crops.

    Parameters
    ----------
    start
        First index of the box along each axis; may be negative.
    shape
        Side lengths of the box.
    source
        Shape of the array that it is cut from.

    Examples
    --------
    >>> window = Window((-1, 0, 1), (4, 2, 2), (2, 2, 3))
    >>> window.apply(np.ones((2, 2, 3)), fill=0).sum()
    np.float64(8.0)
    """

    start: Shape
    shape: Shape
    source: Shape

    def apply(self, array: NDArray[Scalar], fill: float = 0) -> NDArray[Scalar]:
        """Cut the box out of an array of shape `source`; what lies outside becomes `fill`."""
        return _place(array, self.start, self.shape, fill)

    def invert(self, array: NDArray[Scalar], fill: float = 0) -> NDArray[Scalar]:
        """Put a box back into an array of shape `source`; what was cropped becomes `fill`."""
        i, j, k = (-start for start in self.start)
        return _place(array, (i, j, k), self.source, fill)

    def geometry(self, geometry: Geometry) -> Geometry:
        """The grid of the box."""
        affine = geometry.affine.copy()
        affine[:3, 3] = geometry.to_world(self.start)
        return Geometry(self.shape, affine)


def _place(array: NDArray[Scalar], start: Shape, shape: Shape, fill: float) -> NDArray[Scalar]:
    answer = np.full(shape, fill, dtype=array.dtype)
    source, target = [], []
    for first, size, length in zip(start, shape, array.shape, strict=True):
        low, high = max(first, 0), min(first + size, length)
        if high <= low:
            return answer
        source.append(slice(low, high))
        target.append(slice(low - first, high - first))
    answer[tuple(target)] = array[tuple(source)]
    return answer


def centred_window(source: Shape, shape: Shape) -> Window:
    """The box of `shape` whose middle is the middle of an array of shape `source`."""
    i, j, k = ((n - m) // 2 for n, m in zip(source, shape, strict=True))
    return Window((i, j, k), shape, source)
