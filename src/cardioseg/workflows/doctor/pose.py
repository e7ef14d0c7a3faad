"""How a heart lies: towards apex and right ventricle, and whether its image is a mirror image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Float64Array
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.ops.grid import Reorientation
from cardioseg.workflows.doctor.labels import Parts

Float32Array = NDArray[np.float32]

SIDE, STEP_MM, HEIGHTS_MM = 28, 6.0, (-16.0, 0.0, 16.0)
"""The picture of a heart in its own frame: three sections of 162 x 162 mm."""

CLEAR_SLOPE = 1.0
"""Sum of the correlations of the ventricles' areas with the slice number; below, the apex is not
told."""


@dataclass(frozen=True, eq=False)
class HeartPose:
    """Where a heart points in the patient, and its picture in its own frame.

    Parameters
    ----------
    to_apex, to_rv
        Unit vectors (3,) in the world: base to apex, and LV to RV across it.
    picture
        Intensities 0 to 1 (sections, SIDE, SIDE): the second axis runs to the RV, the third at
        right angles, by the right-hand rule; NaN outside the image. In a mirrored image the third
        axis runs the other way.
    """

    to_apex: Float64Array
    to_rv: Float64Array
    picture: Float32Array

    def moved(self, step: Reorientation, directions: Float64Array) -> tuple[Float64Array, ...]:
        """The two vectors after the arrays were moved on their grid."""
        change = np.zeros((3, 3))
        for new, (old, flip) in enumerate(zip(step.axes, step.flips, strict=True)):
            change[new, old] = -1 if flip else 1
        turn = directions @ change @ np.linalg.inv(directions)
        return turn @ self.to_apex, turn @ self.to_rv


def heart_pose(image: Volume, labels: LabelMap, parts: Parts) -> HeartPose | None:
    """The pose of a heart in a stack; None where the labels or the slices do not tell it."""
    axis = labels.geometry.native_axis
    if axis is None or parts.lv is None or parts.rv is None:
        return None
    lv, rv = labels.array == parts.lv, labels.array == parts.rv
    if not (lv.any() and rv.any()):
        return None
    slope = sum(_slope(np.moveaxis(mask, axis, 0).sum(axis=(1, 2))) for mask in (lv, rv))
    if abs(slope) < CLEAR_SLOPE:
        return None
    geometry = labels.geometry
    to_apex = -np.sign(slope) * geometry.directions[:, axis]
    centre, right = (geometry.to_world(np.argwhere(mask).mean(axis=0)) for mask in (lv, rv))
    across = right - centre
    across = across - to_apex * (across @ to_apex)
    length = float(np.linalg.norm(across))
    if length < min(geometry.spacing):
        return None
    to_rv = across / length
    return HeartPose(to_apex, to_rv, _picture(image, centre, to_apex, to_rv))


def _slope(areas: NDArray[np.integer]) -> float:
    """Correlation of the area with the slice number, over the slices that have any."""
    where = np.flatnonzero(areas)
    if len(where) < 3 or np.ptp(areas[where]) == 0:
        return 0.0
    return float(np.corrcoef(where, areas[where])[0, 1])


def _picture(
    image: Volume, centre: Float64Array, to_apex: Float64Array, to_rv: Float64Array
) -> Float32Array:
    from scipy import ndimage

    geometry = image.geometry
    low, high = np.percentile(image.array, (1, 99))
    sigma = [STEP_MM / 2 / s if s < STEP_MM else 0 for s in geometry.spacing]
    smooth = ndimage.gaussian_filter((image.array - low) / max(high - low, 1e-6), sigma)
    offsets = (np.indices((SIDE, SIDE)).reshape(2, -1).T - (SIDE - 1) / 2) * STEP_MM
    plane = offsets @ np.stack([to_rv, np.cross(to_apex, to_rv)])
    places = np.concatenate([centre + plane + height * to_apex for height in HEIGHTS_MM])
    values = ndimage.map_coordinates(smooth, geometry.to_index(places).T, order=1, cval=np.nan)
    picture: Float32Array = values.reshape(len(HEIGHTS_MM), SIDE, SIDE).astype(np.float32)
    return picture


def pictures_of_others(
    pictures: Sequence[Float32Array], owners: Sequence[str]
) -> list[Float32Array]:
    """For each picture the mean of other owners'; NaN where fewer than half have a value."""
    values = np.stack(pictures)
    known, filled = np.isfinite(values), np.nan_to_num(values)
    names = np.array(owners)
    means = []
    for name in owners:
        own = names == name
        count = known.sum(axis=0) - known[own].sum(axis=0)
        total = filled.sum(axis=0) - filled[own].sum(axis=0)
        usual = 2 * count > np.count_nonzero(~own)
        means.append(np.where(usual, total / np.maximum(count, 1), np.nan).astype(np.float32))
    return means


def handedness(picture: Float32Array, reference: Float32Array) -> float:
    """How much better a picture fits a reference than its mirror image does, -2 to 2.

    0 where less than half of it can be compared: a heart at the edge of its image.
    """
    mirrored = picture[..., ::-1]
    usual = np.isfinite(reference) & np.isfinite(reference[..., ::-1])
    known = np.isfinite(picture) & np.isfinite(mirrored) & usual
    if 2 * np.count_nonzero(known) < known.size:
        return 0.0
    own, other, rest = (each[known] - each[known].mean() for each in (picture, mirrored, reference))
    length = float(np.linalg.norm(own) * np.linalg.norm(rest))
    # Mirrored about its middle, the picture has the same values where both are known.
    return float((own - other) @ rest) / length if length else 0.0
