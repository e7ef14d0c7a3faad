"""Cut planes: closed halves of a closed mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardioseg.core.geometry import Float64Array, Geometry
from cardioseg.errors import GeometryError
from cardioseg.ops.mesh_slices import Mask
from cardioseg.ops.mesh_surface import Int64Array

SHORTEST_MM = 1e-3
"""What a cut leaves shorter or flatter than this is merged: a sliver is no use to a printer."""

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Plane:
    """A plane in the patient: the points p with normal . p = position.

    Parameters
    ----------
    normal
        Direction in RAS+, of any length but zero.
    position_mm
        Along the unit normal, in mm.
    name
        As the user wrote it.

    Raises
    ------
    GeometryError
        If the normal is zero.
    """

    normal: Vector
    position_mm: float
    name: str = ""

    def __post_init__(self) -> None:
        length = float(np.linalg.norm(self.normal))
        if not (length > 0 and np.isfinite(length) and np.isfinite(self.position_mm)):
            raise GeometryError(f"no plane has the normal {self.normal}")
        x, y, z = (float(n) / length for n in self.normal)
        object.__setattr__(self, "normal", (x, y, z))

    def heights(self, points: Float64Array) -> Float64Array:
        """Signed distance (N,) of points from the plane, in mm, positive along the normal."""
        distances: Float64Array = points @ np.asarray(self.normal) - self.position_mm
        return distances


def halves(
    vertices: Float64Array, faces: Int64Array, plane: Plane
) -> tuple[tuple[Float64Array, Int64Array], tuple[Float64Array, Int64Array]]:
    """The parts of a closed mesh below and above a plane, each closed by a flat cap.

    Parameters
    ----------
    vertices, faces
        A closed manifold mesh.
    plane
        Where to cut; above is where its normal points.

    Returns
    -------
    below, above
        Vertices and faces of each; no faces where the plane misses the mesh.

    Raises
    ------
    GeometryError
        If the mesh is not closed and manifold.

    Examples
    --------
    >>> corners = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]], float)
    >>> sides = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    >>> below, above = halves(corners, sides, Plane((0, 0, 1), 3.0))
    >>> round(float(below[0][:, 2].max()), 6), round(float(above[0][:, 2].min()), 6)
    (3.0, 3.0)
    """
    import manifold3d

    mesh = manifold3d.Mesh64(
        vert_properties=np.array(vertices, np.float64, order="C"),
        tri_verts=np.array(faces, np.uint64, order="C"),
    )
    solid = manifold3d.Manifold(mesh)
    if solid.status() != manifold3d.Error.NoError:
        raise GeometryError(f"a mesh that is not closed cannot be cut ({solid.status().name})")
    above, below = solid.split_by_plane(plane.normal, plane.position_mm)
    return _arrays(below.simplify(SHORTEST_MM)), _arrays(above.simplify(SHORTEST_MM))


def _arrays(solid: object) -> tuple[Float64Array, Int64Array]:
    mesh = solid.to_mesh64()  # type: ignore[attr-defined]
    vertices = np.asarray(mesh.vert_properties, np.float64)[:, :3]
    return vertices, np.asarray(mesh.tri_verts, np.int64)


def base_plane(cavity: Mask, geometry: Geometry, depth_mm: float, name: str = "") -> Plane:
    """A plane across the long axis, a depth below the base, its normal from base to apex.

    The base is the end of the stack with more of the left ventricle's cavity; depth 0 is the outer
    face of the last slice there that holds any of it.

    Parameters
    ----------
    cavity
        The left ventricle's cavity (I, J, K).
    geometry
        Its grid, a short-axis stack.
    depth_mm
        From the base towards the apex.
    name
        For messages.

    Raises
    ------
    GeometryError
        If the grid has no thickest axis, or the cavity is empty.
    """
    axis = geometry.native_axis
    if axis is None or not cavity.any():
        raise GeometryError(
            "the base is found from the left ventricle's cavity in a short-axis stack, which this "
            "is not; name a plane by x, y, z or its normal"
        )
    areas = np.moveaxis(cavity, axis, 0).sum(axis=(1, 2))
    labelled = np.flatnonzero(areas)
    third = max(1, len(labelled) // 3)
    first_is_base = areas[labelled[:third]].sum() >= areas[labelled[-third:]].sum()
    end = labelled[0] - 0.5 if first_is_base else labelled[-1] + 0.5
    column = geometry.affine[:3, axis]
    # Slices may be sheared against the axis: across it means parallel to them.
    first, second = (geometry.affine[:3, a] for a in range(3) if a != axis)
    normal = np.cross(first, second)
    normal = normal / np.linalg.norm(normal) * np.sign(normal @ column)
    normal = normal if first_is_base else -normal
    index = np.zeros(3)
    index[axis] = end
    x, y, z = normal.tolist()
    return Plane((x, y, z), float(normal @ geometry.to_world(index)) + depth_mm, name)
