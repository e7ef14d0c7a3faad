"""Resampling: one axis as a matrix, a whole volume onto any other grid."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import LabelMap, Volume

Float32Array = NDArray[np.float32]
Scalar = TypeVar("Scalar", bound=np.generic)

SAME_SPACING = 1e-5
"""Relative difference up to which two spacings are one: files round spacing to float32."""


def axis_positions(count: int, spacing: float, source_count: int, source: float) -> Float32Array:
    """Where the samples of one axis lie on another that shares its middle, in source samples.

    Where the spacings are equal the samples coincide, so that a crop or a pad is exact: if one
    count is even and the other odd, the middles then lie half a sample apart.

    Parameters
    ----------
    count, spacing
        Samples wanted and their distance, in mm.
    source_count, source
        Samples at hand and their distance, in mm.

    Examples
    --------
    >>> axis_positions(2, 2.0, 4, 1.0).tolist()
    [0.5, 2.5]
    >>> axis_positions(2, 1.0, 3, 1.0).tolist()
    [0.0, 1.0]
    """
    if math.isclose(spacing, source, rel_tol=SAME_SPACING):
        # Rounded towards zero, so that swapping the two axes gives the inverse.
        return (np.arange(count) + math.trunc((source_count - count) / 2)).astype(np.float32)
    centred = (np.arange(count) - (count - 1) / 2) * (spacing / source)
    return (centred + (source_count - 1) / 2).astype(np.float32)


def interpolation_matrix(positions: Float32Array, length: int) -> Float32Array:
    """Linear interpolation along one axis as a matrix (len(positions), length).

    Where the positions lie more than one sample apart, the triangle is widened to their distance,
    so that fine structure is averaged and not aliased. Rows sum to 1; positions beyond the outer
    half of the first or last sample have rows of zeros.

    Parameters
    ----------
    positions
        Evenly spaced positions in units of source samples.
    length
        Source samples.

    Examples
    --------
    >>> interpolation_matrix(np.array([0.0, 0.5, 9.0], np.float32), 2).tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]]
    """
    step = abs(float(positions[1] - positions[0])) if len(positions) > 1 else 1.0
    width = max(step, 1.0)
    inside = (positions >= -0.5) & (positions <= length - 0.5)
    clamped = np.clip(positions, 0, length - 1)
    distance = np.abs(clamped[:, None] - np.arange(length, dtype=np.float32)[None, :])
    weights = np.maximum(0, 1 - distance / width)
    weights *= inside[:, None] / weights.sum(axis=1, keepdims=True)
    return np.ascontiguousarray(weights, dtype=np.float32)


def resample_volume(volume: Volume, geometry: Geometry) -> Volume:
    """An image on another grid, by linear interpolation; 0 outside.

    Examples
    --------
    >>> grid = Geometry((4, 4, 4), np.eye(4))
    >>> image = Volume(np.arange(64, dtype=np.float32).reshape(4, 4, 4), grid)
    >>> bool((resample_volume(image, grid).array == image.array).all())
    True
    """
    array = _sample(volume.array, volume.geometry, geometry, order=1)
    return Volume(array, geometry)


def resample_labels(labels: LabelMap, geometry: Geometry) -> LabelMap:
    """A label map on another grid, by the nearest voxel; background outside."""
    array = _sample(labels.array, labels.geometry, geometry, order=0)
    return LabelMap(array, geometry, labels.scheme)


def _sample(
    array: NDArray[Scalar], source: Geometry, target: Geometry, order: int
) -> NDArray[Scalar]:
    from scipy import ndimage

    change = np.linalg.inv(source.affine) @ target.affine
    # Rounded, so that a grid resampled onto itself is not blurred by the last bit of an inverse.
    change = np.round(change, 9)
    answer: NDArray[Scalar] = ndimage.affine_transform(
        array, change[:3, :3], change[:3, 3], target.shape, order=order, mode="grid-constant"
    )
    return answer
