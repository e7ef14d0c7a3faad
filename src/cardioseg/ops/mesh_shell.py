"""A hollow shell around a solid: its surface, and a second one a wall's thickness farther out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cardioseg.core.geometry import Float64Array
from cardioseg.errors import GeometryError
from cardioseg.ops.mesh_field import Field
from cardioseg.ops.mesh_slices import Float32Array
from cardioseg.ops.mesh_surface import Int64Array, Surface, surface_of


def shell_of(field: Field, solid: Surface, thickness_mm: float) -> tuple[Float64Array, Int64Array]:
    """The wall of a given thickness around a solid, hollow where the solid is.

    Parameters
    ----------
    field
        The solid's field.
    solid
        Its surface, the wall's inner side.
    thickness_mm
        Distance from the inner to the outer side.

    Returns
    -------
    vertices, faces
        Both sides in one mesh, the inner one turned to face the hollow.

    Raises
    ------
    GeometryError
        If the wall is thinner than the field's samples can hold apart.
    """
    step = field.step_mm
    if not thickness_mm >= step.max():
        raise GeometryError(
            f"a wall of {thickness_mm:g} mm needs samples of at most that distance, not "
            f"{step.max():.2g} mm; name a finer --resolution or a thicker --shell"
        )
    outer = surface_of(_grown(field, solid, thickness_mm))
    vertices = np.concatenate([outer.vertices, solid.vertices])
    faces = np.concatenate([outer.faces, solid.faces[:, ::-1] + len(outer.vertices)])
    return vertices, faces


def _grown(field: Field, solid: Surface, thickness_mm: float) -> Field:
    """A field whose surface lies a thickness outside the solid's."""
    from scipy.ndimage import distance_transform_edt
    from scipy.spatial import cKDTree

    step = field.step_mm
    margin = np.ceil(thickness_mm / step).astype(int) + 2
    values = np.pad(field.at(solid.level_mm), [(m, m) for m in margin], constant_values=-np.inf)
    start = field.start - margin / np.asarray(field.factors)
    reach = float(thickness_mm + 2 * step.max())
    # The distance between samples finds who is near; the distance to the mesh is smooth.
    distance = distance_transform_edt(values <= 0, step).astype(np.float32)
    near = (distance > 0) & (distance < reach)
    samples = np.argwhere(near)
    points = field.geometry.to_world(start + samples / np.asarray(field.factors))
    middles = solid.vertices[solid.faces].mean(axis=1)
    tree = cKDTree(np.concatenate([solid.vertices, middles]))
    distance[near], _ = tree.query(points)
    grown: Float32Array = np.float32(thickness_mm) - distance
    free = np.full_like(grown, np.inf)
    return replace(field, values=grown, low=-free, high=free, start=start)
