"""A triangle mesh of one structure, in the patient's millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.errors import GeometryError


@dataclass(frozen=True, eq=False)
class Mesh:
    """A surface.

    Parameters
    ----------
    vertices
        Positions (N, 3), float64, RAS+ mm.
    faces
        Vertex numbers (M, 3), int64, counter-clockwise seen from outside.
    name
        The structure's name.
    color
        sRGB hex colour.

    Raises
    ------
    GeometryError
        If shapes are wrong, a coordinate is not finite, or a face names a vertex that is not there.

    Examples
    --------
    >>> corner = Mesh(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]), "corner")
    >>> corner.vertices.shape, corner.faces.shape
    ((3, 3), (1, 3))
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    name: str
    color: str = "#999999"

    def __post_init__(self) -> None:
        vertices = np.array(self.vertices, dtype=np.float64)
        faces = np.array(self.faces, dtype=np.int64)
        for array, what in ((vertices, "vertices"), (faces, "faces")):
            if array.ndim != 2 or array.shape[1] != 3:
                raise GeometryError(f"mesh {self.name}: {what} of shape {array.shape}, not (N, 3)")
            array.setflags(write=False)
        if not np.isfinite(vertices).all():
            raise GeometryError(f"mesh {self.name}: a vertex is not finite")
        if faces.size and not 0 <= faces.min() <= faces.max() < len(vertices):
            raise GeometryError(f"mesh {self.name}: a face names a vertex that is not there")
        object.__setattr__(self, "vertices", vertices)
        object.__setattr__(self, "faces", faces)
