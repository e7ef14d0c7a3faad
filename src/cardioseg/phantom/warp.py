"""Tissues or labels seen through a random turn, stretch and free-form deformation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Float64Array, Geometry
from cardioseg.phantom.resizing import middle
from cardioseg.phantom.setting import Setting

LEAST_SHARE = 0.3
"""Each scan is deformed by at least this share of the setting's strength."""


def warped(
    array: NDArray[np.uint8],
    source: Geometry,
    grid: Geometry,
    setting: Setting,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Tissues or labels resampled on a grid of the same axes after a random deformation.

    The nearest voxel is taken, and beyond the source's edge the edge's.

    Parameters
    ----------
    array
        Values (I, J, K) on `source`.
    source, grid
        Where they come from and where they go; axes point the same way.
    setting
        How strong the deformation may be.
    rng
        Source of randomness.
    """
    share = float(rng.uniform(LEAST_SHARE, 1))
    angles = np.deg2rad(rng.normal(0, setting.turn_deg, 3))
    matrix = _turn(angles) * np.exp(rng.normal(0, setting.stretch, 3))
    way = setting.deformation.weaker(share).displacement(grid, rng)
    start = source.to_index(middle(grid))
    offsets = [
        ((np.arange(n) - (n - 1) / 2) * s).astype(np.float32)
        for n, s in zip(grid.shape, grid.spacing, strict=True)
    ]
    i, j, k = offsets[0][:, None, None], offsets[1][:, None], offsets[2]
    index = []
    for axis in range(3):
        a, b, c = matrix[axis].astype(np.float32)
        position = (a * i + b * j + c * k + way[axis]) / np.float32(source.spacing[axis])
        nearest = np.rint(position + np.float32(start[axis]))
        index.append(np.clip(nearest, 0, source.shape[axis] - 1).astype(np.int32))
    answer: NDArray[np.uint8] = array[index[0], index[1], index[2]]
    return answer


def _turn(angles: Float64Array) -> Float64Array:
    """Rotation (3, 3) about the three axes in turn."""
    answer = np.eye(3)
    for axis, angle in enumerate(angles):
        c, s = np.cos(angle), np.sin(angle)
        first, second = (a for a in range(3) if a != axis)
        step = np.eye(3)
        step[first, first] = step[second, second] = c
        step[first, second], step[second, first] = -s, s
        answer = answer @ step
    return answer
