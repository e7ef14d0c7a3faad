"""Crumbs: closed sheets of a mesh too small to matter, solid or hollow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cardioseg.ops.mesh_check import sheets
from cardioseg.ops.mesh_surface import Surface, signed_volume_mm3


@dataclass(frozen=True)
class Crumbs:
    """What was left out of a mesh.

    Parameters
    ----------
    pieces, hollows
        Small solid pieces dropped, and small hollows filled.
    pieces_ml, hollows_ml
        Their volumes, in ml.
    """

    pieces: int = 0
    hollows: int = 0
    pieces_ml: float = 0.0
    hollows_ml: float = 0.0


def without_crumbs(surface: Surface, smallest_ml: float) -> tuple[Surface, Crumbs]:
    """Drop the closed sheets that enclose less than a volume; the largest one always stays.

    Examples
    --------
    >>> corners = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]], float)
    >>> sides = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    >>> both = np.concatenate([corners, corners / 9 + 20]), np.concatenate([sides, sides + 4])
    >>> left, crumbs = without_crumbs(Surface(*both, both[0]), 0.1)
    >>> len(left.faces), crumbs.pieces
    (4, 1)
    """
    parts = sheets(surface.faces)
    volumes = np.array([signed_volume_mm3(surface.vertices, surface.faces[p]) for p in parts])
    volumes = volumes / 1000
    kept = np.abs(volumes) >= smallest_ml
    kept[int(volumes.argmax())] = True
    dropped = volumes[~kept]
    if not len(dropped):
        return surface, Crumbs()
    faces = surface.faces[
        np.sort(np.concatenate([p for p, keep in zip(parts, kept, strict=True) if keep]))
    ]
    used, numbers = np.unique(faces, return_inverse=True)
    crumbs = Crumbs(
        int((dropped > 0).sum()),
        int((dropped < 0).sum()),
        float(dropped[dropped > 0].sum()),
        float(-dropped[dropped < 0].sum()),
    )
    left = replace(
        surface,
        vertices=surface.vertices[used],
        faces=numbers.reshape(-1, 3).astype(np.int64),
        index=surface.index[used],
    )
    return left, crumbs
