"""A short-axis stack seen from the heart: slices from base to apex, contours in millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.volume import LabelMap
from cardioseg.evaluation.volumetry import (
    for_volumes,
    left_ventricle,
    myocardium,
    right_ventricle,
)

Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SMOOTHING_PIXELS = 1.0
"""A contour follows the mask smoothed by so much, else it would have the pixels' corners."""


@dataclass(frozen=True, eq=False)
class ShortAxis:
    """Masks of a stack, its slices first, base to apex.

    Parameters
    ----------
    cavity, muscle, right
        Left ventricle's cavity, its muscle and the right ventricle's cavity (slices, rows,
        columns).
    in_plane
        Two columns: position in the plane, in mm, of a step along rows and along columns.
    plane
        Two columns (3, 2): the plane's axes in the patient (RAS+), unit and perpendicular.
    to_apex
        Unit vector from base to apex, perpendicular to the slices.
    slice_mm
        Distance of neighbouring slices.
    """

    cavity: BoolArray
    muscle: BoolArray
    right: BoolArray
    in_plane: Float64Array
    plane: Float64Array
    to_apex: Float64Array
    slice_mm: float

    @property
    def pixel_mm(self) -> float:
        """The longer side of a pixel."""
        return float(np.linalg.norm(self.in_plane, axis=0).max())

    def position(self, indices: Float64Array) -> Float64Array:
        """Points of a plane (n, 2), in mm, of rows and columns (n, 2)."""
        return indices @ self.in_plane.T


def short_axis(labels: LabelMap) -> tuple[ShortAxis | None, str]:
    """The stack of a label map, or None and why there is none.

    Slices are stacked along the axis of the largest spacing; the base is the end whose half of
    the slices holds more of the left ventricle's cavity. The muscle is the whole wall: with infarct
    and scar where the scheme has them apart.
    """
    labels = for_volumes(labels)
    scheme, axis = labels.scheme, labels.geometry.native_axis
    left, muscle = left_ventricle(scheme), myocardium(scheme)
    if left is None or muscle is None:
        return None, f"scheme {scheme.name} does not part the left ventricle and its muscle"
    if axis is None:
        return None, "no slice axis: two spacings tie for the largest"
    cavity = np.moveaxis(labels.mask(left), axis, 0)
    slices = np.flatnonzero(cavity.any(axis=(1, 2)))
    if len(slices) < 3:
        return None, f"left ventricle in {len(slices)} slices; base, middle and apex need three"
    areas = np.count_nonzero(cavity, axis=(1, 2))[slices]
    half = len(slices) // 2
    first, last = int(areas[:half].sum()), int(areas[-half:].sum())
    if first == last:
        return None, "base and apex cannot be told: both ends hold as much cavity"
    from_base = slice(None) if first > last else slice(None, None, -1)
    right = right_ventricle(scheme)
    blood = np.zeros(labels.array.shape, np.bool_) if right is None else labels.mask(right)
    rows, columns = (labels.geometry.affine[:3, a] for a in range(3) if a != axis)
    normal = np.cross(rows, columns)
    normal /= np.linalg.norm(normal)
    # Perpendicular to the slices even where the stack is sheared.
    step = labels.geometry.affine[:3, axis] * (1 if first > last else -1)
    first_axis = rows / np.linalg.norm(rows)
    plane = np.stack([first_axis, np.cross(normal, first_axis)], axis=1)
    return ShortAxis(
        cavity=cavity[from_base],
        muscle=np.moveaxis(labels.mask(muscle), axis, 0)[from_base],
        right=np.moveaxis(blood, axis, 0)[from_base],
        in_plane=plane.T @ np.stack([rows, columns], axis=1),
        plane=plane,
        to_apex=normal * np.sign(normal @ step),
        slice_mm=float(abs(normal @ step)),
    ), ""


def contour_mm(mask: BoolArray, stack: ShortAxis) -> Float64Array:
    """The longest contour of a mask in one slice, (n, 2) in mm, closely spaced; may be empty."""
    from scipy import ndimage
    from skimage import measure

    # Padded, so that a contour closes at the picture's edge.
    smooth = ndimage.gaussian_filter(np.pad(mask, 4).astype(np.float64), SMOOTHING_PIXELS)
    found = measure.find_contours(smooth, 0.5)
    if not found:
        return np.empty((0, 2))
    longest: Float64Array = max(found, key=len) - 4.0
    points = stack.position(longest)
    # Quarter-millimetre steps, so that the nearest point is as good as the nearest place.
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    places = np.linspace(0.0, lengths[-1], max(8, int(lengths[-1] / 0.25)), endpoint=False)
    return np.stack([np.interp(places, lengths, points[:, i]) for i in range(2)], axis=1)
