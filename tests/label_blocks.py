"""Label maps with so many voxels of each structure."""

from __future__ import annotations

import numpy as np

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, LabelScheme
from cardioseg.core.volume import LabelMap

GRID = Geometry((10, 10, 6), np.diag([2.0, 2.0, 10.0, 1.0]))


def block(scheme: LabelScheme = ACDC, grid: Geometry = GRID, **counts: int) -> LabelMap:
    """A label map with that many voxels of each structure, spaces written as underscores."""
    array = np.zeros(grid.shape, np.uint8)
    flat, start = array.reshape(-1), 0
    for name, count in counts.items():
        flat[start : start + count] = scheme.structure(name.replace("_", " ")).value
        start += count
    return LabelMap(array, grid, scheme)
