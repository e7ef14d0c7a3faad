"""From voxels to signed distances, between thick slices by the shapes of their outlines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry, Shape

Mask = NDArray[np.bool_]
Float32Array = NDArray[np.float32]

THICK = 1.9
"""A stack has thick slices where their distance exceeds the other spacings by this factor."""

SATURATION_VOXELS = 3.0
"""A slice's distances saturate at this many voxels of its plane, or at the slices' distance."""


def thick_axis(geometry: Geometry) -> int | None:
    """Array axis across thick slices, if the grid has them."""
    axis, spacing = geometry.native_axis, geometry.spacing
    if axis is None:
        return None
    others = [s for a, s in enumerate(spacing) if a != axis]
    return axis if spacing[axis] >= THICK * max(others) else None


def outlines(box: Mask, geometry: Geometry, factors: Shape) -> tuple[Float32Array, ...]:
    """Signed distances in mm on the field's samples, whose smallest is the structure's.

    Between thick slices a wall's outer and inner outline are interpolated, and smoothed, each for
    itself: near the apex the rings of neighbouring slices need not overlap, and the wall would have
    gaps.
    """
    axis = thick_axis(geometry)
    if axis is None:
        return (interpolated(signed(box, geometry.spacing), factors),)
    slices = np.moveaxis(box, axis, 0)
    filled = np.moveaxis(np.stack([_filled(mask) for mask in slices]), 0, axis)
    outer = interpolated(_stacked(filled, geometry, axis), factors)
    hollow = filled & ~box
    if not hollow.any():
        return (outer,)
    return outer, -interpolated(_stacked(hollow, geometry, axis), factors)


def _filled(mask: Mask) -> Mask:
    from scipy.ndimage import binary_fill_holes

    filled: Mask = binary_fill_holes(mask)
    return filled


def _stacked(box: Mask, geometry: Geometry, axis: int) -> Float32Array:
    """Signed distance within each slice, in mm, saturated.

    An empty slice beside the last one of a structure mirrors its distances, so that the surface
    closes half a slice farther, as the voxels do, with a rounded rim.
    """
    spacing = geometry.spacing
    plane = tuple(s for a, s in enumerate(spacing) if a != axis)
    limit = max(SATURATION_VOXELS * max(plane), spacing[axis])
    slices = np.moveaxis(box, axis, 0)
    empty = [not mask.any() for mask in slices]
    stack = np.full(slices.shape, -limit / 2, np.float32)
    for index, mask in enumerate(slices):
        if not empty[index]:
            stack[index] = np.clip(signed(mask, plane), -limit, limit)
    for index in (n for n, none in enumerate(empty) if none):
        beside = stack[[n for n in (index - 1, index + 1) if 0 <= n < len(stack) and not empty[n]]]
        if len(beside):
            stack[index] = -np.maximum(beside.max(axis=0), limit / 2)
    return np.ascontiguousarray(np.moveaxis(stack, 0, axis))


def signed(mask: Mask, sampling: tuple[float, ...]) -> Float32Array:
    """Signed distance to the voxels' faces, in mm, positive inside."""
    from scipy.ndimage import distance_transform_edt

    half = min(sampling) / 2
    inside = distance_transform_edt(mask, sampling) - half
    outside = distance_transform_edt(~mask, sampling) - half
    distance: Float32Array = np.where(mask, inside, -outside).astype(np.float32)
    return distance


def interpolated(values: Float32Array, factors: Shape) -> Float32Array:
    """More samples along each axis, by monotone cubics: no overshoot, hence no new islands."""
    from scipy.interpolate import PchipInterpolator

    for axis, factor in enumerate(factors):
        if factor > 1:
            at = np.arange(values.shape[axis])
            fine = np.arange((len(at) - 1) * factor + 1) / factor
            values = PchipInterpolator(at, values, axis=axis)(fine).astype(np.float32)
    return np.ascontiguousarray(values)
