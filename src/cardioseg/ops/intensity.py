"""Intensity normalisation: MR has no unit, so each volume is scaled by its own statistics."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

LOW_PERCENTILE = 1.0
HIGH_PERCENTILE = 99.0

LARGEST_SAMPLE = 1 << 24
"""Values that percentiles are taken of at most, evenly spread: they are copied to be sorted."""


def scale_percentiles(
    array: NDArray[np.float32], out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Map the 1st to 99th percentiles to 0 to 1 and clip; a constant image becomes 0.

    Parameters
    ----------
    array
        Intensities of any shape.
    out
        Where the answer goes; may be `array` itself. None makes a new array.

    Examples
    --------
    >>> scale_percentiles(np.array([5.0, 5.0], np.float32)).tolist()
    [0.0, 0.0]
    """
    wanted = (LOW_PERCENTILE, HIGH_PERCENTILE)
    low, high = np.percentile(_sample(array), wanted, overwrite_input=True)
    answer = np.empty(array.shape, np.float32) if out is None else out
    if high <= low:
        answer[...] = 0
        return answer
    np.subtract(array, np.float32(low), out=answer)
    np.divide(answer, np.float32(high - low), out=answer)
    return np.clip(answer, 0, 1, out=answer)


def scale_moments(
    array: NDArray[np.float32], out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Shift and scale to zero mean and unit variance; a constant image becomes 0.

    Parameters
    ----------
    array
        Intensities of any shape.
    out
        Where the answer goes; may be `array` itself. None makes a new array.

    Examples
    --------
    >>> scale_moments(np.array([1.0, 3.0], np.float32)).tolist()
    [-1.0, 1.0]
    """
    mean = float(array.mean(dtype=np.float64))
    # A part at a time: the deviations of a whole volume in float64 are twice the volume.
    squares = sum(float(np.square(part.astype(np.float64) - mean).sum()) for part in array)
    answer = np.empty(array.shape, np.float32) if out is None else out
    if squares == 0:
        answer[...] = 0
        return answer
    np.subtract(array, np.float32(mean), out=answer)
    return np.divide(answer, np.float32(math.sqrt(squares / array.size)), out=answer)


def _sample(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """A copy of the values, of every n-th where they are very many."""
    step = math.ceil(array.size / LARGEST_SAMPLE)
    if step <= 1:
        return array.flatten()
    # Part by part along the first axis, so that no copy of the whole is made.
    chosen = np.empty((len(array), math.ceil(array[0].size / step)), np.float32)
    for index, part in enumerate(array):
        chosen[index] = part.ravel()[::step]
    return chosen.ravel()
