"""From a mask to a smooth signed field whose level set is the surface of a structure.

The surface is smoothed before it is one: the field is smoothed and held within bounds, and the mesh
is its level set. So the mesh cannot cross itself, its volume is set by the level, and no part of it
lies farther from the labels' surface than the bounds allow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Float64Array, Geometry, Shape
from cardioseg.errors import GeometryError

Mask = NDArray[np.bool_]
Float32Array = NDArray[np.float32]

THICK = 1.9
"""A stack has thick slices where their distance exceeds the other spacings by this factor."""

REACH = 0.9
"""Farthest that smoothing may move the surface, in voxels; the rest of 1 is for discretisation."""

SMOOTHING_VOXELS = 0.9
"""Standard deviation of the smoothing, in voxels."""

SMOOTHING_SLICES = 0.35
"""Standard deviation of the smoothing across thick slices, in slices."""

SATURATION_VOXELS = 3.0
"""Distance at which the signed distance of a slice saturates, in voxels of its plane, at least."""

MAX_SAMPLES = 120_000_000
"""Samples of a field, at most: about 4 GB while it is made."""


@dataclass(frozen=True, eq=False)
class Field:
    """A signed field on a grid that holds the voxel centres of a mask among its samples.

    Parameters
    ----------
    values
        Samples, float32, positive inside, about the distance to the surface in mm.
    low, high
        Bounds on the values whatever the level: what keeps the surface near the labels'.
    start
        Voxel index of the first sample.
    factors
        Samples a voxel along each axis, odd.
    geometry
        The label map's grid.
    """

    values: Float32Array
    low: Float32Array
    high: Float32Array
    start: Float64Array
    factors: Shape
    geometry: Geometry

    @property
    def step_mm(self) -> Float64Array:
        """Distance (3,) between samples, in mm."""
        return np.asarray(self.geometry.spacing) / self.factors

    def at(self, level: float) -> Float32Array:
        """The field whose zero is the surface at that level, in mm inwards, within the bounds."""
        moved: Float32Array = np.clip(self.values - np.float32(level), self.low, self.high)
        return moved

    def to_index(self, samples: NDArray[np.floating]) -> Float64Array:
        """Voxel indices (N, 3) of positions in samples."""
        index: Float64Array = self.start + np.asarray(samples, np.float64) / self.factors
        return index


def field_of(
    mask: Mask, geometry: Geometry, *, smooth: bool = True, resolution_mm: float | None = None
) -> Field:
    """The smoothed signed field of a mask.

    Thick slices are interpolated by shape: the signed distance within each slice, monotone between
    slices. Elsewhere the distance is that of the volume.

    Parameters
    ----------
    mask
        Array (I, J, K) with at least one voxel set.
    geometry
        Its grid.
    smooth
        Smooth the field; without it only slices are interpolated.
    resolution_mm
        Distance between samples, at most; None takes the smallest spacing.

    Raises
    ------
    GeometryError
        If the field would have more than 120 million samples.

    References
    ----------
    Raya and Udupa, IEEE TMI 1990, doi:10.1109/42.52980 (shape-based interpolation)

    Examples
    --------
    >>> mask = np.zeros((5, 5, 5), bool)
    >>> mask[2, 2, 2] = True
    >>> field = field_of(mask, Geometry((5, 5, 5), np.diag([1.0, 1.0, 5.0, 1.0])))
    >>> field.factors
    (1, 1, 5)
    """
    factors = _factors(geometry, resolution_mm)
    box, start = _boxed(mask)
    spacing = np.asarray(geometry.spacing)
    count = math.prod((n - 1) * f + 1 for n, f in zip(box.shape, factors, strict=True))
    if count > MAX_SAMPLES:
        raise GeometryError(
            f"{count / 1e6:.0f} million samples of {resolution_mm or min(spacing):g} mm are too "
            f"many (at most {MAX_SAMPLES / 1e6:.0f}); name a coarser --resolution"
        )
    raw = _interpolated(_signed_distance(box, geometry), factors)
    depth = _depth_voxels(box, factors)
    step = np.float32(min(spacing / factors))
    low, high = (depth - np.float32(REACH)) * step, (depth + np.float32(REACH)) * step
    if not smooth:
        return Field(raw, low, high, start, factors, geometry)
    values = _smoothed(raw, box, geometry, factors)
    low, high = _kept(np.clip(values, low, high), raw, box, factors, (low, high))
    return Field(values, low, high, start, factors, geometry)


def thick_axis(geometry: Geometry) -> int | None:
    """Array axis across thick slices, if the grid has them."""
    axis, spacing = geometry.native_axis, geometry.spacing
    if axis is None:
        return None
    others = [s for a, s in enumerate(spacing) if a != axis]
    return axis if spacing[axis] >= THICK * max(others) else None


def _factors(geometry: Geometry, resolution_mm: float | None) -> Shape:
    """Samples a voxel, odd so that the voxels' faces lie midway between samples."""
    wanted = resolution_mm or min(geometry.spacing)
    # A little coarser is fine: 1.3 samples a voxel are not rounded up to 3.
    i, j, k = (max(1, 2 * math.floor((s / wanted + 0.5) / 2) + 1) for s in geometry.spacing)
    return i, j, k


def _boxed(mask: Mask) -> tuple[Mask, Float64Array]:
    """The box around a mask with three empty voxels on each side, and where it starts."""
    found = [np.flatnonzero(mask.any(axis=(b, c))) for b, c in ((1, 2), (0, 2), (0, 1))]
    if not len(found[0]):
        raise GeometryError("an empty mask has no surface")
    cut = mask[tuple(slice(int(f[0]), int(f[-1]) + 1) for f in found)]
    start = np.array([f[0] - 3 for f in found], np.float64)
    return np.pad(cut, 3), start


def _signed_distance(box: Mask, geometry: Geometry) -> Float32Array:
    """Signed distance in mm; slice by slice, and saturated, where slices are thick."""
    from scipy.ndimage import distance_transform_edt

    axis, spacing = thick_axis(geometry), geometry.spacing
    half = min(spacing) / 2

    def signed(mask: Mask, sampling: tuple[float, ...]) -> Float32Array:
        inside = distance_transform_edt(mask, sampling) - half
        outside = distance_transform_edt(~mask, sampling) - half
        return np.where(mask, inside, -outside).astype(np.float32)

    if axis is None:
        return signed(box, spacing)
    plane = tuple(s for a, s in enumerate(spacing) if a != axis)
    # Beyond the end of a structure the surface closes half a slice farther, as the voxels do; the
    # saturation is the radius of that rim.
    limit = max(SATURATION_VOXELS * max(plane), spacing[axis] / 2)
    stack = np.full((box.shape[axis], *np.moveaxis(box, axis, 0).shape[1:]), -limit, np.float32)
    for index, mask in enumerate(np.moveaxis(box, axis, 0)):
        if mask.any():
            stack[index] = np.clip(signed(mask, plane), -limit, limit)
    return np.ascontiguousarray(np.moveaxis(stack, 0, axis))


def _interpolated(values: Float32Array, factors: Shape) -> Float32Array:
    """More samples along each axis, by monotone cubics: no overshoot, hence no new islands."""
    from scipy.interpolate import PchipInterpolator

    for axis, factor in enumerate(factors):
        if factor > 1:
            at = np.arange(values.shape[axis])
            fine = np.arange((len(at) - 1) * factor + 1) / factor
            values = PchipInterpolator(at, values, axis=axis)(fine).astype(np.float32)
    return np.ascontiguousarray(values)


def _upsampled(box: Mask, factors: Shape) -> Mask:
    """The voxels of a mask as cuboids on the field's samples."""
    for axis, factor in enumerate(factors):
        if factor > 1:
            fine = np.arange((box.shape[axis] - 1) * factor + 1)
            box = np.take(box, (fine + factor // 2) // factor, axis=axis)
    return box


def _depth_voxels(box: Mask, factors: Shape) -> Float32Array:
    """Signed depth below the labels' surface, each axis measured in its voxels."""
    from scipy.ndimage import distance_transform_edt

    fine = _upsampled(box, factors)
    sampling = [1 / f for f in factors]
    half = max(sampling) / 2
    inside = distance_transform_edt(fine, sampling) - half
    outside = distance_transform_edt(~fine, sampling) - half
    return np.where(fine, inside, -outside).astype(np.float32)


def _smoothed(
    raw: Float32Array, box: Mask, geometry: Geometry, factors: Shape
) -> Float32Array:
    """Gaussian smoothing where both sides of the surface are thick; less of it where one is thin.

    A wall of one voxel would vanish under the smoothing that a ventricle needs.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

    axis = thick_axis(geometry)
    voxels = [SMOOTHING_SLICES if a == axis else SMOOTHING_VOXELS for a in range(3)]
    smooth = gaussian_filter(raw, [v * f for v, f in zip(voxels, factors, strict=True)])
    window = [max(3, 2 * round(1.5 * f) + 1) if a != axis else 1 for a, f in enumerate(factors)]
    near = min(s for a, s in enumerate(geometry.spacing) if a != axis)
    thick = np.minimum(maximum_filter(raw, window), -minimum_filter(raw, window))
    share = gaussian_filter(np.clip(thick / near - 1.0, 0, 1), [0.5 * f for f in factors])
    blended: Float32Array = raw + share * (smooth - raw)
    return blended


def _kept(
    field: Float32Array,
    raw: Float32Array,
    box: Mask,
    factors: Shape,
    bounds: tuple[Float32Array, Float32Array],
) -> tuple[Float32Array, Float32Array]:
    """Bounds that bring back what smoothing lost: voxels with no surface of theirs within one voxel.

    There the unsmoothed field is the bound.
    """
    from scipy.ndimage import maximum_filter

    around = [2 * f + 1 for f in factors]
    centres = tuple(slice(None, None, f) for f in factors)
    low, high = bounds
    for sign in (1, -1):
        wanted = box if sign > 0 else ~box
        here = maximum_filter(sign * field > 0, around)[centres]
        lost = _upsampled(wanted & ~here, factors)
        if lost.any():
            lost = maximum_filter(lost, [f + 2 for f in factors])
            if sign > 0:
                low = np.where(lost, np.maximum(low, np.minimum(raw, high)), low)
            else:
                high = np.where(lost, np.minimum(high, np.maximum(raw, low)), high)
    return low, high
