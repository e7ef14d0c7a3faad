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
from cardioseg.ops.mesh_slices import Float32Array, Mask, outlines, signed, thick_axis

REACH = 0.85
"""Farthest that smoothing may move the surface, in voxels; the rest of 1 is for discretisation."""

REACH_SLICES = 0.6
"""The same across thick slices, in slices."""

SMOOTHING_VOXELS = 1.0
"""Standard deviation of the smoothing of a volume, in voxels."""

SMOOTHING_STACK = (1.5, 0.5)
"""The same within thick slices, in voxels, and across them, in slices."""

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
    sheets = outlines(box, geometry, factors)
    raw = np.minimum.reduce(sheets)
    depth = _depth_voxels(box, geometry, factors)
    step = np.float32(min(spacing / factors))
    low, high = (depth - np.float32(REACH)) * step, (depth + np.float32(REACH)) * step
    if not smooth:
        return Field(raw, low, high, start, factors, geometry)
    values = np.minimum.reduce([_smoothed(each, geometry, factors) for each in sheets])
    low, high = _kept(np.clip(values, low, high), raw, box, factors, (low, high))
    return Field(values, low, high, start, factors, geometry)


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


def _upsampled(box: Mask, factors: Shape) -> Mask:
    """The voxels of a mask as cuboids on the field's samples."""
    for axis, factor in enumerate(factors):
        if factor > 1:
            fine = np.arange((box.shape[axis] - 1) * factor + 1)
            box = np.take(box, (fine + factor // 2) // factor, axis=axis)
    return box


def _depth_voxels(box: Mask, geometry: Geometry, factors: Shape) -> Float32Array:
    """Signed depth below the labels' surface, each axis measured in its voxels.

    Across thick slices it counts for more: half a slice is as far as interpolation needs to go.
    """
    axis = thick_axis(geometry)
    heavier = REACH / REACH_SLICES
    sampling = tuple((heavier if a == axis else 1) / f for a, f in enumerate(factors))
    return signed(_upsampled(box, factors), sampling)


def _smoothed(raw: Float32Array, geometry: Geometry, factors: Shape) -> Float32Array:
    """Gaussian smoothing where both sides of the surface are thick; less of it where one is thin.

    A wall of one voxel would vanish under the smoothing that a ventricle needs.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

    axis = thick_axis(geometry)
    within, across = (SMOOTHING_VOXELS, SMOOTHING_VOXELS) if axis is None else SMOOTHING_STACK
    voxels = [across if a == axis else within for a in range(3)]
    smooth = gaussian_filter(raw, [v * f for v, f in zip(voxels, factors, strict=True)])
    window = [max(3, 2 * round(1.5 * f) + 1) if a != axis else 1 for a, f in enumerate(factors)]
    near = min(s for a, s in enumerate(geometry.spacing) if a != axis)
    thick = np.minimum(maximum_filter(raw, window), -minimum_filter(raw, window))
    share = gaussian_filter(np.clip(thick / near - 0.5, 0, 1), [0.5 * f for f in factors])
    blended: Float32Array = raw + share * (smooth - raw)
    return blended


def _kept(
    field: Float32Array,
    raw: Float32Array,
    box: Mask,
    factors: Shape,
    bounds: tuple[Float32Array, Float32Array],
) -> tuple[Float32Array, Float32Array]:
    """Bounds that bring back what smoothing lost: voxels with nothing of theirs within one voxel.

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
