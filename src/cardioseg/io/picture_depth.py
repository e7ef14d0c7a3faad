"""A picture has two axes; a grid has three: the depth that a picture is given."""

from __future__ import annotations

import numpy as np

from cardioseg.core.geometry import Float64Array

PICTURE_DEPTH_MM = 1.0
"""Depth of the one slice that a picture becomes, in mm: its volumes in ml are areas times this."""

PICTURE_NOTE = (
    f"a picture of two axes: read as one slice of {PICTURE_DEPTH_MM:g} mm, so that a volume is an "
    f"area times {PICTURE_DEPTH_MM:g} mm"
)


def with_depth(affine: Float64Array) -> Float64Array:
    """The affine (4, 4) with a third axis of unit depth, perpendicular to the other two.

    Two parallel axes stay as they are, for the grid to refuse.

    Examples
    --------
    >>> with_depth(np.diag([-0.3, -0.3, 0.0, 1.0]))[:3, 2].tolist()
    [0.0, 0.0, 1.0]
    """
    answer = np.array(affine, dtype=np.float64)
    across = np.cross(answer[:3, 0], answer[:3, 1])
    length = float(np.linalg.norm(across))
    if length > 0:
        # Adding zero turns -0 into 0, so that equal grids print alike.
        answer[:3, 2] = across / length * PICTURE_DEPTH_MM + 0.0
    return answer
