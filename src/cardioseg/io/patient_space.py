"""From the patient space of DICOM and ITK (left, posterior) to ours (right, anterior), and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cardioseg.core.geometry import Float64Array

_MIRROR = np.array([[-1.0], [-1.0], [1.0], [1.0]])


def ras_from_lps(affine: ArrayLike) -> Float64Array:
    """An affine (4, 4), or its upper rows (3, ...), from LPS+ to RAS+ coordinates.

    Left and posterior become right and anterior: the first two rows change sign. The array behind
    the affine stays as it is.

    Examples
    --------
    >>> ras_from_lps(np.eye(4)).diagonal().tolist()
    [-1.0, -1.0, 1.0, 1.0]
    """
    values = np.asarray(affine, dtype=np.float64)
    # Adding zero turns -0 into 0, so that equal grids print and compare alike.
    mirrored: Float64Array = values * _MIRROR[: len(values)] + 0.0
    return mirrored


def lps_from_ras(affine: ArrayLike) -> Float64Array:
    """The inverse of :func:`ras_from_lps`, which is its own."""
    return ras_from_lps(affine)
