"""From the numbers that a file stores to intensities and to label values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cardioseg.errors import FormatError, LabelError

_WHOLE = 1e-4
"""A label may differ by this much from a whole number: scaled storage rounds."""


def intensities(
    stored: NDArray[Any], slope: float = 1.0, intercept: float = 0.0
) -> NDArray[np.float32]:
    """Values as float32, an array of its own in the file's order and read-only: no copy follows."""
    # What float32 cannot hold becomes infinite, and the volume refuses it with a count.
    with np.errstate(over="ignore", invalid="ignore"):
        if (slope, intercept) == (1.0, 0.0):
            values = stored.astype(np.float32)
        else:
            # A slice at a time: float64 of a whole volume would be twice the answer.
            values = np.empty(stored.shape, np.float32, order="F")
            for index in range(stored.shape[-1]):
                values[..., index] = stored[..., index] * np.float64(slope) + intercept
    values.setflags(write=False)
    return values


def whole_numbers(stored: NDArray[Any], slope: float = 1.0, intercept: float = 0.0) -> NDArray[Any]:
    """Label values, checked to be whole numbers, in the stored type or float64.

    Raises
    ------
    FormatError
        If a value is NaN or infinite.
    LabelError
        If a value is not whole.
    """
    if (slope, intercept) != (1.0, 0.0):
        stored = stored * np.float64(slope) + intercept
    if stored.dtype.kind != "f":
        return stored
    if not np.isfinite(stored).all():
        raise FormatError("labels that are NaN or infinite; export the label map as whole numbers")
    whole: NDArray[Any] = np.rint(stored)
    apart = np.abs(stored - whole)
    if (apart > _WHOLE).any():
        worst = stored.flat[int(apart.argmax())]
        raise LabelError(
            f"label value {worst:g} is not a whole number: an image, or labels that were "
            "interpolated; resample labels by the nearest voxel"
        )
    return whole
