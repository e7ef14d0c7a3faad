"""Connected components of a label map."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.volume import LabelMap
from cardioseg.ops.grid import reorientation
from cardioseg.ops.pieces import connected_pieces


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
    array = labels.array.copy()
    _keep_largest(
        reorientation(labels.geometry, "RAS").apply(array), labels.scheme.structure(structure).value
    )
    return LabelMap(array, labels.geometry, labels.scheme)


def keep_one_heart(labels: LabelMap, apart: Collection[str] = ()) -> LabelMap:
    """The label map with one heart, and one piece of each structure in it.

    First only the largest piece of all structures together stays, then the largest piece of each.
    The order matters: an island far away may be larger than what was found of a structure at the
    heart. For the heart, voxels that share a corner are connected, so that slices which lie a
    little apart from each other stay one stack.

    Parameters
    ----------
    labels
        The label map.
    apart
        Names of structures of which every piece in the heart stays.

    Examples
    --------
    >>> from cardioseg.core.geometry import Geometry
    >>> from cardioseg.core.labels import ACDC
    >>> array = np.array([1, 2, 3, 0, 1, 1], np.uint8).reshape(6, 1, 1)
    >>> labels = LabelMap(array, Geometry((6, 1, 1), np.eye(4)), ACDC)
    >>> keep_one_heart(labels).array.ravel().tolist()
    [1, 2, 3, 0, 0, 0]
    """
    array = labels.array.copy()
    in_ras = reorientation(labels.geometry, "RAS").apply(array)
    # Most of a large volume holds no label: what follows looks at the rest only.
    box = in_ras[bounding_box(in_ras)]
    box[~largest_component(box > 0, corners=True)] = 0
    for structure in labels.scheme.structures:
        if structure.name not in apart:
            _keep_largest(box, structure.value)
    array.setflags(write=False)
    return LabelMap(array, labels.geometry, labels.scheme)


def bounding_box(labels: NDArray[np.uint8]) -> tuple[slice, ...]:
    """The smallest box that holds every voxel that is not 0; empty where all are.

    Examples
    --------
    >>> bounding_box(np.array([[0, 0, 0], [0, 7, 7]], np.uint8))
    (slice(1, 2, None), slice(1, 3, None))
    """
    axes = range(labels.ndim)
    found = [np.flatnonzero(labels.any(axis=tuple(a for a in axes if a != axis))) for axis in axes]
    return tuple(slice(int(f[0]), int(f[-1]) + 1) if len(f) else slice(0, 0) for f in found)


def _keep_largest(labels: NDArray[np.uint8], value: int) -> None:
    """Set all but the largest piece of one value to 0, in place."""
    mask = labels == value
    labels[mask & ~largest_component(mask)] = 0


def largest_component(mask: NDArray[np.bool_], *, corners: bool = False) -> NDArray[np.bool_]:
    """The largest connected piece of a mask, the first of several; empty stays empty.

    Voxels that share a face are connected; with `corners` those that share an edge or a corner too.
    """
    pieces = connected_pieces(mask, corners=corners)
    if len(pieces.sizes) <= 1:
        return mask
    return pieces.mask(np.arange(len(pieces.sizes)) == pieces.sizes.argmax())
