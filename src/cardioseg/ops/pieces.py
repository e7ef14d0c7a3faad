"""The connected pieces of a mask, by its runs: rows of voxels without a gap.

scipy's `ndimage.label` and `binary_fill_holes` give the same; importing scipy.ndimage takes as long
as a network needs for a slice, and predicting needs nothing else of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
Numbers = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces in the order of their first voxels.

    Parameters
    ----------
    shape
        Of the mask.
    rows, starts, stops
        Of each run: its row, all axes but the last taken as one, and where in it it lies.
    piece
        Of each run: the number of its piece from 0.
    """

    shape: tuple[int, ...]
    rows: Numbers
    starts: Numbers
    stops: Numbers
    piece: Numbers

    @cached_property
    def sizes(self) -> Numbers:
        """Voxels of each piece."""
        count = int(self.piece.max()) + 1 if len(self.piece) else 0
        sizes = np.zeros(count, np.intp)
        np.add.at(sizes, self.piece, self.stops - self.starts)
        return sizes

    def mask(self, chosen: BoolArray) -> BoolArray:
        """The voxels of the pieces for which `chosen` (one value a piece) is true."""
        width = self.shape[-1]
        changes = np.zeros((int(np.prod(self.shape[:-1])), width + 1), np.int8)
        taken = chosen[self.piece]
        changes[self.rows[taken], self.starts[taken]] = 1
        changes[self.rows[taken], self.stops[taken]] = -1
        np.cumsum(changes, axis=1, out=changes)
        return changes[:, :width].astype(np.bool_).reshape(self.shape)


def connected_pieces(mask: BoolArray, *, corners: bool = False) -> Pieces:
    """The pieces of a mask of any number of axes.

    Parameters
    ----------
    mask
        What is taken apart.
    corners
        Connect voxels that share an edge or a corner, not only those that share a face.

    Examples
    --------
    >>> pieces = connected_pieces(np.array([[1, 0, 1], [1, 0, 0]], np.bool_))
    >>> pieces.sizes.tolist(), pieces.piece.tolist()
    ([2, 1], [0, 1, 0])
    """
    rows, starts, stops = _runs(mask)
    pairs = [
        _touching(rows, starts, stops, step, mask.shape, corners)
        for step in _steps(mask.ndim - 1, corners)
    ]
    none = np.empty(0, np.intp)
    first = np.concatenate([none, *(one for one, _ in pairs)])
    second = np.concatenate([none, *(other for _, other in pairs)])
    _, piece = np.unique(_joined(len(rows), first, second), return_inverse=True)
    return Pieces(mask.shape, rows, starts, stops, piece)


def without_holes(mask: BoolArray) -> BoolArray:
    """The mask and what it encloses: background that shares no face with the outside's.

    Parameters
    ----------
    mask
        At least two axes.

    Examples
    --------
    >>> ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.bool_)
    >>> bool(without_holes(ring).all())
    True
    """
    pieces = connected_pieces(~np.pad(mask, 1))
    # The margin is one piece, and the first voxel of all is in it.
    outside = pieces.mask(np.arange(len(pieces.sizes)) == 0)
    return ~outside[(slice(1, -1),) * mask.ndim]


def _runs(mask: BoolArray) -> tuple[Numbers, Numbers, Numbers]:
    """Row, start and stop of every run."""
    count, width = int(np.prod(mask.shape[:-1])), mask.shape[-1]
    padded = np.zeros((count, width + 2), np.bool_)
    padded[:, 1:-1] = mask.reshape(count, width)
    changes = np.flatnonzero(padded[:, 1:] != padded[:, :-1])
    rows, starts = np.divmod(changes[::2], width + 1)
    return rows, starts, changes[1::2] % (width + 1)


def _steps(axes: int, corners: bool) -> list[tuple[int, ...]]:
    """Steps from a row to the rows beside it that come later."""
    later = [step for step in product((-1, 0, 1), repeat=axes) if step > (0,) * axes]
    return later if corners else [step for step in later if sum(map(abs, step)) == 1]


def _touching(
    rows: Numbers,
    starts: Numbers,
    stops: Numbers,
    step: tuple[int, ...],
    shape: tuple[int, ...],
    corners: bool,
) -> tuple[Numbers, Numbers]:
    """Pairs of runs that touch, one step of rows apart."""
    if not len(rows):
        return rows, rows
    places = np.stack(np.unravel_index(rows, shape[:-1])) + np.array(step)[:, None]
    sides = np.array(shape[:-1])[:, None]
    there = np.flatnonzero(((places >= 0) & (places < sides)).all(axis=0))
    beside = np.ravel_multi_index(tuple(places[:, there]), shape[:-1])
    # One number a row and column, rows far enough apart for the reach of a corner.
    stride, reach = shape[-1] + 3, int(corners)
    low = np.searchsorted(
        rows * stride + stops, beside * stride + starts[there] - reach, side="right"
    )
    high = np.searchsorted(rows * stride + starts, beside * stride + stops[there] + reach)
    counts = np.maximum(high - low, 0)
    offsets = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    return np.repeat(there, counts), np.repeat(low, counts) + offsets


def _joined(count: int, first: Numbers, second: Numbers) -> Numbers:
    """The smallest number that each of `count` can be led to by the pairs."""
    root = np.arange(count)
    while True:
        one, other = root[first], root[second]
        apart = one != other
        if not apart.any():
            return root
        first, second, one, other = (each[apart] for each in (first, second, one, other))
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(root, shorter := root[root]):
            root = shorter
