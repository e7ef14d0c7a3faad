"""Triangles to pixels without a GPU: depth and surface direction of what is seen of a mesh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Float64Array

Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]

PAIRS = 3_000_000
"""Pairs of a triangle and a pixel that are tried at a time: about 300 MB."""


@dataclass(frozen=True, eq=False)
class Layer:
    """The front of one mesh as a camera sees it.

    Parameters
    ----------
    depth
        (H, W) float32, larger is nearer; -inf where the mesh is not.
    normals
        (H, W, 3) float32, unit vectors in the camera's axes: right, up, towards the camera.
    """

    depth: Float32Array
    normals: Float32Array


def vertex_normals(vertices: Float64Array, faces: Int64Array) -> Float64Array:
    """Unit normals (N, 3) of a mesh's vertices: the mean of their faces', weighted by area."""
    a, b, c = (vertices[faces[:, n]] for n in range(3))
    across = np.cross(b - a, c - a)
    sums = np.stack(
        [np.bincount(faces.ravel(), np.repeat(across[:, n], 3), len(vertices)) for n in range(3)],
        axis=1,
    )
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    unit: Float64Array = sums / np.maximum(lengths, 1e-12)
    return unit


def rasterise(
    points: Float64Array, normals: Float64Array, faces: Int64Array, size: tuple[int, int]
) -> Layer:
    """Draw a mesh into a depth buffer.

    Parameters
    ----------
    points
        Vertices (N, 3): column and row in pixels, and depth, larger is nearer.
    normals
        Their unit normals (N, 3) in the camera's axes.
    faces
        (M, 3); those that are wound clockwise on the picture look away and are left out.
    size
        Rows and columns.

    Examples
    --------
    >>> points = np.array([[0.0, 0.0, 1.0], [0.0, 9.0, 1.0], [9.0, 0.0, 1.0]])
    >>> layer = rasterise(points, np.tile([0.0, 0.0, 1.0], (3, 1)), np.array([[0, 1, 2]]), (8, 8))
    >>> bool(np.isfinite(layer.depth[1, 1])), bool(np.isfinite(layer.depth[7, 7]))
    (True, False)
    """
    rows, columns = size
    depth = np.full(rows * columns, -np.inf, np.float32)
    drawn = np.zeros((rows * columns, 3), np.float32)
    corners = points[faces]
    (ax, ay), (bx, by), (cx, cy) = (corners[:, n, :2].T for n in range(3))
    # Rows run downwards, so counter-clockwise triangles have negative area here.
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    front = np.flatnonzero(area < -1e-12)
    for triangle, column, row in _pairs(corners[front], size):
        number = front[triangle]
        weights = _weights(corners[number], column, row, area[number])
        inside = (weights >= 0).all(axis=1)
        number, weights = number[inside], weights[inside]
        pixel = (row * columns + column)[inside]
        near = np.einsum("ij,ij->i", weights, corners[number, :, 2]).astype(np.float32)
        np.maximum.at(depth, pixel, near)
        seen = near >= depth[pixel]
        turned = np.einsum("ij,ijk->ik", weights[seen], normals[faces[number[seen]]])
        drawn[pixel[seen]] = turned
    lengths = np.linalg.norm(drawn, axis=1, keepdims=True)
    drawn /= np.maximum(lengths, 1e-6)
    return Layer(depth.reshape(size), drawn.reshape(rows, columns, 3))


def _pairs(
    corners: Float64Array, size: tuple[int, int]
) -> Iterator[tuple[Int64Array, Int64Array, Int64Array]]:
    """Each triangle with every pixel of the box around it: triangle, column, row; in parts."""
    limit = np.array([size[1] - 1, size[0] - 1])
    low = np.clip(np.ceil(corners[:, :, :2].min(axis=1)), 0, limit + 1).astype(np.int64)
    high = np.clip(np.floor(corners[:, :, :2].max(axis=1)), -1, limit).astype(np.int64)
    sides = np.maximum(high - low + 1, 0)
    counts = sides.prod(axis=1)
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(PAIRS, total + PAIRS, PAIRS)).tolist()
    first = 0
    for cut in cuts:
        last = min(cut + 1, len(counts))
        part = np.arange(first, last)
        first = last
        triangle = np.repeat(part, counts[part])
        if not len(triangle):
            continue
        within = np.arange(len(triangle)) - np.repeat(
            np.cumsum(counts[part]) - counts[part], counts[part]
        )
        width = sides[triangle, 0]
        yield triangle, low[triangle, 0] + within % width, low[triangle, 1] + within // width


def _weights(
    corners: Float64Array, column: Int64Array, row: Int64Array, area: Float64Array
) -> Float64Array:
    """Barycentric coordinates (P, 3) of pixels in their triangles."""
    (ax, ay), (bx, by), (cx, cy) = (corners[:, n, :2].T for n in range(3))
    first = (bx - column) * (cy - row) - (cx - column) * (by - row)
    second = (cx - column) * (ay - row) - (ax - column) * (cy - row)
    weights = np.stack([first, second], axis=1) / area[:, None]
    return np.concatenate([weights, 1 - weights.sum(axis=1, keepdims=True)], axis=1)
