"""Distances between the boundaries of two masks, in millimetres.

The boundary of a mask is the set of its voxels that have a background neighbour across a face
(six neighbours in 3-D, four in a slice); what lies outside the array is background. Points are
voxel centres. An axis of length one has no neighbours and is left out, so that a single slice is
compared within its plane.

Other programs measure something else under the same names:

- MONAI: the same boundary, the same HD95 (the larger directed percentile), and its symmetric
  average surface distance is `assd_mm`.
- medpy: its `hd95` pools both directions before it takes the percentile; its `assd` is
  `average_boundary_distance_mm`.
- SimpleITK: `HausdorffDistanceImageFilter` takes all voxels of a mask, not its boundary; given
  boundary images it agrees with `hd_mm` and `average_boundary_distance_mm`.
- surface-distance and other mesh-based programs weigh each point by its area; here every boundary
  voxel counts once, whatever the voxel's shape.

On a sheared grid distances are taken as if its axes were perpendicular (index times spacing).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.errors import GeometryError

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]

PERCENTILE = 95.0


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """How far each boundary point of one mask lies from the other's boundary.

    Parameters
    ----------
    from_prediction
        For each boundary voxel of the prediction, its distance to the reference's boundary, in mm.
    from_reference
        For each boundary voxel of the reference, its distance to the prediction's boundary, in mm.
    """

    from_prediction: Float64Array
    from_reference: Float64Array

    @property
    def hd_mm(self) -> float:
        """Hausdorff distance: the largest of all distances, in mm."""
        return float(max(self.from_prediction.max(), self.from_reference.max()))

    @property
    def hd95_mm(self) -> float:
        """The larger of the two directed 95th percentiles (linear interpolation), in mm."""
        directed = (self.from_prediction, self.from_reference)
        return float(max(np.percentile(distances, PERCENTILE) for distances in directed))

    @property
    def assd_mm(self) -> float:
        """Average symmetric surface distance: mean over the points of both boundaries, in mm.

        References
        ----------
        Heimann et al., IEEE TMI 28 (2009), doi:10.1109/TMI.2009.2013851.
        """
        total = self.from_prediction.sum() + self.from_reference.sum()
        return float(total / (self.from_prediction.size + self.from_reference.size))

    @property
    def average_boundary_distance_mm(self) -> float:
        """Average boundary distance: mean of the two directed means, in mm."""
        return float((self.from_prediction.mean() + self.from_reference.mean()) / 2)

    def surface_dice(self, tolerance_mm: float) -> float:
        """Share of both boundaries' points that lie within a tolerance of the other, 0 to 1.

        References
        ----------
        Nikolov et al., J Med Internet Res 23 (2021), doi:10.2196/26151; there weighted by area.
        """
        within = np.count_nonzero(self.from_prediction <= tolerance_mm)
        within += np.count_nonzero(self.from_reference <= tolerance_mm)
        return float(within / (self.from_prediction.size + self.from_reference.size))


def surface_distances(
    prediction: BoolArray, reference: BoolArray, spacing: Sequence[float]
) -> SurfaceDistances:
    """Measure both boundaries against each other, once for all surface metrics.

    Parameters
    ----------
    prediction, reference
        Masks (I, J, K) or (I, J) of one shape, bool, neither empty.
    spacing
        Distance between neighbouring voxels along each axis, in mm.

    Raises
    ------
    GeometryError
        If shapes and spacing don't fit each other, or a spacing is not positive.
    ValueError
        If a mask is empty: it has no boundary, and `evaluate` has rules for that.

    Examples
    --------
    >>> a = np.zeros((5, 5, 5), bool); a[1:4, 1:4, 1:4] = True
    >>> distances = surface_distances(a, np.roll(a, 1, axis=2), spacing=(1.5, 1.5, 8.0))
    >>> distances.hd_mm, distances.hd95_mm, distances.surface_dice(tolerance_mm=2.0)
    (8.0, 8.0, 0.6538461538461539)
    """
    from scipy import ndimage  # slow to import, and most commands never measure a surface

    _check(prediction, reference, spacing)
    box = _bounding_box(prediction | reference)
    axes = _neighbour_axes(prediction)
    boundaries = [_boundary(mask[box], axes) for mask in (prediction, reference)]
    # The box holds both boundaries, so the nearest point is always inside it.
    to_prediction, to_reference = (
        ndimage.distance_transform_edt(~boundary, sampling=tuple(spacing))
        for boundary in boundaries
    )
    return SurfaceDistances(to_reference[boundaries[0]], to_prediction[boundaries[1]])


def boundary(mask: BoolArray) -> BoolArray:
    """The mask's voxels with a background neighbour across a face; same shape as the mask.

    Examples
    --------
    >>> boundary(np.ones((3, 4), bool)).astype(int).tolist()
    [[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 1, 1]]
    """
    return _boundary(mask, _neighbour_axes(mask))


def _neighbour_axes(mask: BoolArray) -> list[int]:
    """Axes along which a voxel has neighbours; all of them where the array is a single voxel."""
    axes = [axis for axis, length in enumerate(mask.shape) if length > 1]
    return axes or list(range(mask.ndim))


def _boundary(mask: BoolArray, axes: Sequence[int]) -> BoolArray:
    padded = np.pad(mask, 1)
    inner = mask.copy()
    for axis in axes:
        for start in (0, 2):
            window = [slice(1, -1)] * mask.ndim
            window[axis] = slice(start, start + mask.shape[axis])
            inner &= padded[tuple(window)]
    edge: BoolArray = mask & ~inner
    return edge


def _bounding_box(mask: BoolArray) -> tuple[slice, ...]:
    box = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        found = np.flatnonzero(mask.any(axis=others))
        box.append(slice(int(found[0]), int(found[-1]) + 1))
    return tuple(box)


def _check(prediction: BoolArray, reference: BoolArray, spacing: Sequence[float]) -> None:
    if prediction.shape != reference.shape or prediction.ndim != len(spacing):
        raise GeometryError(
            f"masks of shapes {prediction.shape} and {reference.shape} with spacing "
            f"{tuple(spacing)} mm: both masks must have one shape and one spacing an axis"
        )
    if not all(np.isfinite(length) and length > 0 for length in spacing):
        raise GeometryError(f"spacing {tuple(spacing)} mm: every spacing must be positive")
    for name, mask in (("prediction", prediction), ("reference", reference)):
        if not mask.any():
            raise ValueError(f"the {name} is empty and has no boundary to measure from")
