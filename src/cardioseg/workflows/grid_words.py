"""A grid in words: where its axes point, and which anatomical planes its slices are."""

from __future__ import annotations

import numpy as np

from cardioseg.core.geometry import Float64Array, Geometry

OBLIQUE_DEGREES = 15.0
"""Slices farther than this from an anatomical plane are called oblique."""

_TOLD_DEGREES = 1.0
_SIDES = {
    "L": "left",
    "R": "right",
    "A": "front (anterior)",
    "P": "back (posterior)",
    "S": "head (superior)",
    "I": "feet (inferior)",
}
_WORLD_AXIS = {"L": 0, "R": 0, "A": 1, "P": 1, "S": 2, "I": 2}
_PLANES = ("sagittal", "coronal", "axial")


def axis_words(geometry: Geometry, axis: int) -> str:
    """Where one array axis points, and which plane the slices across it are.

    Parameters
    ----------
    geometry
        The grid.
    axis
        Array axis, 0 to 2; the words count from 1.

    Examples
    --------
    >>> axis_words(Geometry((4, 5, 6), np.diag([-1.5, 1.5, 8.0, 1.0])), 0)
    "axis 1 points to the patient's left; slices across it are sagittal"
    """
    letter = geometry.orientation[axis]
    angle = _degrees(geometry.directions[:, axis], _WORLD_AXIS[letter])
    off = f", {angle:.0f} degrees off" if angle >= _TOLD_DEGREES else ""
    side = _SIDES[letter]
    return (
        f"axis {axis + 1} points to the patient's {side}{off}; "
        f"slices across it are {slice_words(geometry, axis)}"
    )


def slice_words(geometry: Geometry, axis: int) -> str:
    """The anatomical plane of the slices across one array axis, with its angle where oblique.

    Examples
    --------
    >>> slice_words(Geometry((4, 5, 6), np.diag([1.5, 1.5, 8.0, 1.0])), 2)
    'axial'
    """
    one, other = (geometry.directions[:, n] for n in range(3) if n != axis)
    # On a sheared grid the slices are not perpendicular to the axis across them.
    normal = np.cross(one, other)
    world = int(np.abs(normal).argmax())
    angle = _degrees(normal, world)
    if angle > OBLIQUE_DEGREES:
        return f"oblique, {angle:.0f} degrees from {_PLANES[world]}"
    off = f", {angle:.0f} degrees off" if angle >= _TOLD_DEGREES else ""
    return _PLANES[world] + off


def own_plane_words(geometry: Geometry, orientation_known: bool = True) -> str:
    """The plane that a stack was acquired in, or that none is its own.

    Parameters
    ----------
    geometry
        The grid.
    orientation_known
        False leaves out what the plane is in the patient.

    Examples
    --------
    >>> own_plane_words(Geometry((4, 5, 6), np.diag([1.5, 1.5, 8.0, 1.0])))
    'across axis 3, 8 mm apart: axial'
    """
    axis = geometry.native_axis
    if axis is None:
        return (
            "none: no spacing is the single largest; name the plane (--plane), or take a model of "
            "orthogonal planes"
        )
    where = f"across axis {axis + 1}, {geometry.spacing[axis]:.4g} mm apart"
    return f"{where}: {slice_words(geometry, axis)}" if orientation_known else where


def _degrees(direction: Float64Array, world: int) -> float:
    """Angle between a direction and a world axis, 0 to 90 degrees."""
    cosine = abs(float(direction[world])) / float(np.linalg.norm(direction))
    return float(np.degrees(np.arccos(min(cosine, 1.0))))
