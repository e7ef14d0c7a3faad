"""Connected components of a label map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.volume import LabelMap
from cardioseg.ops.grid import reorientation


def keep_largest(labels: LabelMap, structure: str) -> LabelMap:
    """The label map with only the largest connected piece of one structure.

    Voxels that share a face are connected. Of two pieces of one size the one stays that comes
    first in R-A-S order, so that the answer does not depend on how the array is stored. Every
    other piece becomes background.

    Examples
    --------
    >>> from cardioseg.core.geometry import Geometry
    >>> from cardioseg.core.labels import ACDC
    >>> array = np.array([3, 3, 0, 3], np.uint8).reshape(4, 1, 1)
    >>> labels = LabelMap(array, Geometry((4, 1, 1), np.eye(4)), ACDC)
    >>> keep_largest(labels, "LV cavity").array.ravel().tolist()
    [3, 3, 0, 0]
    """
    mask = labels.mask(structure)
    to_ras = reorientation(labels.geometry, "RAS")
    kept = to_ras.invert(largest_component(to_ras.apply(mask)))
    array = labels.array.copy()
    array[mask & ~kept] = 0
    return LabelMap(array, labels.geometry, labels.scheme)


def largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest face-connected piece of a mask, the first of several; empty stays empty."""
    from scipy import ndimage

    pieces, count = ndimage.label(mask)
    if count <= 1:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    kept: NDArray[np.bool_] = pieces == int(sizes.argmax())
    return kept
