"""From a signed field to a closed, manifold triangle mesh of a given volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Float64Array
from cardioseg.ops.mesh_field import Field
from cardioseg.ops.mesh_slices import Float32Array, Mask

Int64Array = NDArray[np.int64]

NUDGE = 0.02
"""Values nearer to zero than this share of a sample's distance are moved away from it.

Marching cubes puts a vertex onto a sample whose value is zero, and triangles there have no area:
smoothing or printing makes spikes of them.
"""

SIGN_TURNS = 30
"""Turns in which a diagonal contact is cut or filled; later ones only fill, which ends for sure."""

VOLUME_ROUNDS = 6
VOLUME_TOLERANCE = 5e-4
"""Relative difference of volume up to which a level is sought."""


@dataclass(frozen=True, eq=False)
class Surface:
    """A triangle mesh in voxel indices and in millimetres, and the level that it was cut at.

    Parameters
    ----------
    vertices
        (N, 3) float64, RAS+ mm.
    faces
        (M, 3) int64, counter-clockwise seen from outside.
    index
        The vertices (N, 3) in voxel indices.
    level_mm
        Level of the field, in mm inwards.
    """

    vertices: Float64Array
    faces: Int64Array
    index: Float64Array
    level_mm: float = 0.0


def surface_of(field: Field, level_mm: float = 0.0) -> Surface:
    """The level set of a field as a closed mesh without edges or corners that two sheets share.

    References
    ----------
    Lewiner et al., Journal of Graphics Tools 2003, doi:10.1080/10867651.2003.10487582

    Examples
    --------
    >>> from cardioseg.core.geometry import Geometry
    >>> from cardioseg.ops.mesh_field import field_of
    >>> mask = np.zeros((5, 5, 5), bool)
    >>> mask[2, 2, 2] = True
    >>> surface = surface_of(field_of(mask, Geometry((5, 5, 5), np.eye(4)), smooth=False))
    >>> surface.vertices.shape, surface.faces.shape
    ((6, 3), (8, 3))
    """
    from skimage.measure import marching_cubes

    values = _nudged(field.at(level_mm), float(field.step_mm.min()))
    values = well_composed(values, (field.low, field.high))
    samples, faces, _, _ = marching_cubes(values, 0.0, allow_degenerate=True)
    index = field.to_index(samples)
    faces = faces.astype(np.int64)
    # Marching cubes winds its faces clockwise in right-handed axes, seen from outside.
    if np.linalg.det(field.geometry.affine[:3, :3]) > 0:
        faces = faces[:, ::-1]
    return Surface(
        field.geometry.to_world(index), np.ascontiguousarray(faces), index, float(level_mm)
    )


def surface_with_volume(field: Field, volume_mm3: float) -> Surface:
    """The level set that has a wanted volume, as nearly as the field's bounds allow.

    A level moves the surface along its normal, so its volume falls by area x level: a few Newton
    steps. The level stays within half a sample's distance and half a voxel's.
    """
    limit = float(min(field.geometry.spacing))
    best, level = surface_of(field), 0.0
    for _ in range(VOLUME_ROUNDS):
        missing = volume_mm3 - signed_volume_mm3(best.vertices, best.faces)
        area = area_mm2(best.vertices, best.faces)
        if abs(missing) <= VOLUME_TOLERANCE * volume_mm3 or area == 0:
            break
        level = float(np.clip(level - missing / area, -limit, limit))
        tried = surface_of(field, level)
        left = volume_mm3 - signed_volume_mm3(tried.vertices, tried.faces)
        if abs(left) >= abs(missing):
            break
        best = tried
    return best


def signed_volume_mm3(vertices: Float64Array, faces: Int64Array) -> float:
    """Volume enclosed by a closed mesh, in mm^3; negative if it is inside out."""
    if not len(faces):
        return 0.0
    a, b, c = (vertices[faces[:, n]] - vertices[faces[0, 0]] for n in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def areas_mm2(vertices: Float64Array, faces: Int64Array) -> Float64Array:
    """Area (M,) of each face, in mm^2."""
    a, b, c = (vertices[faces[:, n]] for n in range(3))
    doubled: Float64Array = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return doubled / 2


def area_mm2(vertices: Float64Array, faces: Int64Array) -> float:
    """Area of a mesh, in mm^2."""
    return float(areas_mm2(vertices, faces).sum())


def _nudged(values: Float32Array, step_mm: float) -> Float32Array:
    least = np.float32(NUDGE * step_mm)
    near = np.abs(values) < least
    values[near] = np.where(values[near] > 0, least, -least)
    return values


def well_composed(values: Float32Array, bounds: tuple[Float32Array, Float32Array]) -> Float32Array:
    """A field without squares of four samples whose signs form a chequer.

    Two voxels that touch along an edge only would give an edge with four faces: of the four samples
    around it one changes its sign, the one whose value is smallest of those that the bounds leave
    free.
    """
    values = values.copy()
    least = np.float32(np.abs(values).min())
    squares = [(plane, where) for plane in _PLANES for where in _chequered(values > 0, plane)]
    turn = 0
    while squares:
        # A square may have been mended together with one before it.
        changed = {
            _mended(values, bounds, square, least, turn >= SIGN_TURNS)
            for square in squares
            if _is_chequered(values, *square)
        }
        squares = _chequered_around(values, changed)
        turn += 1
    return values


_PLANES = ((0, 1), (0, 2), (1, 2))

Sample = tuple[int, int, int]


def _square(plane: tuple[int, int], where: NDArray[np.integer] | Sample) -> list[Sample]:
    """The four samples of a square in a plane, around it, from its first."""
    corners = []
    for a, b in ((0, 0), (1, 0), (1, 1), (0, 1)):
        corner = [int(n) for n in where]
        corner[plane[0]] += a
        corner[plane[1]] += b
        corners.append((corner[0], corner[1], corner[2]))
    return corners


def _is_chequered(
    values: Float32Array, plane: tuple[int, int], where: NDArray[np.integer] | Sample
) -> bool:
    p, q, r, s = (bool(values[corner] > 0) for corner in _square(plane, where))
    return p == r and q == s and p != q


def _mended(
    values: Float32Array,
    bounds: tuple[Float32Array, Float32Array],
    square: tuple[tuple[int, int], NDArray[np.integer] | Sample],
    least: np.float32,
    only_fill: bool,
) -> Sample:
    """Change the sign of one sample of a chequered square, in place; which one."""
    low, high = bounds

    def cost(corner: Sample) -> tuple[bool, bool, float]:
        inside = bool(values[corner] > 0)
        bound = bool(low[corner] > 0 if inside else high[corner] < 0)
        return only_fill and inside, bound, abs(float(values[corner]))

    chosen = min(_square(*square), key=cost)
    values[chosen] = -least if values[chosen] > 0 else least
    return chosen


def _chequered_around(
    values: Float32Array, samples: set[Sample]
) -> list[tuple[tuple[int, int], Sample]]:
    """Chequered squares that hold one of the samples."""
    found = []
    for plane in _PLANES:
        first, second = (np.eye(3, dtype=int)[axis] for axis in plane)
        near = {
            tuple(int(n) for n in np.subtract(s, a * first + b * second))
            for s in samples
            for a in (0, 1)
            for b in (0, 1)
        }
        for i, j, k in sorted(near):
            if _is_chequered(values, plane, (i, j, k)):
                found.append((plane, (i, j, k)))
    return found


def _chequered(inside: Mask, plane: tuple[int, int]) -> Int64Array:
    """Where squares of samples in a plane have signs + - / - +: index (N, 3) of their first."""

    def shifted(a: int, b: int) -> Mask:
        moved = [slice(None)] * 3
        moved[plane[0]] = slice(a, inside.shape[plane[0]] - 1 + a)
        moved[plane[1]] = slice(b, inside.shape[plane[1]] - 1 + b)
        return inside[tuple(moved)]

    p, q, r, s = shifted(0, 0), shifted(1, 0), shifted(0, 1), shifted(1, 1)
    where: Int64Array = np.argwhere((p == s) & (q == r) & (p != q))
    return where
