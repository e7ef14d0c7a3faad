"""Smooth random fields: cubic B-splines with random coefficients, and deformations made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.errors import GeometryError

Float32Array = NDArray[np.float32]

STRONGEST = 1.0
"""Largest root of the summed squares of a deformation's strengths. The slope of a displacement then
has a standard deviation of 0.23, so that a fold, a slope below -1, lies beyond four of them."""

_UNIT_VARIANCE = float((151 / 315) ** 1.5)
"""Mean standard deviation, in 3-D, of a cubic B-spline with standard normal coefficients."""


def spline_matrix(count: int, spacing_mm: float, knot_mm: float) -> Float32Array:
    """Weights (count, knots) of cubic B-spline coefficients at evenly spaced points.

    Every row adds up to 1.

    Parameters
    ----------
    count, spacing_mm
        Number of points and their distance.
    knot_mm
        Distance of the knots.
    """
    position = np.arange(count) * (spacing_mm / knot_mm)
    first = np.floor(position).astype(np.intp)
    t = position - first
    weights = np.stack(
        [
            (1 - t) ** 3,
            3 * t**3 - 6 * t**2 + 4,
            -3 * t**3 + 3 * t**2 + 3 * t + 1,
            t**3,
        ],
        axis=1,
    )
    matrix = np.zeros((count, int(first[-1]) + 4), np.float32)
    rows = np.arange(count)[:, None]
    matrix[rows, first[:, None] + np.arange(4)] = weights / 6
    return matrix


def _spline(
    matrices: tuple[Float32Array, Float32Array, Float32Array], coefficients: Float32Array
) -> Float32Array:
    first, second, third = matrices
    field = np.tensordot(first, coefficients, axes=1)
    field = second @ field
    return np.asarray(field @ third.T, np.float32)


def _matrices(
    geometry: Geometry, knot_mm: float
) -> tuple[Float32Array, Float32Array, Float32Array]:
    first, second, third = (
        spline_matrix(count, spacing, knot_mm)
        for count, spacing in zip(geometry.shape, geometry.spacing, strict=True)
    )
    return first, second, third


def smooth_noise(geometry: Geometry, knot_mm: float, rng: np.random.Generator) -> Float32Array:
    """A smooth random field (I, J, K) of mean 0 and, on average, variance 1.

    Parameters
    ----------
    geometry
        The grid.
    knot_mm
        Distance of the spline's knots: structures are about twice as wide.
    rng
        Source of randomness.

    Examples
    --------
    >>> grid = Geometry((40, 40, 40), np.diag([1.0, 1.0, 1.0, 1.0]))
    >>> field = smooth_noise(grid, 4.0, np.random.default_rng(0))
    >>> 0.9 < float(field.std()) < 1.1
    True
    """
    matrices = _matrices(geometry, knot_mm)
    shape = tuple(matrix.shape[1] for matrix in matrices)
    coefficients = rng.standard_normal(shape, np.float32)
    return _spline(matrices, coefficients / np.float32(_UNIT_VARIANCE))


@dataclass(frozen=True)
class Deformation:
    """A random smooth deformation: displacements as cubic B-splines on several scales.

    Parameters
    ----------
    knots_mm
        Distance of the knots of each level.
    strengths
        For each level, the largest coefficient as a share of the distance of the knots; the
        displacement's standard deviation is a fifth of that.

    Raises
    ------
    GeometryError
        If the deformation is likely to fold.

    References
    ----------
    D. Rueckert et al., IEEE TMI 1999, DOI 10.1109/42.796284 (free-form deformation).
    """

    knots_mm: tuple[float, ...] = (70.0, 36.0, 18.0)
    strengths: tuple[float, ...] = (0.6, 0.4, 0.3)

    def __post_init__(self) -> None:
        total = float(np.hypot.reduce(self.strengths))
        if total > STRONGEST or min(self.strengths) < 0:
            raise GeometryError(
                f"strengths {self.strengths} must be at least 0 and their squares add up to at "
                f"most {STRONGEST:g}, or the deformation folds"
            )

    def weaker(self, share: float) -> Deformation:
        """The same scales at a share of the strengths."""
        return Deformation(self.knots_mm, tuple(share * s for s in self.strengths))

    def displacement(self, geometry: Geometry, rng: np.random.Generator) -> Float32Array:
        """Displacement (3, I, J, K) along the array's axes, in mm."""
        answer = np.zeros((3, *geometry.shape), np.float32)
        for knot, strength in zip(self.knots_mm, self.strengths, strict=True):
            matrices = _matrices(geometry, knot)
            shape = tuple(matrix.shape[1] for matrix in matrices)
            for axis in range(3):
                coefficients = rng.uniform(-1, 1, shape).astype(np.float32)
                answer[axis] += _spline(matrices, coefficients * np.float32(knot * strength))
        return answer
