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


def keep_one_heart(labels: LabelMap) -> LabelMap:
    """The label map with one heart, and one piece of each structure in it.

    First only the largest piece of all structures together stays, then the largest piece of each.
    The order matters: an island far away may be larger than what was found of a structure at the
    heart. For the heart, voxels that share a corner are connected, so that slices which lie a
    little apart from each other stay one stack.

    Examples
    --------
    >>> from cardioseg.core.geometry import Geometry
    >>> from cardioseg.core.labels import ACDC
    >>> array = np.array([1, 2, 3, 0, 1, 1], np.uint8).reshape(6, 1, 1)
    >>> labels = LabelMap(array, Geometry((6, 1, 1), np.eye(4)), ACDC)
    >>> keep_one_heart(labels).array.ravel().tolist()
    [1, 2, 3, 0, 0, 0]
    """
    to_ras = reorientation(labels.geometry, "RAS")
    heart = largest_component(to_ras.apply(labels.array > 0), corners=True)
    array = np.where(to_ras.invert(heart), labels.array, np.uint8(0))
    answer = LabelMap(np.ascontiguousarray(array), labels.geometry, labels.scheme)
    for structure in labels.scheme.structures:
        answer = keep_largest(answer, structure.name)
    return answer


def largest_component(mask: NDArray[np.bool_], *, corners: bool = False) -> NDArray[np.bool_]:
    """The largest connected piece of a mask, the first of several; empty stays empty.

    Voxels that share a face are connected; with `corners` those that share an edge or a corner too.
    """
    from scipy import ndimage

    structure = ndimage.generate_binary_structure(mask.ndim, mask.ndim if corners else 1)
    pieces, count = ndimage.label(mask, structure)
    if count <= 1:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    kept: NDArray[np.bool_] = pieces == int(sizes.argmax())
    return kept
