"""Find the heart in a few slices, and give the network only its surroundings in the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.engines.engine import Engine, Float32Array
from cardioseg.ops.pieces import connected_pieces

LARGEST_BATCH = 8
PIXELS_A_BATCH = 8 * 192 * 192
"""Slices go through the network so many at a time that they hold at most this many pixels (one
slice at least): what a network keeps meanwhile grows with it."""

PROBES = (3, 8)
"""At least and at most so many slices are read whole to find the heart."""

MARGIN = 56
"""Pixels around what was found, at least, for what other slices have beyond it and for the network
to see: at 40 some volumes of ACDC differ by one or two thousandths of their structures, at 56 none
by one."""

EDGE = 8
"""A slice with a structure so near to a side of the window is read again, whole."""

GRID = 16
"""Windows begin and end at multiples of this, or of the network's stride if that is more: pooling
then cuts them as it cuts the slice. Engines, too, prepare themselves for each size of slices. The
margin costs less pixels than a coarser grid, and spares more answers."""

STRAY = 0.1
"""Where one heart is kept, pieces of less than this share of the largest widen no window."""

WORTHWHILE = 0.75
"""A window of more than this share of the slice is not worth the cut."""


@dataclass(frozen=True)
class Window:
    """A rectangle of a slice.

    Parameters
    ----------
    rows, columns
        Its pixels.
    shape
        Rows and columns of the slice.
    """

    rows: slice
    columns: slice
    shape: tuple[int, int]

    @property
    def share(self) -> float:
        """Its share of the slice's pixels."""
        rows, columns = (part.stop - part.start for part in (self.rows, self.columns))
        return float(rows * columns / (self.shape[0] * self.shape[1]))

    def placed(self, scores: Float32Array) -> Float32Array:
        """Scores of the window (N, classes, rows, columns) on the slice; background around it."""
        whole = np.zeros((*scores.shape[:2], *self.shape), np.float32)
        whole[:, 0] = 1
        whole[:, :, self.rows, self.columns] = scores
        return whole

    def is_left(self, found: NDArray[np.bool_]) -> bool:
        """Whether what was found (rows, columns) comes near a side that is not the slice's own."""
        sides = ((1, self.rows, self.shape[0]), (0, self.columns, self.shape[1]))
        for axis, span, length in sides:
            marked = np.asarray(found.any(axis=axis))
            if (marked[:EDGE].any() and span.start > 0) or (
                marked[-EDGE:].any() and span.stop < length
            ):
                return True
        return False


def window_around(
    found: NDArray[np.bool_], smallest: tuple[int, int] = (1, 1), grid: int = GRID
) -> Window | None:
    """The window around everything found (rows, columns); None if there is nothing, or too much.

    Parameters
    ----------
    found
        Where structures are.
    smallest
        It has so many rows and columns at least, or all that there are.
    grid
        It begins and ends at multiples of this.

    Examples
    --------
    >>> found = np.zeros((192, 192), bool)
    >>> found[80:110, 90:130] = True
    >>> window_around(found)
    Window(rows=slice(16, 176, None), columns=slice(32, 192, None), shape=(192, 192))
    """
    marked = (np.asarray(found.any(axis=axis)) for axis in (1, 0))
    rows, columns = (_span(each, least, grid) for each, least in zip(marked, smallest, strict=True))
    if rows is None or columns is None:
        return None
    window = Window(rows, columns, (found.shape[0], found.shape[1]))
    return window if window.share <= WORTHWHILE else None


def without_strays(found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What was found (rows, columns) without pieces that are small beside the largest.

    Examples
    --------
    >>> found = np.zeros((9, 40), bool)
    >>> found[2:7, :8] = found[4, 12:20] = found[0, -1] = True
    >>> np.flatnonzero(without_strays(found).any(axis=0)).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15, 16, 17, 18, 19]
    """
    pieces = connected_pieces(found, corners=True)
    if len(pieces.sizes) <= 1:
        return found
    return pieces.mask(pieces.sizes >= STRAY * pieces.sizes.max())


def _span(marked: NDArray[np.bool_], least: int, grid: int) -> slice | None:
    """Multiples of the grid around what is marked along one axis, and its margin; in the middle of
    `least` places where these are fewer.
    """
    places = np.flatnonzero(marked)
    if not len(places):
        return None
    low, high = int(places[0]) - MARGIN, int(places[-1]) + 1 + MARGIN
    lacking = max(least - (high - low), 0)
    low = min(max(low - lacking // 2, 0), max(len(marked) - least, 0))
    high = max(high, low + least)
    return slice(low // grid * grid, min(-(-high // grid) * grid, len(marked)))


def scores_of(
    engine: Engine,
    slices: Float32Array,
    stride: int,
    smallest: tuple[int, int] | None,
    one_heart: bool = False,
) -> Iterator[tuple[int, Float32Array]]:
    """First slice and scores (slices, classes, rows, columns) of one batch after another, in order.

    Parameters
    ----------
    engine
        Runs the network.
    slices
        Prepared slices of one plane (N, rows, columns).
    stride
        Rows and columns of what the network reads are multiples of this, a power of two.
    smallest
        Read some slices whole, and of the others only the window around what was found there, of so
        many rows and columns at least. Around it the background has score 1. A slice whose
        structures come near the window's sides is read whole, too. None reads all slices whole.
    one_heart
        Only the largest piece of the answer will be kept: small pieces far away need no window.
    """
    images = slices[:, None]
    count = min(LARGEST_BATCH, max(1, PIXELS_A_BATCH // slices[0].size))
    seen: dict[int, Float32Array] = {}
    for part in _parts(_probes(len(images)) if smallest else (), count):
        seen.update(zip(part, engine(images[list(part)]), strict=True))
    window = None
    if seen and smallest:
        found = np.any([each.argmax(axis=0) > 0 for each in seen.values()], axis=0)
        kept = without_strays(found) if one_heart else found
        window = window_around(kept, smallest, max(GRID, stride))
    for part in _parts(range(len(images)), count):
        yield part[0], _batch(engine, images, part, seen, window)


def _batch(
    engine: Engine,
    images: Float32Array,
    part: Sequence[int],
    seen: dict[int, Float32Array],
    window: Window | None,
) -> Float32Array:
    """Scores of some neighbouring slices; those that were seen are taken out of `seen`."""
    scores = {index: seen.pop(index) for index in part if index in seen}
    left = [index for index in part if index not in scores]
    if left and window:
        inside = engine(np.ascontiguousarray(images[left][:, :, window.rows, window.columns]))
        scores.update(zip(left, window.placed(inside), strict=True))
        found = inside.argmax(axis=1) > 0
        left = [index for index, each in zip(left, found, strict=True) if window.is_left(each)]
    if left:
        scores.update(zip(left, engine(images[left]), strict=True))
    return np.stack([scores[index] for index in part])


def _parts(indices: Sequence[int], count: int) -> Iterator[Sequence[int]]:
    for first in range(0, len(indices), count):
        yield indices[first : first + count]


def _probes(count: int) -> tuple[int, ...]:
    """Slices that are read whole: evenly spaced, none if they would be most of them."""
    least, most = PROBES
    number = min(max(least, count // 4), most)
    if count < 2 * least:
        return ()
    return tuple(int((index + 0.5) * count / number) for index in range(number))
