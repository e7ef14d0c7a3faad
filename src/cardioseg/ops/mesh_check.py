"""Whether a mesh can be printed, and how far it lies from the labels' surface."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Float64Array, Geometry
from cardioseg.ops.mesh_slices import Mask
from cardioseg.ops.mesh_surface import Int64Array, areas_mm2, signed_volume_mm3

SMALLEST_AREA_MM2 = 1e-9
"""A face of less area is degenerate: STL's float32 would make it a line."""


@dataclass(frozen=True)
class MeshCheck:
    """What was checked of a mesh; `problems` says in words why it is not sound.

    Parameters
    ----------
    faces, vertices
        How many.
    open_edges
        Edges of one face only: holes.
    crowded_edges
        Edges of three faces or more.
    twisted_edges
        Edges whose two faces run along them in the same direction: one is inside out.
    pinched_vertices
        Vertices in which separate fans of faces touch.
    degenerate_faces
        Faces with a repeated vertex or of less than 1e-9 mm^2.
    volume_ml
        Volume enclosed, in ml; negative if the mesh is inside out.
    bodies, cavities
        Closed sheets that enclose solid, and that enclose a hollow.
    """

    faces: int
    vertices: int
    open_edges: int
    crowded_edges: int
    twisted_edges: int
    pinched_vertices: int
    degenerate_faces: int
    volume_ml: float
    bodies: int
    cavities: int

    @property
    def watertight(self) -> bool:
        """Whether the mesh is closed, manifold, wound one way, right side out and not flat."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words; empty for a sound mesh."""
        counted = (
            (self.open_edges, "edges of one face (holes)"),
            (self.crowded_edges, "edges of three faces or more"),
            (self.twisted_edges, "edges between faces of opposite winding"),
            (self.pinched_vertices, "vertices where separate surfaces touch"),
            (self.degenerate_faces, "faces without area"),
        )
        found = [f"{count} {what}" for count, what in counted if count]
        if not self.faces:
            found.append("no faces")
        elif self.volume_ml <= 0 and not self.open_edges:
            found.append("inside out")
        return tuple(found)


def check(vertices: Float64Array, faces: Int64Array) -> MeshCheck:
    """Check a mesh.

    Parameters
    ----------
    vertices
        (N, 3), mm.
    faces
        (M, 3).

    Examples
    --------
    >>> corners = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]], float)
    >>> sides = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    >>> check(corners, sides).watertight, check(corners, sides[:3]).problems
    (True, ('3 edges of one face (holes)',))
    """
    directed = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    # One number an edge: sorting pairs takes several times as long.
    numbers = directed.min(axis=1) * len(vertices) + directed.max(axis=1)
    edges, where, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    forwards = np.bincount(where, directed[:, 0] < directed[:, 1], len(edges))
    pieces = [signed_volume_mm3(vertices, faces[chosen]) for chosen in sheets(faces)]
    repeated = (faces == np.roll(faces, 1, axis=1)).any(axis=1)
    return MeshCheck(
        faces=len(faces),
        vertices=len(vertices),
        open_edges=int((counts == 1).sum()),
        crowded_edges=int((counts > 2).sum()),
        twisted_edges=int(((counts == 2) & (forwards != 1)).sum()),
        pinched_vertices=_pinched(faces, where.reshape(-1, 3)),
        degenerate_faces=int((repeated | (areas_mm2(vertices, faces) < SMALLEST_AREA_MM2)).sum()),
        volume_ml=signed_volume_mm3(vertices, faces) / 1000,
        bodies=sum(volume > 0 for volume in pieces),
        cavities=sum(volume < 0 for volume in pieces),
    )


def _pinched(faces: Int64Array, edge_of: NDArray[np.integer]) -> int:
    """Vertices whose faces form more than one fan.

    A corner is one vertex of one face. Corners of one vertex on both sides of an edge hang
    together; each vertex should have one such group.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(faces):
        return 0
    corners = np.arange(faces.size).reshape(-1, 3)
    # The corners at either end of the edge n: vertex n and vertex n + 1 of the face.
    ends = np.concatenate([corners, np.roll(corners, -1, axis=1)]).ravel()
    keys = np.stack([np.tile(edge_of, (2, 1)).ravel(), faces.ravel()[ends]], axis=1)
    order = np.lexsort(keys.T)
    same = (keys[order[1:]] == keys[order[:-1]]).all(axis=1)
    links = (order[:-1][same], order[1:][same])
    graph = coo_matrix(
        (np.ones(len(links[0]), np.int8), (ends[links[0]], ends[links[1]])), (faces.size,) * 2
    )
    fans, _ = connected_components(graph, directed=False)
    return int(fans) - len(np.unique(faces))


def sheets(faces: Int64Array) -> list[Int64Array]:
    """Face numbers of each connected sheet, in the order of their first face."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(faces):
        return []
    count = int(faces.max()) + 1
    pairs = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_matrix((np.ones(len(pairs), np.int8), tuple(pairs.T)), (count, count))
    _, groups = connected_components(graph, directed=False)
    of_face = groups[faces[:, 0]]
    order = np.argsort(of_face, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(of_face[order])) + 1)
    return sorted(parts, key=lambda part: int(part[0]))


@dataclass(frozen=True)
class Displacement:
    """How far a mesh lies from the surface of the voxels that it was made from.

    Parameters
    ----------
    largest_mm
        Largest distance of a vertex to the labels' surface (the voxels' outer faces), in mm: exact
        below twice the smallest spacing, beyond it never too small.
    largest_voxels
        The same with each axis measured in its own voxels: 1 is within one voxel's extent.
    mean_mm
        Mean distance over the vertices, in mm.
    covered
        Share of the labels' surface with a vertex of the mesh within one voxel, 0 to 1.
    """

    largest_mm: float
    largest_voxels: float
    mean_mm: float
    covered: float


def displacement(index: Float64Array, mask: Mask, geometry: Geometry) -> Displacement:
    """Measure how far vertices lie from the surface of a mask's voxels.

    Parameters
    ----------
    index
        Vertices (N, 3) in voxel indices.
    mask
        (I, J, K).
    geometry
        The mask's grid.

    Examples
    --------
    >>> mask = np.zeros((5, 5, 5), bool)
    >>> mask[1:4, 1:4, 1:4] = True
    >>> grid = Geometry((5, 5, 5), np.diag([1.0, 1.0, 8.0, 1.0]))
    >>> displacement(np.array([[2.0, 2.0, 3.75]]), mask, grid).largest_mm
    2.0
    """
    mm, voxels = _distances(index, mask, geometry)
    return Displacement(
        float(mm.max()), float(voxels.max()), float(mm.mean()), _covered(index, mask)
    )


def _distances(
    index: Float64Array, mask: Mask, geometry: Geometry
) -> tuple[Float64Array, Float64Array]:
    """Distance of points to the nearest voxel of the other kind than the one they lie in."""
    from scipy.spatial import cKDTree

    padded = np.pad(mask, 4)
    home = np.floor(index + 0.5).astype(np.int64)
    here = padded[tuple((home + 4).T)]
    squares = np.full((2, len(index)), np.inf)
    axes = geometry.affine[:3, :3].T
    for step in sorted(product(range(-2, 3), repeat=3), key=lambda s: max(map(abs, s))):
        open_ = np.arange(len(index))
        if max(map(abs, step)) > 1:
            # Two voxels away nothing is nearer than a voxel.
            least = np.array([[min(geometry.spacing) ** 2], [1.0]])
            open_ = np.flatnonzero((squares > least).any(axis=0))
        there = home[open_] + step
        other = padded[tuple((there + 4).T)] != here[open_]
        offset = index[open_[other]] - there[other]
        apart = offset - np.clip(offset, -0.5, 0.5)
        for row, vectors in enumerate((apart @ axes, apart)):
            found = np.einsum("ij,ij->i", vectors, vectors)
            squares[row, open_[other]] = np.minimum(squares[row, open_[other]], found)
    mm, voxels = np.sqrt(squares)
    far = ~np.isfinite(mm)
    if far.any():
        # More than two voxels off: to the middle of the nearest face is exact enough.
        middles = _face_middles(mask)
        voxels[far], nearest = cKDTree(middles).query(index[far])
        mm[far] = np.linalg.norm((index[far] - middles[nearest]) @ axes, axis=1)
    return mm, voxels


def _covered(index: Float64Array, mask: Mask) -> float:
    """Share of the voxels' outer faces with a vertex within one voxel of their middle."""
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(index).query(_face_middles(mask), distance_upper_bound=1.0)
    return float(np.isfinite(distance).mean())


def _face_middles(mask: Mask) -> Float64Array:
    """Middles (N, 3) of the voxels' outer faces, in voxel indices."""
    padded = np.pad(mask, 1)
    middles = []
    for axis in range(3):
        where = np.argwhere(np.diff(padded, axis=axis)) - 1.0
        where[:, axis] += 0.5
        middles.append(where)
    return np.concatenate(middles)
