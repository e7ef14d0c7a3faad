"""Painting shapes onto a grid: only the part of the grid that a shape can reach is visited."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.phantom.shapes import Coordinates, Shape
from cardioseg.phantom.tissue import Tissue

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Layer:
    """One solid of one tissue.

    Parameters
    ----------
    shape
        Where.
    tissue
        What.
    over
        The only tissue that it may replace; None replaces all.
    """

    shape: Shape
    tissue: Tissue
    over: Tissue | None = None


def coordinates(geometry: Geometry, box: Box) -> tuple[Coordinates, Coordinates, Coordinates]:
    """RAS+ positions x, y and z, in mm, of the voxel centres in a box of the grid (float32)."""
    i, j, k = (np.arange(side.start, side.stop, dtype=np.float64) for side in box)
    rows = geometry.affine[:3]
    x, y, z = (
        (r[0] * i[:, None, None] + r[1] * j[:, None] + r[3]).astype(np.float32)
        + (r[2] * k).astype(np.float32)
        for r in rows
    )
    return x, y, z


def box_around(geometry: Geometry, shape: Shape) -> Box | None:
    """The part of the grid that a shape can reach; None if it lies outside."""
    hull = geometry.to_index(shape.hull)
    start = np.maximum(np.ceil(hull.min(axis=0)), 0).astype(int)
    stop = np.minimum(np.floor(hull.max(axis=0)) + 1, geometry.shape).astype(int)
    if (stop <= start).any():
        return None
    i, j, k = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return i, j, k


def paint(canvas: NDArray[np.uint8], geometry: Geometry, layer: Layer) -> None:
    """Write a layer's tissue into the voxels of a canvas whose centres lie in its solid.

    Parameters
    ----------
    canvas
        Array (I, J, K) that is written to.
    geometry
        Its grid.
    layer
        What to paint.
    """
    box = box_around(geometry, layer.shape)
    if box is None:
        return
    inside = layer.shape.contains(*coordinates(geometry, box))
    if layer.over is not None:
        inside &= canvas[box] == layer.over
    canvas[box][inside] = layer.tissue
