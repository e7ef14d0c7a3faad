"""Grids grown, refined, resized and moved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Float64Array, Geometry


def middle(geometry: Geometry) -> Float64Array:
    """Centre of a grid, RAS+ mm."""
    return geometry.to_world((np.array(geometry.shape) - 1) / 2)


def grown(geometry: Geometry, voxels: NDArray[np.int_]) -> Geometry:
    """The same voxels with so many more at both ends of each axis."""
    affine = np.array(geometry.affine)
    affine[:3, 3] = geometry.to_world(-voxels.astype(float))
    i, j, k = (np.array(geometry.shape) + 2 * voxels).tolist()
    return Geometry((i, j, k), affine)


def finer(geometry: Geometry, factor: float = 1.25) -> Geometry:
    """The same box, to a voxel, with voxels smaller by a factor."""
    i, j, k = np.ceil(np.multiply(geometry.shape, factor)).astype(int).tolist()
    affine = np.array(geometry.affine)
    affine[:3, :3] /= factor
    return Geometry((i, j, k), affine)


def scaled(geometry: Geometry, size: float) -> Geometry:
    """Everything in world coordinates larger by a factor: another size of the same patient."""
    affine = np.array(geometry.affine)
    affine[:3] *= size
    return Geometry(geometry.shape, affine)


def enlarged(geometry: Geometry, factor: float) -> Geometry:
    """Larger voxels about the grid's middle, which stays."""
    affine = np.array(geometry.affine)
    affine[:3, :3] *= factor
    affine[:3, 3] = middle(geometry) - affine[:3, :3] @ ((np.array(geometry.shape) - 1) / 2)
    return Geometry(geometry.shape, affine)


def moved(geometry: Geometry, way_mm: Float64Array) -> Geometry:
    """The same grid somewhere else."""
    affine = np.array(geometry.affine)
    affine[:3, 3] += way_mm
    return Geometry(geometry.shape, affine)


def part(geometry: Geometry, start: NDArray[np.int_], stop: NDArray[np.int_]) -> Geometry:
    """The voxels from `start` to before `stop`."""
    affine = np.array(geometry.affine)
    affine[:3, 3] = geometry.to_world(start)
    i, j, k = (stop - start).tolist()
    return Geometry((i, j, k), affine)


def cubic_grid(like: Geometry, extent_mm: Float64Array, spacing_mm: float) -> Geometry:
    """A grid of cubic voxels with the axes and the middle of another."""
    i, j, k = np.ceil(extent_mm / spacing_mm).astype(int).tolist()
    affine = np.eye(4)
    affine[:3, :3] = like.directions * spacing_mm
    affine[:3, 3] = middle(like) - affine[:3, :3] @ ((np.array((i, j, k)) - 1) / 2)
    return Geometry((i, j, k), affine)
