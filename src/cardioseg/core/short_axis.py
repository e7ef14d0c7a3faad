"""What is known of every short-axis stack of the heart, whoever looks at it."""

from __future__ import annotations

import numpy as np

from cardioseg.core.geometry import Geometry

FEW_SLICES = 5
"""A short-axis stack through both ventricles has at least this many slices."""


def pose_is_lost(geometry: Geometry) -> bool:
    """Whether the affine is a plain one, as conversions that lose the patient's pose leave it.

    A heart's short axis is never along the scanner's axes with the first voxel at the origin.

    Examples
    --------
    >>> pose_is_lost(Geometry((160, 160, 9), np.diag([1.5, 1.5, 8.0, 1.0])))
    True
    """
    plain = np.array_equal(np.abs(geometry.directions), np.eye(3))
    return bool(plain and not geometry.origin.any())
