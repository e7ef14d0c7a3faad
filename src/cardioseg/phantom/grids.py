"""Where a scanner would place its slices: short-axis stacks and whole-heart boxes."""

from __future__ import annotations

import numpy as np

from cardioseg.core.geometry import Float64Array, Geometry
from cardioseg.phantom.anatomy import HeartShape

WHOLE_HEART_MM = (160.0, 176.0, 172.0)
"""Extent of the whole-heart box from front to back, head to foot and left to right."""


def short_axis_grid(heart: HeartShape, size: int, rng: np.random.Generator) -> Geometry:
    """A stack across the left ventricle's long axis, from above its base to beyond its apex.

    Parameters
    ----------
    heart
        The heart at end diastole.
    size
        Rows and columns of a slice.
    rng
        Draws spacing, errors of the planning and the order of storage: each array axis may run
        either way, and the affine says so.

    Returns
    -------
    Geometry
        size x size x slices voxels of 1.4 to 1.8 by 8 to 10 mm.
    """
    spacing = (float(rng.uniform(1.4, 1.8)),) * 2 + (float(rng.choice((8.0, 9.0, 10.0))),)
    length = heart.lv.depth_mm + heart.lv.semi_axes[2] + heart.lv.apex_wall_mm
    slices = int(np.ceil(length / spacing[2])) + 1
    offset = rng.normal((16.0, 0.0, -3.0), (8.0, 8.0, 1.5))
    centre = np.array(heart.pose.frame.place((offset[0], offset[1], offset[2] + length / 2)))
    u, v, w = np.array(heart.pose.frame.axes)
    columns = np.stack([-u, v, w], axis=1) @ _turn(rng.normal(0, 3, 2), rng.normal(-34, 10))
    if heart.mirrored:
        # The patient is mirrored, the scanner is not: columns still run to the patient's left.
        centre[0] *= -1
        columns[0] *= -1
        columns[:, 0] *= -1
    columns = columns * np.where(rng.random(3) < (0.25, 0.25, 0.5), -1, 1)
    return _centred((size, size, slices), columns * spacing, centre)


def whole_heart_grid(heart: HeartShape, spacing_mm: float) -> Geometry:
    """A box along the patient's axes around heart and great vessels, stored as P-I-R.

    Parameters
    ----------
    heart
        The heart.
    spacing_mm
        Side of a voxel.
    """
    x, y, z = np.add(heart.pose.base_centre, (2.0, 1.0, 6.0)).tolist()
    i, j, k = (int(np.ceil(extent / spacing_mm)) for extent in WHOLE_HEART_MM)
    columns = spacing_mm * np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    return _centred((i, j, k), columns, np.array((-x if heart.mirrored else x, y, z)))


def _turn(tilts_deg: Float64Array, angle_deg: float) -> Float64Array:
    """Rotation (3, 3) by an angle in the plane after small tilts of the plane."""
    tilt_u, tilt_v, angle = np.deg2rad([*tilts_deg, angle_deg])
    cu, su, cv, sv = np.cos(tilt_u), np.sin(tilt_u), np.cos(tilt_v), np.sin(tilt_v)
    about_u = np.array([[1, 0, 0], [0, cu, -su], [0, su, cu]])
    about_v = np.array([[cv, 0, sv], [0, 1, 0], [-sv, 0, cv]])
    c, s = np.cos(angle), np.sin(angle)
    answer: Float64Array = about_u @ about_v @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return answer


def _centred(shape: tuple[int, int, int], columns: Float64Array, centre: Float64Array) -> Geometry:
    affine = np.eye(4)
    affine[:3, :3] = columns
    affine[:3, 3] = centre - columns @ ((np.array(shape) - 1) / 2)
    return Geometry(shape, affine)
