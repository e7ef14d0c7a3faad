"""Intensity normalisation: MR has no unit, so each volume is scaled by its own statistics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOW_PERCENTILE = 1.0
HIGH_PERCENTILE = 99.0


def scale_percentiles(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map the 1st to 99th percentiles to 0 to 1 and clip; a constant image becomes 0.

    Examples
    --------
    >>> scale_percentiles(np.array([5.0, 5.0], np.float32)).tolist()
    [0.0, 0.0]
    """
    low, high = np.percentile(array, (LOW_PERCENTILE, HIGH_PERCENTILE))
    if high <= low:
        return np.zeros_like(array)
    scaled: NDArray[np.float32] = (array - np.float32(low)) / np.float32(high - low)
    return scaled.clip(0, 1)


def scale_moments(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shift and scale to zero mean and unit variance; a constant image becomes 0.

    Examples
    --------
    >>> scale_moments(np.array([1.0, 3.0], np.float32)).tolist()
    [-1.0, 1.0]
    """
    deviation = float(array.std(dtype=np.float64))
    if deviation == 0:
        return np.zeros_like(array)
    mean = float(array.mean(dtype=np.float64))
    return ((array - np.float32(mean)) / np.float32(deviation)).astype(np.float32)
