"""Principal components of rows of numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardioseg.baselines.imaging import Floats


@dataclass(frozen=True, eq=False)
class Components:
    """A mean and the directions of most variance.

    Parameters
    ----------
    mean
        (n,).
    modes
        Orthonormal rows (k, n).
    deviations
        Standard deviation along each mode (k,).
    """

    mean: Floats
    modes: Floats
    deviations: Floats

    def encode(self, rows: Floats) -> Floats:
        """Coordinates (..., k) of rows (..., n)."""
        coordinates: Floats = (rows - self.mean) @ self.modes.T
        return coordinates


def components(rows: Floats, share: float) -> Components:
    """The fewest principal components that hold a share of the variance.

    Parameters
    ----------
    rows
        Observations (m, n), at least two.
    share
        Share of the variance to keep, 0 to 1.

    Examples
    --------
    >>> line = np.outer(np.arange(5.0), [3.0, 4.0])
    >>> found = components(line, 0.99)
    >>> found.modes.shape, round(float(found.deviations[0]), 3)
    ((1, 2), 7.906)
    """
    mean = rows.mean(axis=0)
    _, singular, modes = np.linalg.svd(rows - mean, full_matrices=False)
    variances = singular**2
    total = variances.sum()
    kept = int(np.searchsorted(np.cumsum(variances), share * total)) + 1 if total > 0 else 1
    deviations = singular[:kept] / np.sqrt(max(len(rows) - 1, 1))
    return Components(mean, modes[:kept], deviations)
